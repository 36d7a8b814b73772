//! Keys that check signatures.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, RsaSubjectPublicKey,
    VerificationAlgorithm,
};

use super::pem;
use crate::jose::Algorithm;
use crate::secret::SecretBytes;

/// A key that checks signatures: RSA of 2048 to 8192 bits, a point on P-256, P-384 or P-521, an
/// Ed25519 key, or a shared secret of at least 32 bytes.
///
/// A key answers for the algorithms of its kind alone, whatever a token says. Cloning is cheap.
///
/// ```
/// use portcullis_oauth::{SecretBytes, crypto::VerifyingKey, jose::Algorithm};
///
/// let key = VerifyingKey::hmac(SecretBytes::new([7; 32]))?;
/// assert!(!key.verify(Algorithm::Hs256, b"message", b"no tag"));
/// assert!(!key.supports(Algorithm::Rs256));
/// # Ok::<(), portcullis_oauth::crypto::KeyError>(())
/// ```
#[derive(Clone)]
pub struct VerifyingKey(Arc<Inner>);

enum Inner {
    Rsa(Box<RsaKey>),
    /// P-256, P-384, P-521 or Ed25519: one key, one algorithm.
    Single(KeyKind, ParsedPublicKey),
    Hmac(SecretBytes),
}

/// What a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA, for PKCS#1 v1.5 and PSS (RFC 7518 sections 3.3 and 3.5).
    Rsa,
    /// NIST P-256, for ES256 (RFC 7518 section 3.4).
    P256,
    /// NIST P-384, for ES384.
    P384,
    /// NIST P-521, for ES512.
    P521,
    /// Ed25519, for `EdDSA` (RFC 8037 section 3.1).
    Ed25519,
    /// A shared secret, for HS256, HS384 and HS512 (RFC 7518 section 3.2).
    Hmac,
}

#[cfg(feature = "sign")]
impl KeyKind {
    /// The name of its curve in a JWK.
    pub(super) const fn curve(self) -> Option<&'static str> {
        match self {
            Self::P256 => Some("P-256"),
            Self::P384 => Some("P-384"),
            Self::P521 => Some("P-521"),
            Self::Ed25519 => Some("Ed25519"),
            Self::Rsa | Self::Hmac => None,
        }
    }
}

/// Why something is no key. Never carries key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not PEM, or the block is not a key of a known type.
    #[error("the key is not readable as PEM of a public key")]
    Unreadable,
    /// A private key where a public one belongs.
    #[error("the key is private; only its public part belongs here")]
    Private,
    /// RSA keys have 2048 to 8192 bits.
    #[error("an RSA key of {bits} bits is outside 2048 to 8192")]
    RsaSize {
        /// The size of the modulus.
        bits: usize,
    },
    /// The numbers make no key: a point that is not on its curve, or an even exponent.
    #[error("the key's numbers make no valid key")]
    Invalid,
    /// A shared secret has at least 32 bytes (RFC 7518 section 3.2).
    #[error("a shared secret of {bytes} bytes is shorter than 32")]
    ShortSecret {
        /// The length of the secret.
        bytes: usize,
    },
    /// The text of a public key, used as a shared secret: everybody knows it.
    #[error("the shared secret is the text of an asymmetric key")]
    PublicSecret,
}

