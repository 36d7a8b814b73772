//! Making tokens, behind the feature `sign`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Algorithm;
use crate::crypto::base64url;
use crate::crypto::sign::{SignError, SigningKey};
use crate::json;
use crate::time::Timestamp;

/// A token in the making.
///
/// ```
/// use std::time::Duration;
/// use portcullis_oauth::{Timestamp, crypto::sign::SigningKey, jose::sign::JwtBuilder};
///
/// let key = SigningKey::generate_ed25519()?;
/// let token = JwtBuilder::access_token("https://auth.example.com")
///     .subject("alice")
///     .audience("https://mcp.example.com/mcp")
///     .valid(Timestamp::from_secs(1_700_000_000), Duration::from_secs(3600))
///     .claim("scope", "notes:read")
///     .sign(&key)?;
/// assert_eq!(token.split('.').count(), 3);
/// # Ok::<(), portcullis_oauth::crypto::sign::SignError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct JwtBuilder {
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl JwtBuilder {
    /// A token without any claim; `typ` is `JWT`.
    pub fn new() -> Self {
        Self {
            header: Map::new(),
            claims: Map::new(),
        }
        .typ("JWT")
    }

    /// An access token (RFC 9068): `typ` is `at+jwt`.
    pub fn access_token(issuer: &str) -> Self {
        Self::new().typ("at+jwt").claim("iss", issuer)
    }

    /// `typ` in the header.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// `kid` in the header.
    pub fn kid(self, kid: &str) -> Self {
        self.header("kid", kid)
    }

    /// `sub`.
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// `aud`, as one text.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// `iat` and `exp`.
    pub fn valid(self, from: Timestamp, lifetime: Duration) -> Self {
        self.claim("iat", from.as_secs())
            .claim("exp", from.saturating_add(lifetime).as_secs())
    }

    /// A claim of any name; the last one of a name stays.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// A header member of any name; the last one of a name stays.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Signs with the key's own algorithm, which becomes `alg`.
    ///
    /// # Errors
    /// [`SignError`] when the library fails.
    pub fn sign(self, key: &SigningKey) -> Result<String, SignError> {
        let algorithm = key.default_algorithm();
        let header = self.header("alg", algorithm.as_str());
        sign_compact(
            &Value::Object(header.header),
            &Value::Object(header.claims),
            key,
            algorithm,
        )
    }
}

impl Default for JwtBuilder {
    fn default() -> Self {
        Self::new()
    }
}

/// Signs a header and claims as they are; nothing is added, `alg` neither. A test can so make a
/// token that no builder would.
///
/// # Errors
/// [`SignError`] when the algorithm does not fit the key.
pub fn sign_compact(
    header: &Value,
    claims: &Value,
    key: &SigningKey,
    algorithm: Algorithm,
) -> Result<String, SignError> {
    let header = json::to_vec(header).map_err(|_| SignError::Failed)?;
    let claims = json::to_vec(claims).map_err(|_| SignError::Failed)?;
    sign_bytes(&header, &claims, key, algorithm)
}

/// Signs the bytes of a header and a payload, which need not be JSON.
///
/// # Errors
/// [`SignError`] when the algorithm does not fit the key.
pub fn sign_bytes(
    header: &[u8],
    payload: &[u8],
    key: &SigningKey,
    algorithm: Algorithm,
) -> Result<String, SignError> {
    let mut token = base64url::encode(header);
    token.push('.');
    token.push_str(&base64url::encode(payload));
    let signature = key.sign(algorithm, token.as_bytes())?;
    token.push('.');
    token.push_str(&base64url::encode(signature));
    Ok(token)
}
