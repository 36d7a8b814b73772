//! Grants: what a user, or a client for itself, was given, and the tokens that follow from it.
//!
//! One record holds a grant and the state of its refresh tokens, so every change of it is one atomic
//! swap. An access token names its grant in `jti`; without the record it is worth nothing.

pub(crate) mod scope;

use std::fmt;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{Entropy, EntropyError};

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
        Ok(Self(bytes))
    }

    /// Reads what [`Display`](fmt::Display) wrote: 22 characters of base64url.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = base64url::decode_strict(text).ok()?;
        bytes.try_into().ok().map(Self)
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
