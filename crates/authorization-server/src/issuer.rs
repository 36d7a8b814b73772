//! Making access tokens (RFC 9068).

use std::num::NonZeroU32;
use std::time::Duration;

use portcullis_oauth::crypto::sign::{SignError, SigningKey};
use portcullis_oauth::crypto::{base64, pbkdf2_hmac_sha256};
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{
    BearerToken, ClientId, Issuer, ResourceUrl, ScopeSet, SecretString, Timestamp,
};
use portcullis_resource_server::ConfigError;
use zeroize::Zeroizing;

use crate::keyring::fault_of;
use crate::reserved::is_reserved;

/// Makes access tokens. Its keys are in a [`Keyring`](crate::Keyring).
///
/// What is public here is the derivation of a key as FastMCP does it, for whoever comes from there
/// with a secret.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct JwtIssuer;

impl JwtIssuer {
    /// The key that FastMCP's `JWTIssuer.deriveKey` makes of a secret: PBKDF2 with HMAC-SHA-256 under
    /// a salt that all installations share, 32 bytes, as base64. FastMCP's own count of iterations is
    /// 100 000. Each call takes as long as that count says.
    ///
    /// A key is as hard to guess as the secret was: what is made of fewer than 32 bytes, or of a
    /// text out of a manual, is refused where it would sign.
    ///
    /// ```
    /// use portcullis_authorization_server::JwtIssuer;
    ///
    /// let key = JwtIssuer::derive_key("secret", 100_000)?;
    /// assert_eq!(key.expose(), "Xza6lqurLLoMIoHXo/Us4T1jXehT1yhK5ccLvtNGL0c=");
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] for an empty secret, and for no iterations.
    pub fn derive_key(
        secret: impl Into<SecretString>,
        iterations: u32,
    ) -> Result<DerivedKey, ConfigError> {
        let secret = secret.into();
        let fault = |what: &'static str| ConfigError::new("jwt_signing_key", what);
        let iterations = NonZeroU32::new(iterations).ok_or_else(|| fault("has no iterations"))?;
        if secret.is_empty() {
            return Err(fault("is empty"));
        }
        let mut key = Zeroizing::new([0; 32]);
        pbkdf2_hmac_sha256(secret.expose().as_bytes(), SALT, iterations, &mut *key)
            .map_err(|_| fault("cannot be derived"))?;
        Ok(DerivedKey {
            text: SecretString::new(base64::encode(*key)),
            fault: fault_of(secret.expose()),
        })
    }
}

/// What FastMCP derives with.
const SALT: &[u8] = b"fastmcp-oauth-proxy";

/// A key that was derived of a secret. It remembers whether the secret was one.
#[derive(Clone, Debug)]
pub struct DerivedKey {
    text: SecretString,
    fault: Option<&'static str>,
}

impl DerivedKey {
    /// The key: 44 characters of base64.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Why nothing is signed with it, if nothing is: a short or well-known secret.
    pub fn weakness(&self) -> Option<&'static str> {
        self.fault
    }

    pub(crate) fn into_parts(self) -> (SecretString, Option<&'static str>) {
        (self.text, self.fault)
    }
}

/// What an access token says.
#[derive(Clone, Debug)]
pub(crate) struct AccessTokenClaims<'a> {
    /// `iss`
    pub(crate) issuer: &'a Issuer,
    /// `sub`: the user, or the client where it acts for itself.
    pub(crate) subject: &'a str,
    /// `client_id`
    pub(crate) client_id: &'a ClientId,
    /// `aud`: the resource.
    pub(crate) audience: &'a ResourceUrl,
    /// `scope`, left out where it is empty.
    pub(crate) scope: &'a ScopeSet,
    /// `jti`
    pub(crate) token_id: &'a str,
    /// `auth_time`
    pub(crate) authenticated_at: Option<Timestamp>,
    /// `iat`
    pub(crate) issued_at: Timestamp,
    /// `exp`
    pub(crate) expires_at: Timestamp,
    /// What else is said of the user. None of it replaces what is [ours](is_reserved).
    pub(crate) extra: &'a Map<String, Value>,
}

/// Why claims make no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsigned {
    /// It would be longer than headers may be.
    #[error("the access token would be longer than 8 KiB: its user has too many claims")]
    TooLong,
    /// It would be good for longer than the key ring keeps its key.
    #[error("the access token would live longer than is configured")]
    TooLongLived,
    /// The signature failed.
    #[error("the signature could not be made")]
    Failed(#[from] SignError),
}

/// The longest token, in bytes: servers of others refuse longer headers.
const MAX_BYTES: usize = 8 * 1024;

impl AccessTokenClaims<'_> {
    /// The token, signed by the key of this id, which is kept for tokens of at most this life.
    pub(crate) fn sign(
        &self,
        kid: &str,
        key: &SigningKey,
        longest: Duration,
    ) -> Result<BearerToken, Unsigned> {
        // SECURITY: a token that outlives its key would fail, or keep the key alive;
        // sec_key_15_no_token_outlives_its_key
        if self.expires_at.duration_since(self.issued_at) > longest {
            return Err(Unsigned::TooLongLived);
        }
        // SECURITY: ours are written last, and what is judged is never the user's (RFC 9068 section
        // 2.2); a_claim_of_the_user_replaces_none_of_ours
        let extra = self.extra.iter();
        let extra = extra.filter(|(name, _)| !is_reserved(name));
        let token = extra.fold(
            JwtBuilder::access_token(self.issuer.as_str()).kid(kid),
            |token, (name, value)| token.claim(name, value.clone()),
        );
        let mut token = token
            .subject(self.subject)
            .audience(self.audience.as_str())
            .claim("client_id", self.client_id.as_str())
            .claim("jti", self.token_id)
            .claim("iat", self.issued_at.as_secs())
            .claim("exp", self.expires_at.as_secs());
        if !self.scope.is_empty() {
            token = token.claim("scope", self.scope.to_string());
        }
        if let Some(at) = self.authenticated_at {
            token = token.claim("auth_time", at.as_secs());
        }
        let token = token.sign(key)?;
        if token.len() > MAX_BYTES {
            return Err(Unsigned::TooLong);
        }
        Ok(BearerToken::new(token))
    }
}
