//! Keys that sign, behind the feature `sign`.
//!
//! Whoever only verifies leaves the feature off and holds no code that can mint a token.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair, RsaSignatureEncoding,
};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::key::{check_secret, hmac_algorithm};
use super::{KeyError, KeyKind, VerifyingKey, base64url, pem};
use crate::jose::Algorithm;
use crate::secret::SecretBytes;

/// A key that signs. `Debug` shows its kind alone.
pub struct SigningKey(Inner);

enum Inner {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(KeyKind, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Hmac(SecretBytes),
}

/// Why nothing was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The algorithm is not one of the key's kind, or the secret is too short for it.
    #[error("a {kind:?} key does not sign with `{}`", algorithm.as_str())]
    WrongAlgorithm {
        /// What the key is.
        kind: KeyKind,
        /// What was asked for.
        algorithm: Algorithm,
    },
    /// The library failed, for want of memory or of randomness.
    #[error("the signature could not be made")]
    Failed,
}

impl SigningKey {
    /// A fresh P-256 key, for ES256.
    ///
    /// # Errors
    /// [`SignError::Failed`] when the library has no randomness. It draws its own.
    pub fn generate_es256() -> Result<Self, SignError> {
        Self::generate_ecdsa(KeyKind::P256, &ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    /// A fresh P-384 key, for ES384.
    ///
    /// # Errors
    /// As [`generate_es256`](Self::generate_es256).
    pub fn generate_es384() -> Result<Self, SignError> {
        Self::generate_ecdsa(KeyKind::P384, &ECDSA_P384_SHA384_FIXED_SIGNING)
    }

    /// A fresh P-521 key, for ES512.
    ///
    /// # Errors
    /// As [`generate_es256`](Self::generate_es256).
    pub fn generate_es512() -> Result<Self, SignError> {
        Self::generate_ecdsa(KeyKind::P521, &ECDSA_P521_SHA512_FIXED_SIGNING)
    }

    /// A fresh Ed25519 key, for `EdDSA`. [`ed25519_from_seed`](Self::ed25519_from_seed) takes the
    /// randomness as an argument.
    ///
    /// # Errors
    /// As [`generate_es256`](Self::generate_es256).
    pub fn generate_ed25519() -> Result<Self, SignError> {
        Ed25519KeyPair::generate()
            .map(|pair| Self(Inner::Ed25519(pair)))
            .map_err(|_| SignError::Failed)
    }

    /// A fresh RSA key of 2048 bits. It takes a good part of a second.
    ///
    /// # Errors
    /// As [`generate_es256`](Self::generate_es256).
    pub fn generate_rsa2048() -> Result<Self, SignError> {
        RsaKeyPair::generate(KeySize::Rsa2048)
            .map(|pair| Self(Inner::Rsa(Box::new(pair))))
            .map_err(|_| SignError::Failed)
    }

    /// The P-256 key of a private scalar (SEC 1 section 3.2.1), of 32 bytes with the first one the most
    /// significant. The same scalar gives the same key, on every machine.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] for zero and for what is not below the order of the curve. Whoever draws
    /// a scalar draws another one then.
    pub fn p256_from_scalar(scalar: &[u8; 32]) -> Result<Self, KeyError> {
        // An `ECPrivateKey` (RFC 5915 section 3) of version 1, without what the curve says already.
        let mut der = Zeroizing::new([0; 39]);
        let (head, rest) = der.split_at_mut(7);
        head.copy_from_slice(&[0x30, 37, 0x02, 1, 1, 0x04, 32]);
        rest.copy_from_slice(scalar);
        EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &*der)
            .map(|pair| Self(Inner::Ecdsa(KeyKind::P256, pair)))
            .map_err(|_| KeyError::Invalid)
    }

    /// The Ed25519 key of a seed (RFC 8032 section 5.1.5). The same seed gives the same key, on
    /// every machine.
    ///
    /// # Errors
    /// [`KeyError::Invalid`] when the library refuses the seed, for want of memory.
    pub fn ed25519_from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_seed_unchecked(seed)
            .map(|pair| Self(Inner::Ed25519(pair)))
            .map_err(|_| KeyError::Invalid)
    }

    /// A shared secret of at least 32 bytes.
    ///
    /// # Errors
    /// As [`VerifyingKey::hmac`].
    pub fn hmac(secret: SecretBytes) -> Result<Self, KeyError> {
        check_secret(&secret)?;
        Ok(Self(Inner::Hmac(secret)))
    }

