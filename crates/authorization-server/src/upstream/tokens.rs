//! What a provider gives, and what it says of a user.

use std::fmt;

use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{CodeVerifier, ScopeSet, SecretString, Subject, Timestamp};
use serde::{Deserialize, Serialize};

use super::UpstreamError;
use crate::serial;

/// The provider's tokens for one user. They are kept sealed, and no client of ours sees them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenSet {
    #[serde(with = "serial::secret")]
    pub(crate) access_token: SecretString,
    #[serde(
        with = "serial::secret_option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) refresh_token: Option<SecretString>,
    /// As it came; where ID tokens are checked, a good one.
    #[serde(
        with = "serial::secret_option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) id_token: Option<SecretString>,
    /// What was granted, in our spelling. `None`: the answer did not say, which stands for what was
    /// asked for (RFC 6749 section 5.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<ScopeSet>,
    /// When the access token ends. `None`: the answer did not say.
    #[serde(
        with = "serial::seconds_option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) expires_at: Option<Timestamp>,
    /// When the refresh token ends. `None`: the answer did not say.
    #[serde(
        with = "serial::seconds_option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) refresh_expires_at: Option<Timestamp>,
    #[serde(with = "serial::seconds")]
    pub(crate) obtained_at: Timestamp,
}

/// What redeems a code: kept sealed from the moment the user is sent away until they come back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Proof {
    #[serde(with = "serial::verifier")]
    pub(crate) verifier: CodeVerifier,
    pub(crate) nonce: String,
}

/// What the provider says of a user. It is kept sealed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Evidence {
    /// Who it is, at that provider.
    pub(crate) subject: Subject,
    /// The access token's claims, if it is a JWT: not verified, for it came over TLS from the provider
    /// itself.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) access_token: Map<String, Value>,
    /// The ID token's claims.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) id_token: Map<String, Value>,
    /// What its userinfo endpoint or API says.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(crate) profile: Map<String, Value>,
    /// Where an allow-list wants to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) organisations: Vec<String>,
}

/// Tokens, and whose they are.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) tokens: TokenSet,
    /// After a login always; after a refresh what the answer itself says anew, with an empty profile.
    pub(crate) evidence: Option<Evidence>,
    /// Why the answer to a refresh is not believed: the set is the old one then, but for its refresh
    /// token.
    pub(crate) doubt: Option<UpstreamError>,
}

impl Evidence {
    /// Nothing but who it is.
    pub(crate) fn of(subject: Subject) -> Self {
        Self {
            subject,
            access_token: Map::new(),
            id_token: Map::new(),
            profile: Map::new(),
            organisations: Vec::new(),
        }
    }

    /// Takes over what is said anew. What nobody asked about stays as it was: organisations are told
    /// together with a profile, if at all.
    pub(crate) fn renew(&mut self, newer: &Self) {
        if !newer.profile.is_empty() {
            for (old, new) in [
                (&mut self.access_token, &newer.access_token),
                (&mut self.id_token, &newer.id_token),
            ] {
                if new.is_empty() {
                    overtake(old, &self.profile, &newer.profile);
                }
            }
        }
        for (old, new) in [
            (&mut self.access_token, &newer.access_token),
            (&mut self.id_token, &newer.id_token),
            (&mut self.profile, &newer.profile),
        ] {
            if !new.is_empty() {
                old.clone_from(new);
            }
        }
        if !newer.profile.is_empty() || !newer.organisations.is_empty() {
            self.organisations.clone_from(&newer.organisations);
        }
    }
}

/// Puts what a profile says now in the place of what a token of then said of the same. What only the
/// token ever said stays.
fn overtake(token: &mut Map<String, Value>, before: &Map<String, Value>, now: &Map<String, Value>) {
    for name in before.keys().chain(now.keys()) {
        match (now.get(name), token.get_mut(name)) {
            (Some(value), Some(said)) => said.clone_from(value),
            // SECURITY: few providers send a new ID token at a refresh, and the groups of the one from the
            // login would let in for ever whoever has left them (RFC 9700 section 4.14);
            // sec_px_10_a_token_of_then_does_not_outvote_the_profile_of_now
            (None, Some(_)) => {
                token.remove(name);
            }
            (_, None) => {}
        }
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Claims are about people: their names, not their values.
        fn names(claims: &Map<String, Value>) -> Vec<&String> {
            claims.keys().collect()
        }
        f.debug_struct("Evidence")
            .field("access_token", &names(&self.access_token))
            .field("id_token", &names(&self.id_token))
            .field("profile", &names(&self.profile))
            .field("organisations", &self.organisations.len())
            .finish_non_exhaustive()
    }
}
