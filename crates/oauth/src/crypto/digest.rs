//! SHA-2 and HMAC.

use std::fmt;

use aws_lc_rs::{digest, hmac};

/// The SHA-256 digest of a message (FIPS 180-4).
pub fn sha256(message: &[u8]) -> [u8; 32] {
    array(digest::digest(&digest::SHA256, message).as_ref())
}

/// The SHA-384 digest of a message (FIPS 180-4).
pub fn sha384(message: &[u8]) -> [u8; 48] {
    array(digest::digest(&digest::SHA384, message).as_ref())
}

/// The SHA-512 digest of a message (FIPS 180-4).
pub fn sha512(message: &[u8]) -> [u8; 64] {
    array(digest::digest(&digest::SHA512, message).as_ref())
}

/// SHA-256 over a message that comes in pieces.
///
/// ```
/// use portcullis_oauth::crypto::{Sha256, sha256};
///
/// let mut digest = Sha256::new();
/// digest.update(b"one ");
/// digest.update(b"message");
/// assert_eq!(digest.finish(), sha256(b"one message"));
/// ```
#[derive(Clone)]
pub struct Sha256(digest::Context);

impl Sha256 {
    /// A digest of nothing so far.
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Takes in the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The digest of all pieces.
    pub fn finish(self) -> [u8; 32] {
        array(self.0.finish().as_ref())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The state is a function of the message, which may be a secret.
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}

/// The tag of a message under a secret: HMAC with SHA-256 (RFC 2104).
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    array(hmac::sign(&key, message).as_ref())
}

/// Whether `tag` is the whole tag of `message` under `key`. The time does not tell where it
/// differs.
pub fn hmac_sha256_verify(key: &[u8], message: &[u8], tag: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::verify(&key, message, tag).is_ok()
}

/// The library gives a slice as long as the algorithm says, and `N` says the same.
fn array<const N: usize>(slice: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(slice);
    out
}