impl VerifyingKey {
    /// Reads a public key from PEM: `PUBLIC KEY` (RFC 5280 section 4.1) or `RSA PUBLIC KEY`
    /// (RFC 8017 appendix A.1.1).
    ///
    /// # Errors
    /// [`KeyError`] when the text is something else, or a key that is too weak or not valid.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let (label, der) = pem::decode(text).ok_or(KeyError::Unreadable)?;
        if label.ends_with("PRIVATE KEY") {
            return Err(KeyError::Private);
        }
        if !is_sequence(&der) {
            return Err(KeyError::Unreadable);
        }
        match label {
            "RSA PUBLIC KEY" => Self::rsa_der(&der),
            "PUBLIC KEY" => Self::spki(&der),
            _ => Err(KeyError::Unreadable),
        }
    }

    /// A shared secret, for HMAC.
    ///
    /// # Errors
    /// [`KeyError::ShortSecret`] under 32 bytes; [`KeyError::PublicSecret`] when it is the text of
    /// an asymmetric key.
    pub fn hmac(secret: SecretBytes) -> Result<Self, KeyError> {
        check_secret(&secret)?;
        Ok(Self(Arc::new(Inner::Hmac(secret))))
    }

    /// The numbers of an RSA key, big-endian.
    pub(crate) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let bits = modulus
            .first()
            .map_or(0, |top| modulus.len() * 8 - top.leading_zeros() as usize);
        check_rsa_size(bits)?;
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        };
        let first = components
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeyError::Invalid)?;
        // Writing the numbers is not enough: reading the key back checks them.
        RsaSubjectPublicKey::from_der(first.as_ref()).map_err(|_| KeyError::Invalid)?;
        Ok(Self(Arc::new(Inner::Rsa(Box::new(RsaKey::new(first))))))
    }

    /// A point of a curve, its coordinates big-endian and of the curve's length.
    pub(crate) fn ec(kind: KeyKind, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let algorithm = ec_algorithm(kind).ok_or(KeyError::Invalid)?;
        let mut point = Vec::with_capacity(1 + x.len() + y.len());
        point.push(4);
        point.extend_from_slice(x);
        point.extend_from_slice(y);
        Self::single(kind, algorithm, &point)
    }

    /// The 32 bytes of an Ed25519 key.
    pub(crate) fn ed25519(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        Self::single(KeyKind::Ed25519, &ED25519, bytes)
    }

    /// What the key is.
    pub fn kind(&self) -> KeyKind {
        match &*self.0 {
            Inner::Rsa(_) => KeyKind::Rsa,
            Inner::Single(kind, _) => *kind,
            Inner::Hmac(_) => KeyKind::Hmac,
        }
    }

    /// Whether the key can check signatures of an algorithm. A shared secret must be as long as the
    /// algorithm's digest (RFC 7518 section 3.2).
    pub fn supports(&self, algorithm: Algorithm) -> bool {
        algorithm.fits(self.kind())
            && match &*self.0 {
                Inner::Hmac(secret) => secret.expose().len() >= algorithm.digest_len(),
                Inner::Rsa(_) | Inner::Single(..) => true,
            }
    }

    /// Whether `signature` is this key's signature of `message`. An algorithm that does not fit the
    /// key is `false`.
    pub fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        // SECURITY: a key never answers for an algorithm of another kind (RFC 8725 section 3.1);
        // sec_jwt_03_a_key_answers_only_for_its_own_algorithms
        if !self.supports(algorithm) {
            return false;
        }
        match &*self.0 {
            Inner::Rsa(key) => key.verify(algorithm, message, signature),
            Inner::Single(_, key) => key.verify_sig(message, signature).is_ok(),
            Inner::Hmac(secret) => hmac_algorithm(algorithm).is_some_and(|digest| {
                let key = hmac::Key::new(digest, secret.expose());
                hmac::verify(&key, message, signature).is_ok()
            }),
        }
    }

    fn spki(der: &[u8]) -> Result<Self, KeyError> {
        [
            KeyKind::P256,
            KeyKind::P384,
            KeyKind::P521,
            KeyKind::Ed25519,
        ]
        .into_iter()
        .find_map(|kind| Self::single(kind, ec_algorithm(kind)?, der).ok())
        .map_or_else(|| Self::rsa_der(der), Ok)
    }

    fn rsa_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = RsaSubjectPublicKey::from_der(der).map_err(|_| KeyError::Unreadable)?;
        let bits =
            RsaParameters::public_modulus_len(key.as_ref()).map_err(|_| KeyError::Invalid)?;
        check_rsa_size(bits as usize)?;
        let first = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_ref())
            .map_err(|_| KeyError::Invalid)?;
        Ok(Self(Arc::new(Inner::Rsa(Box::new(RsaKey::new(first))))))
    }

    fn single(
        kind: KeyKind,
        algorithm: &'static dyn VerificationAlgorithm,
        bytes: &[u8],
    ) -> Result<Self, KeyError> {
        ParsedPublicKey::new(algorithm, bytes)
            .map(|key| Self(Arc::new(Inner::Single(kind, key))))
            .map_err(|_| KeyError::Invalid)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A shared secret is in here too.
        f.debug_tuple("VerifyingKey").field(&self.kind()).finish()
    }
}

