//! Sealing: AES-256-GCM with a nonce that the caller brings (NIST SP 800-38D).
//!
//! A nonce is used once under a key. With nonces drawn at random, change the key before 2^32
//! messages. The associated data is not in the sealed text; whoever opens must know it, so it binds
//! the text to its place.
//!
//! ```
//! use portcullis_oauth::crypto::aead;
//!
//! let (key, nonce) = ([7; aead::KEY_LEN], [1; aead::NONCE_LEN]);
//! let sealed = aead::seal(&key, &nonce, b"row 1", b"secret")?;
//! assert_eq!(aead::open(&key, &nonce, b"row 1", &sealed)?, b"secret");
//! assert!(aead::open(&key, &nonce, b"row 2", &sealed).is_err());
//! # Ok::<(), aead::AeadError>(())
//! ```

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

/// Bytes of a key.
pub const KEY_LEN: usize = 32;
/// Bytes of a nonce.
pub const NONCE_LEN: usize = 12;
/// Bytes by which a sealed text is longer than its plain text.
pub const TAG_LEN: usize = 16;

/// A text could not be sealed, or is not what was sealed under this key, nonce and associated data.
/// Which of these is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sealed text is not authentic")]
#[non_exhaustive]
pub struct AeadError;

/// Seals a text; the tag is appended.
///
/// # Errors
/// [`AeadError`] when the text is too long for GCM (64 GiB).
pub fn seal(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, AeadError> {
    let mut text = Vec::with_capacity(plain.len().saturating_add(TAG_LEN));
    text.extend_from_slice(plain);
    cipher(key)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(associated),
            &mut text,
        )
        .map_err(|_| AeadError)?;
    Ok(text)
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`AeadError`] when one bit of key, nonce, associated data or text differs.
pub fn open(
    key: &[u8; KEY_LEN],
    nonce: &[u8; NONCE_LEN],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, AeadError> {
    let mut text = sealed.to_vec();
    let length = cipher(key)?
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(associated),
            &mut text,
        )
        .map_err(|_| AeadError)?
        .len();
    text.truncate(length);
    Ok(text)
}

fn cipher(key: &[u8; KEY_LEN]) -> Result<LessSafeKey, AeadError> {
    UnboundKey::new(&AES_256_GCM, key)
        .map(LessSafeKey::new)
        .map_err(|_| AeadError)
}
