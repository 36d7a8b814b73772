//! What can go wrong with keys.

use portcullis_oauth::Timestamp;
use portcullis_resource_server::ConfigError;
use portcullis_store::StoreError;

use super::ring::Rotating;
use crate::issuer::Unsigned;

/// Why there is no key, or no signature.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyringError {
    /// The store has no answer.
    #[error("the signing keys are out of reach")]
    Store(#[from] StoreError),
    /// The secrets are too weak.
    #[error(transparent)]
    Secret(#[from] ConfigError),
    /// A key cannot be made, read or used.
    #[error("a signing key cannot be used")]
    Key,
    /// The keys are derived from configured secrets, which nobody can change here.
    #[error("the signing keys are derived from `jwt_signing_key`")]
    Derived,
    /// Another key is about to sign already.
    #[error("a new key signs from {from} on already")]
    Rotating {
        /// From when on.
        from: Timestamp,
    },
    /// Others changed the keys at the same time, again and again.
    #[error("others are changing the signing keys")]
    Contended,
    /// The claims make no token that anybody would take.
    #[error(transparent)]
    Claims(#[from] Unsigned),
}

impl From<Rotating> for KeyringError {
    fn from(rotating: Rotating) -> Self {
        Self::Rotating {
            from: rotating.from,
        }
    }
}
