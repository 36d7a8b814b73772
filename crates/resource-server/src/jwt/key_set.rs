//! Keys of an issuer that runs in this program.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use portcullis_oauth::jose::jwks::JwkSet;

use crate::Unavailable;

/// Where a [`JwtVerifier`](super::JwtVerifier) finds the keys of an issuer that runs in this
/// program: an authorization server's key ring, for
/// [`JwtVerifierBuilder::key_set`](super::JwtVerifierBuilder::key_set).
///
/// The keys may change at any time. Whenever they do, their generation has to change, because a
/// verified token is remembered under it.
pub trait KeySetSource: fmt::Debug + Send + Sync + 'static {
    /// The generation of the keys, where it is certain that they are the keys of now. `None`: they
    /// have to be [asked for](Self::current). Called on every request: it neither waits nor
    /// allocates.
    fn settled(&self) -> Option<u64>;

    /// The keys of now.
    ///
    /// # Errors
    /// [`Unavailable`] when they cannot be had; the request is then refused with 503.
    fn current(&self) -> BoxFuture<'_, Result<KeySetSnapshot, Unavailable>>;

    /// Keys that are newer than a generation, for a token whose key that one lacks. `None` when there
    /// are none. Whoever sends tokens with made-up key ids makes this run: it bounds its own work.
    ///
    /// # Errors
    /// As [`current`](Self::current).
    fn newer_than(
        &self,
        generation: u64,
    ) -> BoxFuture<'_, Result<Option<KeySetSnapshot>, Unavailable>>;
}

/// The keys of an issuer at one time.
#[derive(Debug, Clone)]
pub struct KeySetSnapshot {
    keys: Arc<JwkSet>,
    generation: u64,
}

impl KeySetSnapshot {
    /// These keys, under a number that no other set of this source has.
    pub fn new(keys: Arc<JwkSet>, generation: u64) -> Self {
        Self { keys, generation }
    }

    /// The keys.
    pub fn keys(&self) -> &JwkSet {
        &self.keys
    }

    /// Their number.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}
