//! One public key as JSON (RFC 7517, RFC 8037).
//!
//! A key is read together with what it may be used for: `use`, `key_ops` and `alg` are limits that
//! nothing widens later.

use serde_json::{Map, Value};

use super::Algorithm;
use crate::crypto::{KeyError, KeyKind, VerifyingKey, base64url, sha256};

/// A public key that checks signatures, and what its owner says of it.
#[derive(Debug, Clone)]
pub struct Jwk {
    kid: Option<String>,
    algorithm: Option<Algorithm>,
    key: VerifyingKey,
    thumbprint: [u8; 32],
}

/// Why a JWK is not used. Never carries a value of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JwkError {
    /// Not a JSON object.
    #[error("a key is a JSON object")]
    NotAnObject,
    /// `kty` is none of `RSA`, `EC` and `OKP`.
    #[error("the key type is not supported")]
    UnknownType,
    /// `crv` is none of P-256, P-384, P-521 and Ed25519.
    #[error("the curve is not supported")]
    UnknownCurve,
    /// A member is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A member has the wrong JSON type, or is not canonical base64url of the right length.
    #[error("`{0}` is malformed")]
    Malformed(&'static str),
    /// The key has private or secret members: somebody published what nobody should have.
    #[error("the key has private members")]
    Private,
    /// `use` is not `sig`.
    #[error("the key is not for signatures")]
    NotForSignatures,
    /// `key_ops` does not name `verify`.
    #[error("the key is not for verifying")]
    NotForVerifying,
    /// `alg` is unknown, or is none of this key's type.
    #[error("the key's algorithm is not supported by its type")]
    UnknownAlgorithm,
    /// The numbers make no key, or one that is too weak.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Jwk {
    /// Reads a public key. Unknown members are ignored (RFC 7517 section 4).
    ///
    /// # Errors
    /// [`JwkError`] when the key is not one that could check a signature.
    pub fn from_value(jwk: &Value) -> Result<Self, JwkError> {
        Self::from_map(jwk.as_object().ok_or(JwkError::NotAnObject)?)
    }

    /// Reads a public key from the members of its object.
    ///
    /// # Errors
    /// As [`from_value`](Self::from_value).
    pub fn from_map(jwk: &Map<String, Value>) -> Result<Self, JwkError> {
        // SECURITY: a private key that was published is everybody's (RFC 7517 section 9.2), and a
        // symmetric one never belongs in a set that is fetched;
        // sec_key_05_one_bad_key_spoils_nothing_but_itself
        const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
        if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
            return Err(JwkError::Private);
        }
        check_use(jwk)?;
        let (key, thumbprint) = match text(jwk, "kty")? {
            "RSA" => rsa(jwk)?,
            "EC" => ec(jwk)?,
            "OKP" => okp(jwk)?,
            _ => return Err(JwkError::UnknownType),
        };
        let algorithm = match optional_text(jwk, "alg")? {
            None => None,
            Some(name) => Some(
                Algorithm::parse(name)
                    .filter(|algorithm| algorithm.fits(key.kind()))
                    .ok_or(JwkError::UnknownAlgorithm)?,
            ),
        };
        Ok(Self {
            kid: optional_text(jwk, "kid")?.map(str::to_owned),
            algorithm,
            key,
            thumbprint,
        })
    }

    /// The key's id in its set.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The one algorithm that the key may be used with, if its owner names one.
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// The key itself.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether a token of this algorithm may be checked with the key.
    pub fn allows(&self, algorithm: Algorithm) -> bool {
        // SECURITY: a key with `alg` answers for that algorithm alone (RFC 8725 section 3.1);
        // sec_jwt_04_a_key_is_used_for_what_its_owner_says
        self.algorithm.is_none_or(|only| only == algorithm) && self.key.supports(algorithm)
    }

    /// The thumbprint with SHA-256, as base64url (RFC 7638).
    pub fn thumbprint(&self) -> String {
        base64url::encode(self.thumbprint)
    }
}

/// Whether `use` and `key_ops` leave room for checking signatures.
fn check_use(jwk: &Map<String, Value>) -> Result<(), JwkError> {
    // SECURITY: an encryption key never checks a signature (RFC 7517 section 4.2);
    // sec_jwt_04_a_key_is_used_for_what_its_owner_says
    if optional_text(jwk, "use")?.is_some_and(|usage| usage != "sig") {
        return Err(JwkError::NotForSignatures);
    }
    match jwk.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|op| op == "verify") => Ok(()),
        Some(Value::Array(_)) => Err(JwkError::NotForVerifying),
        Some(_) => Err(JwkError::Malformed("key_ops")),
    }
}

fn rsa(jwk: &Map<String, Value>) -> Result<(VerifyingKey, [u8; 32]), JwkError> {
    let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    // Some issuers write the zero octet that DER puts before a number; RFC 7518 section 6.3.1.1
    // knows of them.
    let (n, e) = (without_zeros(&n), without_zeros(&e));
    let key = VerifyingKey::rsa(n, e)?;
    let canonical = [
        r#"{"e":""#,
        &base64url::encode(e),
        r#"","kty":"RSA","n":""#,
        &base64url::encode(n),
        r#""}"#,
    ];
    Ok((key, sha256(canonical.concat().as_bytes())))
}

fn ec(jwk: &Map<String, Value>) -> Result<(VerifyingKey, [u8; 32]), JwkError> {
    let curve = text(jwk, "crv")?;
    let (kind, length) = match curve {
        "P-256" => (KeyKind::P256, 32),
        "P-384" => (KeyKind::P384, 48),
        "P-521" => (KeyKind::P521, 66),
        _ => return Err(JwkError::UnknownCurve),
    };
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    // The length is that of the curve, zeros included (RFC 7518 section 6.2.1.2).
    if x.len() != length {
        return Err(JwkError::Malformed("x"));
    }
    if y.len() != length {
        return Err(JwkError::Malformed("y"));
    }
    let key = VerifyingKey::ec(kind, &x, &y)?;
    let canonical = [
        r#"{"crv":""#,
        curve,
        r#"","kty":"EC","x":""#,
        &base64url::encode(x),
        r#"","y":""#,
        &base64url::encode(y),
        r#""}"#,
    ];
    Ok((key, sha256(canonical.concat().as_bytes())))
}

fn okp(jwk: &Map<String, Value>) -> Result<(VerifyingKey, [u8; 32]), JwkError> {
    if text(jwk, "crv")? != "Ed25519" {
        return Err(JwkError::UnknownCurve);
    }
    let x = bytes(jwk, "x")?;
    let key = VerifyingKey::ed25519(
        x.as_slice()
            .try_into()
            .map_err(|_| JwkError::Malformed("x"))?,
    )?;
    let canonical = [
        r#"{"crv":"Ed25519","kty":"OKP","x":""#,
        &base64url::encode(&x),
        r#""}"#,
    ];
    Ok((key, sha256(canonical.concat().as_bytes())))
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkError> {
    optional_text(jwk, name)?.ok_or(JwkError::Missing(name))
}

fn optional_text<'a>(
    jwk: &'a Map<String, Value>,
    name: &'static str,
) -> Result<Option<&'a str>, JwkError> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(value)) => Ok(Some(value)),
        Some(_) => Err(JwkError::Malformed(name)),
    }
}

fn bytes(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkError> {
    base64url::decode_strict(text(jwk, name)?).map_err(|_| JwkError::Malformed(name))
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
