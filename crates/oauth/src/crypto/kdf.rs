//! Keys out of secrets.

use std::num::NonZeroU32;

use aws_lc_rs::{hkdf, pbkdf2};

/// A key derivation gave nothing; `out` must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key derivation cannot give as many bytes")]
#[non_exhaustive]
pub struct KdfError;

/// Fills `out` with key material: HKDF with SHA-256 (RFC 5869), extract and expand.
///
/// `secret` must be hard to guess already (a key, not a password). Each use of one secret takes an
/// `info` of its own.
///
/// # Errors
/// [`KdfError`] when `out` is longer than 8160 bytes.
pub fn hkdf_sha256(
    secret: &[u8],
    salt: &[u8],
    info: &[u8],
    out: &mut [u8],
) -> Result<(), KdfError> {
    let key = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    key.expand(&[info], Length(out.len()))
        .and_then(|material| material.fill(out))
        .map_err(|_| KdfError)
}

/// Fills `out` with key material: PBKDF2 with HMAC-SHA-256 (RFC 8018 section 5.2).
///
/// Each 32 bytes of `out` cost `iterations` rounds, so an attacker who needs only the first 32
/// pays less than one who asks for more.
///
/// # Errors
/// [`KdfError`] when `out` is longer than 8160 bytes, which no key is.
pub fn pbkdf2_hmac_sha256(
    secret: &[u8],
    salt: &[u8],
    iterations: NonZeroU32,
    out: &mut [u8],
) -> Result<(), KdfError> {
    if out.len() > 255 * 32 {
        return Err(KdfError);
    }
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, secret, out);
    Ok(())
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