    /// Reads a private key from PEM: a `PRIVATE KEY` block (PKCS#8, RFC 5958).
    ///
    /// # Errors
    /// [`KeyError`] when the text is something else, or a key that is too weak or not valid.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, KeyError> {
        match pem::decode(text) {
            Some(("PRIVATE KEY", der)) => Self::from_pkcs8_der(&SecretBytes::new(der)),
            _ => Err(KeyError::Unreadable),
        }
    }

    /// Reads a private key from the DER of PKCS#8.
    ///
    /// # Errors
    /// As [`from_pkcs8_pem`](Self::from_pkcs8_pem).
    pub fn from_pkcs8_der(der: &SecretBytes) -> Result<Self, KeyError> {
        let der = der.expose();
        for (kind, algorithm) in [
            (KeyKind::P256, &ECDSA_P256_SHA256_FIXED_SIGNING),
            (KeyKind::P384, &ECDSA_P384_SHA384_FIXED_SIGNING),
            (KeyKind::P521, &ECDSA_P521_SHA512_FIXED_SIGNING),
        ] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der) {
                return Ok(Self(Inner::Ecdsa(kind, pair)));
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            return Ok(Self(Inner::Ed25519(pair)));
        }
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Unreadable)?;
        Ok(Self(Inner::Rsa(Box::new(pair))))
    }

    /// The private key as DER of PKCS#8, to be sealed and stored; `None` for a shared secret, which
    /// the caller has already.
    pub fn to_pkcs8_der(&self) -> Option<SecretBytes> {
        let rsa: Pkcs8V1Der<'_>;
        let document;
        let der = match &self.0 {
            Inner::Rsa(pair) => {
                rsa = pair.as_der().ok()?;
                rsa.as_ref()
            }
            Inner::Ecdsa(_, pair) => {
                document = pair.to_pkcs8v1().ok()?;
                document.as_ref()
            }
            Inner::Ed25519(pair) => {
                document = pair.to_pkcs8v1().ok()?;
                document.as_ref()
            }
            Inner::Hmac(_) => return None,
        };
        Some(SecretBytes::new(der))
    }

    /// What the key is.
    pub fn kind(&self) -> KeyKind {
        match &self.0 {
            Inner::Rsa(_) => KeyKind::Rsa,
            Inner::Ecdsa(kind, _) => *kind,
            Inner::Ed25519(_) => KeyKind::Ed25519,
            Inner::Hmac(_) => KeyKind::Hmac,
        }
    }

    /// The algorithm that this key signs with if nobody asks for another: RS256, the one of its
    /// curve, or HS256.
    pub fn default_algorithm(&self) -> Algorithm {
        match self.kind() {
            KeyKind::Rsa => Algorithm::Rs256,
            KeyKind::P256 => Algorithm::Es256,
            KeyKind::P384 => Algorithm::Es384,
            KeyKind::P521 => Algorithm::Es512,
            KeyKind::Ed25519 => Algorithm::EdDsa,
            KeyKind::Hmac => Algorithm::Hs256,
        }
    }

    /// Signs a message. ECDSA signatures are of fixed length, as JOSE wants them
    /// (RFC 7518 section 3.4).
    ///
    /// # Errors
    /// [`SignError::WrongAlgorithm`] when the algorithm does not fit the key.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let wrong = SignError::WrongAlgorithm {
            kind: self.kind(),
            algorithm,
        };
        if !algorithm.fits(self.kind()) {
            return Err(wrong);
        }
        match &self.0 {
            Inner::Rsa(pair) => {
                let padding = rsa_padding(algorithm).ok_or(wrong)?;
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &system_random(), message, &mut signature)
                    .map_err(|_| SignError::Failed)?;
                Ok(signature)
            }
            Inner::Ecdsa(_, pair) => pair
                .sign(&system_random(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Failed),
            Inner::Ed25519(pair) => pair
                .try_sign(message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError::Failed),
            Inner::Hmac(secret) => {
                if secret.expose().len() < algorithm.digest_len() {
                    return Err(wrong);
                }
                let digest = hmac_algorithm(algorithm).ok_or(wrong)?;
                let key = aws_lc_rs::hmac::Key::new(digest, secret.expose());
                Ok(aws_lc_rs::hmac::sign(&key, message).as_ref().to_vec())
            }
        }
    }

    /// The key that checks this key's signatures.
    ///
    /// # Errors
    /// [`KeyError`] when the key is one that we sign with but would not trust: an RSA key outside
    /// 2048 to 8192 bits.
    pub fn verifying_key(&self) -> Result<VerifyingKey, KeyError> {
        match (&self.0, self.public_pem()) {
            (Inner::Hmac(secret), _) => VerifyingKey::hmac(secret.clone()),
            (_, Some(pem)) => VerifyingKey::from_pem(&pem),
            (_, None) => Err(KeyError::Invalid),
        }
    }

    /// The public key as PEM (`PUBLIC KEY`, RFC 7468 section 13); `None` for a shared secret, which
    /// has no public part.
    pub fn public_pem(&self) -> Option<String> {
        let der: PublicKeyX509Der<'_> = match &self.0 {
            Inner::Rsa(pair) => pair.public_key().as_der().ok()?,
            Inner::Ecdsa(_, pair) => pair.public_key().as_der().ok()?,
            Inner::Ed25519(pair) => pair.public_key().as_der().ok()?,
            Inner::Hmac(_) => return None,
        };
        Some(pem::encode("PUBLIC KEY", der.as_ref()))
    }

    /// The public key as a JWK (RFC 7517) with `use`, `alg` and the given `kid`; `None` for a
    /// shared secret. Without a `kid` it is the thumbprint (RFC 7638).
    pub fn public_jwk(&self, kid: Option<&str>) -> Option<Value> {
        let mut jwk = Map::new();
        let mut put = |name: &str, value: &str| jwk.insert(name.to_owned(), value.into());
        match &self.0 {
            Inner::Rsa(pair) => {
                let (modulus, exponent) = rsa_numbers(pair.public_key().as_ref())?;
                put("kty", "RSA");
                put("n", &base64url::encode(modulus));
                put("e", &base64url::encode(exponent));
            }
            Inner::Ecdsa(curve, pair) => {
                let (_, point) = pair.public_key().as_ref().split_first()?;
                let (x, y) = point.split_at_checked(point.len() / 2)?;
                put("kty", "EC");
                put("crv", curve.curve()?);
                put("x", &base64url::encode(x));
                put("y", &base64url::encode(y));
            }
            Inner::Ed25519(pair) => {
                put("kty", "OKP");
                put("crv", "Ed25519");
                put("x", &base64url::encode(pair.public_key()));
            }
            Inner::Hmac(_) => return None,
        }
        put("use", "sig");
        put("alg", self.default_algorithm().as_str());
        let kid = match kid {
            Some(kid) => kid.to_owned(),
            None => crate::jose::jwk::Jwk::from_map(&jwk).ok()?.thumbprint(),
        };
        jwk.insert("kid".to_owned(), kid.into());
        Some(Value::Object(jwk))
    }

    fn generate_ecdsa(
        kind: KeyKind,
        algorithm: &'static EcdsaSigningAlgorithm,
    ) -> Result<Self, SignError> {
        EcdsaKeyPair::generate(algorithm)
            .map(|pair| Self(Inner::Ecdsa(kind, pair)))
            .map_err(|_| SignError::Failed)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.kind()).finish()
    }
}

