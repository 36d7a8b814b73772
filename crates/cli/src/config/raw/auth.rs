//! What is written about who verifies callers, and who of them may come.

use schemars::JsonSchema;
use serde::Deserialize;

/// Who verifies callers. The settings of the mode stand beside it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAuth {
    /// Who verifies callers: a provider such as `google`, `github` or `oidc`, where users log in by a
    /// server of one's own; one that issues tokens to clients itself, as `jwt` or `authkit`; `server` (a
    /// login of one's own, with accounts),
    /// `dev` (one with two users to try things out, on this machine only) or `none`.
    pub(crate) mode: Option<String>,
    /// What callers without a token may do: with `per-tool`, what a rule marks as `anonymous`.
    pub(crate) anonymous: Option<RawAnonymous>,
    /// The claims in which roles are, each the name of one or the way to a member of one, such as
    /// `realm_access.roles`. Default: `role`, `roles` and `groups`.
    pub(crate) role_claims: Vec<String>,
    /// How clients are told that a tool needs a token, or more scopes: with `http` by status 401 or
    /// 403, with `in-band` inside of an answer with status 200, with `auto` as each understands it:
    /// inside of answers for ChatGPT, by the status for all others. Default: `auto`.
    pub(crate) challenges: Option<RawChallenges>,
    /// Who may come: `"anyone"`, or users of which one of the lists says so. Default: anyone with a valid
    /// token; where users log in at a provider at which everybody has an account, and other machines
    /// reach this server, it has to be said.
    pub(crate) allow: Option<RawAllow>,
    /// Which claims of the provider's tokens go into ours, where users log in at one: `false` for none.
    pub(crate) claims_passthrough: Option<RawPassthrough>,
}

/// The keys of `[auth]` that are no settings of a mode.
pub(in crate::config) const OWN_AUTH_KEYS: [&str; 6] = [
    "mode",
    "anonymous",
    "role_claims",
    "challenges",
    "allow",
    "claims_passthrough",
];

/// Which claims go into our tokens.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RawPassthrough {
    All(bool),
    Some(RawClaims),
}

/// Claims of the provider's tokens, for ours.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawClaims {
    /// Whether they are taken from its access token, where that is a JWT. Default: `true`.
    pub(crate) from_access_token: Option<bool>,
    /// Whether they are taken from its ID token. Default: `true`.
    pub(crate) from_id_token: Option<bool>,
    /// Whether they are taken from what its API says of the user. Default: `true`.
    pub(crate) from_profile: Option<bool>,
    /// What is put before each name.
    pub(crate) prefix: Option<String>,
    /// The names that pass, and no others.
    pub(crate) allowed: Option<Vec<String>>,
    /// Names that do not pass.
    pub(crate) blocked: Vec<String>,
    /// The most characters of a value. Default: `2000`.
    pub(crate) max_value_size: Option<u32>,
    /// Whether objects and lists of lists pass. Default: `false`.
    pub(crate) allow_complex: Option<bool>,
}

/// What callers without a token may do.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawAnonymous {
    PerTool,
}

/// How clients are told what a call lacks.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawChallenges {
    Auto,
    Http,
    InBand,
}

/// Who may come.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum RawAllow {
    Everybody(RawAnyone),
    Listed(RawAllowed),
}

/// The word for everybody.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawAnyone {
    Anyone,
}

/// Users who may come. One list that has them is enough.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawAllowed {
    /// Domains of verified e-mail addresses.
    pub(crate) domains: Vec<String>,
    /// Verified e-mail addresses.
    pub(crate) emails: Vec<String>,
    /// Values of the claim `groups`.
    pub(crate) groups: Vec<String>,
    /// Organisations: names at GitHub and Hugging Face, ids elsewhere (the claim `org_id`).
    pub(crate) orgs: Vec<String>,
    /// Values of the claim `tid`.
    pub(crate) tenants: Vec<String>,
}
