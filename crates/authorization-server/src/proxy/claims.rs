//! Which claims of the identity provider's tokens go into ours.
//!
//! # Rules
//!
//! * A claim comes from the access token, else from the ID token, else from the profile: the first
//!   that has it, `null` not counting.
//! * Names that are [ours](crate::reserved) never pass, whatever is configured: they are left out
//!   before anything else is asked, and once more when the prefix is in front.
//! * Then `blocked` counts, then `allowed`, then the value.
//! * Texts, numbers, booleans and arrays of these pass; objects and nested arrays where that is
//!   allowed.
//! * All together are at most 4 KiB of JSON, as a token of ours is at most 8 KiB and most of it
//!   base64. Where they are more, the largest are left out.
//!
//! What is left out against expectation is told in the log, once a name, never with its value.

mod told;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use portcullis_oauth::json::{Map, Value};
use portcullis_resource_server::ConfigError;

use self::told::Told;
use self::value::{MAX_DEPTH, MAX_NAME, is_plain, is_poison, is_printable, is_tame, written};
use crate::reserved::is_reserved;
use crate::upstream::Evidence;

/// Which claims of the provider's tokens go into ours, as `role`, `roles`, `groups` or `email`.
///
/// A client can read our access tokens, so what passes is known to it.
///
/// ```
/// use portcullis_authorization_server::ClaimsPassthrough;
///
/// let claims = ClaimsPassthrough::new()
///     .allowed(["role", "roles", "permissions", "email", "groups"])
///     .blocked(["internal_id", "debug_info"])
///     .max_value_size(2000);
/// # let _ = claims;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ClaimsPassthrough {
    sources: Sources,
    prefix: String,
    allowed: Option<BTreeSet<String>>,
    blocked: BTreeSet<String>,
    max_value_size: usize,
    allow_complex: bool,
    told: Told,
}

/// Where claims are taken from.
#[derive(Clone, Copy, Debug)]
struct Sources {
    access_token: bool,
    id_token: bool,
    profile: bool,
}

/// What passes of a profile where no list says so. A provider's own answer about a user can have
/// dozens of members that say nothing of who or what the user is.
const OF_PROFILE: [&str; 24] = [
    "avatar_url",
    "email",
    "email_verified",
    "family_name",
    "given_name",
    "groups",
    "hd",
    "locale",
    "login",
    "middle_name",
    "name",
    "nickname",
    "org_id",
    "org_name",
    "permissions",
    "picture",
    "preferred_username",
    "profile",
    "role",
    "roles",
    "tid",
    "upn",
    "username",
    "zoneinfo",
];

/// Claims that vouch for another one.
const VOUCHERS: [(&str, &str); 2] = [
    ("email_verified", "email"),
    ("phone_number_verified", "phone_number"),
];

/// Characters of a prefix.
const MAX_PREFIX: usize = 64;

/// Bytes of JSON of all claims together.
const MAX_TOTAL: usize = 4 * 1024;

impl ClaimsPassthrough {
    /// Everything that the rules let through: from the access token, the ID token and the profile,
    /// without a prefix, values of up to 2000 characters, no objects.
    pub fn new() -> Self {
        Self {
            sources: Sources {
                access_token: true,
                id_token: true,
                profile: true,
            },
            prefix: String::new(),
            allowed: None,
            blocked: BTreeSet::new(),
            max_value_size: 2000,
            allow_complex: false,
            told: Told::default(),
        }
    }

    /// Nothing.
    pub fn disabled() -> Self {
        Self::new()
            .from_access_token(false)
            .from_id_token(false)
            .from_profile(false)
    }

    /// Whether claims are taken from the provider's access token, where that is a JWT. They are,
    /// unless this says otherwise.
    pub fn from_access_token(mut self, is_on: bool) -> Self {
        self.sources.access_token = is_on;
        self
    }

    /// Whether claims are taken from the ID token, once it is verified. They are, unless this says
    /// otherwise.
    pub fn from_id_token(mut self, is_on: bool) -> Self {
        self.sources.id_token = is_on;
        self
    }

    /// Whether claims are taken from what the provider answers about the user: its userinfo
    /// endpoint, or its own API. They are, unless this says otherwise. Without a list of
    /// [allowed](Self::allowed) names only those pass that say who the user is and what the user
    /// may: `name`, `email`, `login`, `roles`, `groups` and their like.
    pub fn from_profile(mut self, is_on: bool) -> Self {
        self.sources.profile = is_on;
        self
    }

