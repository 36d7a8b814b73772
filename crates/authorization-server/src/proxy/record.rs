//! What is kept of a login at an identity provider.

use std::borrow::Cow;

use portcullis_oauth::{ClientId, Subject, Timestamp};
use portcullis_resource_server::UpstreamToken;
use portcullis_store::{Collection, Family, Record};
use serde::{Deserialize, Serialize};

use crate::grant::GrantId;
use crate::grant::record::families;
use crate::serial::seconds;
use crate::upstream::{Evidence, TokenSet};

/// What an identity provider gave for one grant, and said of its user. It is kept under the id of the
/// grant, belongs to whatever the grant belongs to, and ends with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UpstreamRecord {
    pub(crate) id: GrantId,
    pub(crate) client: ClientId,
    pub(crate) subject: Subject,
    /// What people call the user.
    #[serde(default)]
    pub(crate) name: String,
    /// Which provider and account there it is from.
    pub(crate) provider: u64,
    pub(crate) tokens: TokenSet,
    /// All that the provider said of the user.
    pub(crate) evidence: Evidence,
    /// When the provider last stood by it.
    #[serde(with = "seconds")]
    pub(crate) confirmed_at: Timestamp,
    /// Until when whoever exchanges the tokens has them for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<Lease>,
    #[serde(with = "seconds")]
    pub(crate) expires_at: Timestamp,
}

/// Somebody exchanges the tokens just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// Who: a number drawn for this once.
    pub(crate) holder: u64,
    #[serde(with = "seconds")]
    pub(crate) until: Timestamp,
}

impl UpstreamRecord {
    /// The access token, as a handler gets it.
    pub(crate) fn token(&self) -> UpstreamToken {
        UpstreamToken::new(self.tokens.access_token.clone())
            .with_scopes(self.tokens.scope.clone())
            .with_expiry(self.tokens.expires_at)
    }

    /// Whether the access token is good until then, as far as is known.
    pub(crate) fn is_good_until(&self, then: Timestamp) -> bool {
        self.tokens.expires_at.is_none_or(|end| then < end)
    }

    /// Whether there can be new tokens once these have ended. One that is not said to end lasts.
    pub(crate) fn lasts(&self) -> bool {
        self.tokens.refresh_token.is_some() || self.tokens.expires_at.is_none()
    }

    /// When all ends, where there are no new tokens.
    pub(crate) fn ends_for_good(&self) -> Option<Timestamp> {
        match self.tokens.refresh_token {
            Some(_) => None,
            None => self.tokens.expires_at,
        }
    }

    /// The same until then.
    #[must_use]
    pub(crate) fn lasting_until(&self, then: Timestamp) -> Self {
        Self {
            expires_at: then,
            ..self.clone()
        }
    }
}

impl Record for UpstreamRecord {
    const COLLECTION: Collection = Collection::new("upstream");

    fn key(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.id.as_bytes())
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }

    fn families(&self) -> Vec<Family> {
        families(&self.subject, &self.client)
    }
}
