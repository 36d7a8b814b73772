//! What is written about an authorization server of one's own: tokens, clients and pages.

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawDuration;

/// Tokens that this server issues.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawTokens {
    /// How long a code lives until its client redeems it; at most `10m`. Default: `5m`.
    pub(crate) code_lifetime: Option<RawDuration>,
    /// How long an access token lives. Default: `1h`.
    pub(crate) access_lifetime: Option<RawDuration>,
    /// How long a grant lives that its client does not use. Default: `30d`.
    pub(crate) idle_lifetime: Option<RawDuration>,
    /// How long a grant lives at most; then its user logs in again. Default: `90d`.
    pub(crate) grant_lifetime: Option<RawDuration>,
    /// What signs them: `ES256`, which every client knows, or `EdDSA`. Default: `ES256`.
    pub(crate) signing: Option<RawSigning>,
    /// Files with secrets from which signing keys are made, the same on every machine; the first
    /// signs, all verify. Default: keys of the store, made at the first start.
    pub(crate) signing_key_files: Vec<String>,
    /// How long a key of the store signs before a new one takes its place: at least `1h`, or `never`.
    /// Default: `90d`.
    pub(crate) signing_key_rotation: Option<RawPeriod>,
    /// How soon a revoked token is refused: with `cached` at once in this process and in all that share
    /// the store's file, with `strict` by a look into the store at each request. Default: `cached`.
    pub(crate) revocation: Option<RawRevocation>,
}

/// What signs tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum RawSigning {
    #[serde(rename = "ES256")]
    Es256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// How soon a revoked token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawRevocation {
    Cached,
    Strict,
}

/// A length of time, or `never`.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct RawPeriod(RawDuration);

impl RawPeriod {
    /// The length; `None` is for ever.
    pub(crate) fn length(&self) -> Option<RawDuration> {
        let is_never = matches!(&self.0, RawDuration::Text(text) if text.trim() == "never");
        (!is_never).then(|| self.0.clone())
    }
}

impl JsonSchema for RawPeriod {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["string", "integer"],
            "minimum": 0,
            "pattern": "^([0-9]+(ms|s|m|h|d)?|never)$",
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// How users stay logged in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "they are the names of keys")]
pub(crate) struct RawLogin {
    /// How long a browser stays logged in that its user does not use. Default: `12h`.
    pub(crate) session_idle_lifetime: Option<RawDuration>,
    /// How long a browser stays logged in at most. Default: `7d`.
    pub(crate) session_lifetime: Option<RawDuration>,
    /// How long a login at an identity provider may take, from the user's approval on; at most `1h`.
    /// Default: `10m`.
    pub(crate) transaction_lifetime: Option<RawDuration>,
}

/// How much strangers may ask for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawRateLimits {
    /// Allows every address so many times as much of everything, failed logins excepted. Default: 1.
    pub(crate) multiplier: Option<u32>,
    /// Addresses that many users share.
    pub(crate) shared: Vec<RawShared>,
}

/// Addresses that many users share, such as that of a company.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawShared {
    /// An address or a network, such as `198.51.100.7` or `198.51.100.0/24`.
    pub(crate) network: Option<String>,
    /// For how many users each address of it counts.
    pub(crate) users: Option<u32>,
}

/// Which clients may ask for tokens.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawClients {
    /// Whether clients may register themselves (RFC 7591). Default: `true`.
    pub(crate) registration: Option<bool>,
    /// A file with a token that a client needs to register itself.
    pub(crate) registration_token_file: Option<String>,
    /// How many clients may register with that token, ever. Default: as many as there is room for.
    pub(crate) registration_token_uses: Option<u32>,
    /// How many registered clients there may be. Default: 10000.
    pub(crate) registration_limit: Option<u32>,
    /// Whether a client's id may be the URL of its metadata document. Default: `true`.
    pub(crate) documents: Option<bool>,
    /// The hosts whose documents count, such as `claude.ai` or `*.example.com`. Default: all.
    pub(crate) document_hosts: Option<Vec<String>>,
    /// Where codes may be sent, such as `https://app.example.com/*`. Default: this machine of the user,
    /// the known clients' own URLs, and a document's own origin.
    pub(crate) redirect_uris: Option<Vec<String>>,
}

/// A client that is known beforehand.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawClient {
    /// Its id.
    pub(crate) id: Option<String>,
    /// Its name, for pages.
    pub(crate) name: Option<String>,
    /// Where codes for it may be sent.
    pub(crate) redirect_uris: Vec<String>,
    /// A file with its secret.
    pub(crate) secret_file: Option<String>,
    /// A file with its public keys, as a JWK set.
    pub(crate) jwks_file: Option<String>,
    /// Where its public keys are.
    pub(crate) jwks_uri: Option<String>,
    /// How it may authenticate: `none`, `client_secret_basic`, `client_secret_post` or
    /// `private_key_jwt`. Default: what it has.
    pub(crate) authentication: Vec<String>,
    /// What it may offer for tokens: `authorization_code`, `refresh_token`, `client_credentials`.
    /// Default: the first two.
    pub(crate) grant_types: Vec<String>,
    /// The scopes that it can be granted. Default: all.
    pub(crate) scopes: Option<Vec<String>>,
    /// The resources about whose tokens it may ask (`/oauth/introspect`), by their URLs; `*` is all.
    pub(crate) introspects: Vec<String>,
}

/// What pages look like.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RawPages {
    /// The name of the service. Default: the host of `base_url`.
    pub(crate) name: Option<String>,
    /// Its picture: an `https` URL, or a `data:` URL of an image.
    pub(crate) logo: Option<String>,
    /// The colour of what can be pressed, as `#1a73e8`.
    pub(crate) accent: Option<String>,
    /// Whom users turn to: a `mailto:` or `https` URL.
    pub(crate) support: Option<String>,
}