/// An RSA key, parsed once for each algorithm that is used with it.
struct RsaKey {
    first: ParsedPublicKey,
    others: [OnceLock<Option<ParsedPublicKey>>; 5],
}

impl RsaKey {
    fn new(first: ParsedPublicKey) -> Self {
        Self {
            first,
            others: Default::default(),
        }
    }

    fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let (slot, parameters) = match algorithm {
            Algorithm::Rs256 => return self.first.verify_sig(message, signature).is_ok(),
            Algorithm::Rs384 => (0, &RSA_PKCS1_2048_8192_SHA384),
            Algorithm::Rs512 => (1, &RSA_PKCS1_2048_8192_SHA512),
            Algorithm::Ps256 => (2, &RSA_PSS_2048_8192_SHA256),
            Algorithm::Ps384 => (3, &RSA_PSS_2048_8192_SHA384),
            Algorithm::Ps512 => (4, &RSA_PSS_2048_8192_SHA512),
            _ => return false,
        };
        let parse = || ParsedPublicKey::new(parameters, self.first.as_ref()).ok();
        self.others
            .get(slot)
            .and_then(|other| other.get_or_init(parse).as_ref())
            .is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }
}

/// Refuses what is too short to be a secret, or known to everybody.
pub(super) fn check_secret(secret: &SecretBytes) -> Result<(), KeyError> {
    let bytes = secret.expose();
    if bytes.len() < 32 {
        return Err(KeyError::ShortSecret { bytes: bytes.len() });
    }
    // SECURITY: with the public key's text as the secret, everybody can sign (RFC 8725
    // section 2.1); sec_jwt_02_public_key_text_is_no_shared_secret
    if is_asymmetric(bytes) {
        return Err(KeyError::PublicSecret);
    }
    Ok(())
}

/// Whether the bytes are a key of an asymmetric algorithm, as PEM, JWK or DER.
fn is_asymmetric(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    let is_jwk = text.starts_with(b"{") && text.windows(5).any(|window| window == b"\"kty\"");
    let is_der = is_sequence(bytes)
        && (VerifyingKey::spki(bytes).is_ok() || RsaSubjectPublicKey::from_der(bytes).is_ok());
    text.starts_with(b"-----BEGIN ") || is_jwk || is_der
}

/// Whether the bytes could be the DER of a key. The library would also take the bare bytes of a
/// point, and any 32 bytes for an Ed25519 key.
fn is_sequence(der: &[u8]) -> bool {
    der.first() == Some(&0x30) && der.len() != 32
}

/// The HMAC of a symmetric algorithm.
pub(super) fn hmac_algorithm(algorithm: Algorithm) -> Option<hmac::Algorithm> {
    match algorithm {
        Algorithm::Hs256 => Some(hmac::HMAC_SHA256),
        Algorithm::Hs384 => Some(hmac::HMAC_SHA384),
        Algorithm::Hs512 => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

fn check_rsa_size(bits: usize) -> Result<(), KeyError> {
    // SECURITY: shorter RSA keys can be factored (RFC 7518 section 3.3);
    // short_rsa_keys_are_refused
    if (2048..=8192).contains(&bits) {
        Ok(())
    } else {
        Err(KeyError::RsaSize { bits })
    }
}

fn ec_algorithm(kind: KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    match kind {
        KeyKind::P256 => Some(&ECDSA_P256_SHA256_FIXED),
        KeyKind::P384 => Some(&ECDSA_P384_SHA384_FIXED),
        KeyKind::P521 => Some(&ECDSA_P521_SHA512_FIXED),
        KeyKind::Ed25519 => Some(&ED25519),
        KeyKind::Rsa | KeyKind::Hmac => None,
    }
}