    /// Puts this in front of every name. Nothing, unless set.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Lets these names pass and no others, as they are without the prefix. An empty list lets none
    /// pass.
    pub fn allowed(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.allowed = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Keeps these names out, also those that are [allowed](Self::allowed).
    pub fn blocked(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.blocked = names.into_iter().map(Into::into).collect();
        self
    }

    /// The most characters of a text, and of the JSON of an array or object. 2000, unless set; 0
    /// lets only numbers, booleans and empty texts pass.
    pub fn max_value_size(mut self, characters: usize) -> Self {
        self.max_value_size = characters;
        self
    }

    /// Whether objects and arrays of arrays pass, at most four levels deep. They do not, unless this
    /// says so; arrays of texts, numbers and booleans always do.
    pub fn allow_complex(mut self, is_on: bool) -> Self {
        self.allow_complex = is_on;
        self
    }

    /// Whether these settings can work.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !self.prefix.is_empty() && !is_printable(&self.prefix, MAX_PREFIX) {
            let fault = "is longer than 64 characters, or has one that is no printable ASCII";
            return Err(ConfigError::new("claims_passthrough.prefix", fault));
        }
        let ours = |name: &&String| is_reserved(name);
        if let Some(name) = self.allowed.iter().flatten().find(ours) {
            let fault = format!("names `{name}`, which this server alone says in its tokens");
            let hint = "leave it out: the user is `sub`, the client `client_id`, in every token";
            return Err(ConfigError::new("claims_passthrough.allowed", fault).with_hint(hint));
        }
        Ok(())
    }

    /// The claims for our tokens, of all that the provider said.
    pub(crate) fn apply(&self, evidence: &Evidence) -> Map<String, Value> {
        let mut passed = Vec::new();
        for (name, value) in self.said(evidence) {
            // SECURITY: what a token is judged by is never the provider's word (RFC 9068 section
            // 2.2); sec_px_08_what_a_token_is_judged_by_is_never_the_providers
            if is_reserved(name) || self.blocked.contains(name) || !self.allows(name) {
                continue;
            }
            let prefixed = format!("{}{name}", self.prefix);
            match self.fault_of(&prefixed, value) {
                Some(fault) => self.told.tell(name, fault),
                None => passed.push((prefixed, value)),
            }
        }
        self.bounded(passed)
    }

    /// All that the provider said, each claim from the first source that has it.
    fn said<'e>(&self, evidence: &'e Evidence) -> BTreeMap<&'e str, &'e Value> {
        let Sources {
            access_token,
            id_token,
            profile,
        } = self.sources;
        let whole_profile = self.allowed.is_some();
        let sources = [
            (access_token, true, &evidence.access_token),
            (id_token, true, &evidence.id_token),
            (profile, whole_profile, &evidence.profile),
        ];
        let mut said = BTreeMap::new();
        for (_, is_whole, source) in sources.into_iter().filter(|(is_on, ..)| *is_on) {
            let is_news = |name: &str| {
                let value = source.get(name);
                value.is_some_and(|value| !value.is_null()) && !said.contains_key(name)
            };
            let news: Vec<_> = source
                .iter()
                .map(|(name, value)| (name.as_str(), value))
                .filter(|(name, _)| is_news(name))
                // SECURITY: that an address is verified is said of the address beside it, and of no
                // other (OpenID Connect Core section 5.1);
                // sec_px_09_one_source_does_not_vouch_for_the_address_of_another
                .filter(|(name, _)| vouched_for(name).is_none_or(is_news))
                .filter(|(name, _)| is_whole || OF_PROFILE.contains(name))
                .collect();
            said.extend(news);
        }
        said
    }

    fn allows(&self, name: &str) -> bool {
        let allowed = self.allowed.as_ref();
        allowed.is_none_or(|allowed| allowed.contains(name))
    }

    /// Why a claim does not pass under this name.
    fn fault_of(&self, name: &str, value: &Value) -> Option<&'static str> {
        // SECURITY: outside of ASCII there are letters that some parsers fold into ours, as U+017F
        // into `s` (CWE-176); sec_px_08_another_case_is_the_same_name
        if !is_printable(name, MAX_NAME) {
            return Some("its name is too long, or is no printable ASCII");
        }
        // SECURITY: a name becomes ours by its prefix, `s` and `ub` (RFC 9068 section 2.2);
        // sec_px_08_a_prefix_forges_nothing
        if is_reserved(name) || is_poison(name) {
            return Some("its name means something else");
        }
        self.fault_of_value(value)
    }

    fn fault_of_value(&self, value: &Value) -> Option<&'static str> {
        let length = match value {
            Value::Null => return Some("it is null"),
            Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.chars().count(),
            Value::Array(items) if is_plain(items) => written(value).chars().count(),
            Value::Array(_) | Value::Object(_) if !self.allow_complex => {
                return Some("it has parts, which are not allowed");
            }
            Value::Array(_) | Value::Object(_) => {
                // SECURITY: what is nested is bounded, and no part of it carries a name that readers
                // take for more than a name (CWE-1321); sec_px_08_nested_claims_have_bounds
                if !is_tame(value, MAX_DEPTH) {
                    return Some("it is nested too deeply, or a part of it cannot pass");
                }
                written(value).chars().count()
            }
        };
        (length > self.max_value_size).then_some("it is too long")
    }

    /// The claims, without the largest where all are too much.
    fn bounded(&self, mut passed: Vec<(String, &Value)>) -> Map<String, Value> {
        let size = |name: &str, value: &Value| name.len() + written(value).len() + 4;
        passed.sort_by_cached_key(|(name, value)| size(name, value));
        let mut total = 0;
        let mut claims = Map::new();
        for (name, value) in passed {
            total += size(&name, value);
            // SECURITY: a provider does not decide how long our tokens are, which headers must hold
            // (CWE-400); sec_px_08_all_claims_together_have_a_bound
            if total > MAX_TOTAL {
                self.told.tell(&name, "all claims together are too long");
            } else {
                claims.insert(name, value.clone());
            }
        }
        claims
    }
}

impl Default for ClaimsPassthrough {
    fn default() -> Self {
        Self::new()
    }
}

/// The claim of which this one says that it is verified.
fn vouched_for(name: &str) -> Option<&'static str> {
    let mut vouchers = VOUCHERS.iter();
    let (_, claim) = vouchers.find(|(voucher, _)| *voucher == name)?;
    Some(claim)
}

#[cfg(test)]
mod tests;
