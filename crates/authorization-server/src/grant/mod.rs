//! Grants: what a user, or a client for itself, was given, and the tokens that follow from it.
//!
//! One record holds a grant and the state of its refresh tokens, so every change of it is one atomic
//! swap. An access token names its grant in `jti`; without the record it is worth nothing.

mod approval;
mod bounds;
mod challenges;
pub(crate) mod code;
mod ending;
pub(crate) mod exchange;
mod grants;
pub(crate) mod ledger;
mod live;
pub(crate) mod record;
pub(crate) mod refresh;
pub(crate) mod scope;
mod status;
#[cfg(test)]
mod world;

use std::fmt;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{ClientId, Entropy, EntropyError, ResourceUrl, ScopeSet, Timestamp};
use portcullis_resource_server::AccessToken;

pub(crate) use self::approval::{Approval, ApproveError};
pub use self::grants::{GrantFilter, GrantInfo, Grants};
pub(crate) use self::ledger::Ledger;
use self::record::GrantRecord;

/// What identifies a grant: 128 random bits. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct GrantId([u8; 16]);

impl GrantId {
    /// A fresh one.
    ///
    /// # Errors
    /// [`EntropyError`] without randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes)?;
        // No text of it begins with `-`, so that no command takes one for a flag.
        if let Some(first) = bytes.first_mut().filter(|first| **first >= 0xf8) {
            *first &= 0x7f;
        }
        Ok(Self(bytes))
    }

    /// Reads what [`Display`](fmt::Display) wrote: 22 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        base64url::decode_array(text).ok().map(Self)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(self.0))
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantId({self})")
    }
}

impl GrantId {
    /// Random characters after the id in `jti`.
    const SALT: usize = 8;

    /// A fresh `jti`: the id, a dot, and what tells the tokens of a grant apart.
    pub(crate) fn token_id(&self, entropy: &dyn Entropy) -> Result<String, EntropyError> {
        let mut salt = [0; Self::SALT];
        entropy.fill(&mut salt)?;
        Ok(format!("{self}.{}", base64url::encode(salt)))
    }

    /// Ids are random, so this tells many apart.
    pub(crate) fn first_byte(self) -> u8 {
        let [first, ..] = self.0;
        first
    }

    /// The grant that an access token names.
    pub(crate) fn of_token(token: &AccessToken) -> Option<Self> {
        let (id, _) = token.jwt_id()?.split_once('.')?;
        Self::parse(id)
    }
}

/// What a user gave to a client, as the user is shown it.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) grant: GrantId,
    pub(crate) client: ClientId,
    pub(crate) scope: ScopeSet,
    pub(crate) resource: ResourceUrl,
    pub(crate) granted_at: Timestamp,
    /// When the client got tokens last.
    pub(crate) last_used: Timestamp,
}

impl From<GrantRecord> for Connection {
    fn from(grant: GrantRecord) -> Self {
        Self {
            grant: grant.id,
            client: grant.client,
            scope: grant.scope,
            resource: grant.resource,
            granted_at: grant.granted_at,
            last_used: grant.last_used,
        }
    }
}

/// Why a grant ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndReason {
    /// Its client revoked a token of it (RFC 7009).
    RevokedByClient,
    /// Its user took it back.
    RevokedByUser,
    /// An operator ended it.
    RevokedByOperator,
    /// Its code was offered twice.
    CodeReplayed,
    /// A refresh token was offered that had been replaced.
    RefreshReused,
    /// Its user may not log in any more, or has another password.
    UserGone,
    /// The identity provider does not stand by its tokens any more.
    UpstreamEnded,
    /// The user gave too many, to the same client or to all.
    TooMany,
}

impl EndReason {
    /// The word in events.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::RevokedByClient => "revoked_by_client",
            Self::RevokedByUser => "revoked_by_user",
            Self::RevokedByOperator => "revoked_by_operator",
            Self::CodeReplayed => "code_replayed",
            Self::RefreshReused => "refresh_reused",
            Self::UserGone => "user_gone",
            Self::UpstreamEnded => "upstream_ended",
            Self::TooMany => "too_many",
        }
    }
}
