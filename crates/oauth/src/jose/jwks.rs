//! A set of public keys as JSON (RFC 7517 section 5).
//!
//! A key that is not understood, or that should not be there, is left out and counted; the others
//! are used.

use serde_json::Value;

use super::Algorithm;
use super::jwk::{Jwk, JwkError};
use crate::json::{self, JsonError, Limits};

/// The largest set in bytes.
pub const MAX_BYTES: usize = 256 * 1024;
/// The most keys in a set.
pub const MAX_KEYS: usize = 100;
/// The most keys that one token is tried with.
pub const MAX_CANDIDATES: usize = 4;

/// A set of keys.
#[derive(Debug, Clone, Default)]
pub struct JwkSet {
    keys: Vec<Jwk>,
    skipped: Vec<SkippedKey>,
}

/// A key that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub error: JwkError,
}

/// Why a document is no set of keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwksError {
    /// The document is not strict JSON, or too large.
    #[error("the key set is not acceptable JSON")]
    Json(#[source] JsonError),
    /// There is no array `keys`.
    #[error("the document has no array `keys`")]
    NotASet,
    /// More keys than [`MAX_KEYS`].
    #[error("the set has more than {MAX_KEYS} keys")]
    TooManyKeys,
}

impl JwkSet {
    /// Reads a set: at most 256 KiB, 16 levels and 100 keys.
    ///
    /// # Errors
    /// [`JwksError`] when the document is no set. A bad key is no error: it is
    /// [skipped](Self::skipped).
    pub fn parse(document: &[u8]) -> Result<Self, JwksError> {
        let limits = Limits::METADATA.with_bytes(MAX_BYTES);
        let document = json::value(document, limits).map_err(JwksError::Json)?;
        let Some(Value::Array(keys)) = document.get("keys") else {
            return Err(JwksError::NotASet);
        };
        if keys.len() > MAX_KEYS {
            return Err(JwksError::TooManyKeys);
        }
        let mut set = Self::default();
        for (index, key) in keys.iter().enumerate() {
            match Jwk::from_value(key) {
                Ok(key) => set.keys.push(key),
                Err(error) => set.skipped.push(SkippedKey { index, error }),
            }
        }
        Ok(set)
    }

    /// The keys that may answer for a token with this `kid` and algorithm, at most four.
    ///
    /// A token without `kid` is tried with keys of any id; one with a `kid` only with keys of
    /// exactly that id.
    pub fn candidates<'a>(
        &'a self,
        kid: Option<&'a str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Jwk> {
        self.keys
            .iter()
            .filter(move |key| kid.is_none_or(|kid| key.kid() == Some(kid)))
            .filter(move |key| key.allows(algorithm))
            // SECURITY: one token costs at most four signature checks (CWE-400);
            // sec_jwt_30_kid_is_looked_up_as_it_is
            .take(MAX_CANDIDATES)
    }

    /// Whether a usable key has this id.
    pub fn contains_kid(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid() == Some(kid))
    }

    /// The usable keys.
    pub fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// The keys that were left out, and why.
    pub fn skipped(&self) -> &[SkippedKey] {
        &self.skipped
    }

    /// The number of usable keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is usable.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl FromIterator<Jwk> for JwkSet {
    fn from_iter<I: IntoIterator<Item = Jwk>>(keys: I) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            skipped: Vec::new(),
        }
    }
}