fn rsa_padding(algorithm: Algorithm) -> Option<&'static RsaSignatureEncoding> {
    match algorithm {
        Algorithm::Rs256 => Some(&RSA_PKCS1_SHA256),
        Algorithm::Rs384 => Some(&RSA_PKCS1_SHA384),
        Algorithm::Rs512 => Some(&RSA_PKCS1_SHA512),
        Algorithm::Ps256 => Some(&RSA_PSS_SHA256),
        Algorithm::Ps384 => Some(&RSA_PSS_SHA384),
        Algorithm::Ps512 => Some(&RSA_PSS_SHA512),
        _ => None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the library mixes its own randomness into ECDSA and PSS signatures, whatever is passed"
)]
fn system_random() -> SystemRandom {
    SystemRandom::new()
}

/// Modulus and exponent of an `RSAPublicKey` (RFC 8017 appendix A.1.1).
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = der_value(der, 0x30)?;
    let (modulus, rest) = der_value(sequence, 0x02)?;
    let (exponent, _) = der_value(rest, 0x02)?;
    let unsigned = |number: &'_ [u8]| number.iter().take_while(|byte| **byte == 0).count();
    Some((
        modulus.get(unsigned(modulus)..)?,
        exponent.get(unsigned(exponent)..)?,
    ))
}

/// The content of the DER element at the start, which must have this tag, and what follows it.
fn der_value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = der.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match *length {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            let length = bytes.iter().try_fold(0_usize, |n, byte| {
                Some(n.checked_mul(256)? | usize::from(*byte))
            })?;
            (length, rest)
        }
    };
    (*first == tag).then(|| rest.split_at_checked(length))?
}
