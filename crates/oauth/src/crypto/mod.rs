//! Cryptography: the only module that names a crypto library.
//!
//! # Rules
//!
//! * Every primitive is AWS-LC's; nothing in here is made by hand.
//! * Nothing draws randomness, a nonce included: the caller brings it, from an
//!   [`Entropy`](crate::Entropy). The one exception is behind the feature `sign`, where the library
//!   itself draws what a signature needs, and `generate_*` a fresh key pair.
//! * Secrets are compared by [`ct_eq`] or by a verify function, never by `==`.
//!
//! # What is here
//!
//! | for | look at |
//! |---|---|
//! | a digest | [`sha256`], [`sha384`], [`sha512`], [`Sha256`] |
//! | a tag under a shared secret | [`hmac_sha256`], [`hmac_sha256_verify`] |
//! | a key out of a secret | [`hkdf_sha256`], [`pbkdf2_hmac_sha256`] |
//! | sealing a record | [`aead`] |
//! | text out of bytes and back | [`base64url`], [`base64`], [`hex`] |
//! | checking a signature | [`VerifyingKey`] |
//!
//! # Sources
//!
//! FIPS 180-4 (SHA-2), RFC 2104 (HMAC), RFC 5869 (HKDF), RFC 8018 (PBKDF2), NIST SP 800-38D (GCM),
//! RFC 4648 (base64), RFC 7518 and RFC 8037 (signatures).

use subtle::ConstantTimeEq as _;

pub mod aead;
pub mod base64;
pub mod base64url;
mod digest;
pub mod hex;
mod kdf;
mod key;
mod pem;
#[cfg(feature = "sign")]
pub mod sign;

pub use self::digest::{Sha256, hmac_sha256, hmac_sha256_verify, sha256, sha384, sha512};
pub use self::kdf::{KdfError, hkdf_sha256, pbkdf2_hmac_sha256};
pub use self::key::{KeyError, KeyKind, VerifyingKey};

/// Compares without telling by time where two byte strings differ. Their lengths are no secret.
///
/// Two empty strings are equal: refuse an empty secret before it is compared.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// A text is not in the one canonical form of its encoding. Says nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not in canonical form")]
#[non_exhaustive]
pub struct InvalidEncoding;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;
