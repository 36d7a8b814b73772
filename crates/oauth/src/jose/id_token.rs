//! The gate for ID tokens: what says who signed in.
//!
//! # Rules
//!
//! [`IdTokenPolicy::check`] asks what a client has to (OpenID Connect Core section 3.1.3.7), in this
//! order:
//!
//! 1. Is the algorithm one with a public key, and the signature the key's?
//! 2. Is `typ` absent or `JWT`, and the token no logout token (`events`)?
//! 3. Is `iss` the issuer, byte for byte?
//! 4. Does `aud` name this client, and `azp` nobody else? A token for several has to have `azp`.
//! 5. Is now before `exp`, and neither `iat` nor `nbf` ahead?
//! 6. Is `nonce` the one that was sent?
//! 7. Is `at_hash`, if there is one, that of the access token that came along?
//! 8. Is `sub` a name?
//!
//! A token that came over TLS from the token endpoint itself may do without step 1 where no key is
//! known (number 6 there): [`IdTokenPolicy::check_received_directly`].
//!
//! # Failure
//!
//! [`IdTokenFault`], with a stable [`reason`](IdTokenFault::reason) for logs.
//!
//! # Example
//!
//! ```
//! # #[cfg(feature = "sign")] {
//! use std::time::Duration;
//! use portcullis_oauth::Timestamp;
//! use portcullis_oauth::crypto::sign::SigningKey;
//! use portcullis_oauth::jose::{Algorithm, compact::CompactJws, id_token::*, sign::JwtBuilder};
//!
//! let now = Timestamp::from_secs(1_700_000_000);
//! let key = SigningKey::generate_es256().unwrap();
//! let token = JwtBuilder::new().claim("iss", "https://idp.example").subject("alice")
//!     .audience("our-client").claim("nonce", "n-0S6_WzA2Mj").valid(now, Duration::from_secs(300))
//!     .sign(&key).unwrap();
//!
//! let policy = IdTokenPolicy::new([IssuerRule::parse("https://idp.example")], "our-client");
//! let at = IdTokenContext::new(now).nonce("n-0S6_WzA2Mj");
//! let jws = CompactJws::parse(&token).unwrap();
//! let claims = policy.check(&jws, &key.verifying_key().unwrap(), Algorithm::Es256, &at).unwrap();
//! assert_eq!(claims.subject(), Some("alice"));
//! # }
//! ```

#[cfg(test)]
#[cfg(feature = "sign")]
mod tests;

use std::time::Duration;

use serde_json::Value;

use super::Algorithm;
use super::claims::{ClaimFault, Claims, TimeFault};
use super::compact::{CompactJws, JoseFault, Verified};
use crate::crypto::{VerifyingKey, base64url, ct_eq, sha256, sha384, sha512};
use crate::id::Subject;
use crate::time::Timestamp;

/// How far the clocks of issuer and client may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// What ID tokens for one client have to be.
#[derive(Debug, Clone)]
pub struct IdTokenPolicy {
    issuers: Vec<IssuerRule>,
    client_id: String,
}

/// Who may have issued a token.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuerRule {
    /// This one, byte for byte.
    Exact(String),
    /// One for each tenant: the claim `tid`, a GUID, stands between these.
    PerTenant {
        /// What comes before it.
        before: String,
        /// What follows it.
        after: String,
    },
}

/// With what a token came.
#[derive(Debug, Clone, Copy)]
pub struct IdTokenContext<'a> {
    now: Timestamp,
    nonce: Option<&'a str>,
    access_token: Option<&'a str>,
}

/// Why a token says nothing. Never carries a piece of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum IdTokenFault {
    /// Its form or its signature.
    #[error(transparent)]
    Token(#[from] JoseFault),
    /// Its claims are malformed.
    #[error(transparent)]
    Claims(#[from] ClaimFault),
    /// Its algorithm has no public key.
    #[error("the ID token's algorithm is not allowed")]
    AlgorithmNotAllowed,
    /// It is another kind of token.
    #[error("the token is no ID token")]
    WrongTyp,
    /// `iss` is not the issuer.
    #[error("the ID token is from another issuer")]
    WrongIssuer,
    /// `aud` does not name this client.
    #[error("the ID token is for another client")]
    WrongAudience,
    /// `azp` names another client, or nobody where there are several audiences.
    #[error("the ID token was issued to another client")]
    WrongParty,
    /// It does not count now.
    #[error(transparent)]
    Time(#[from] TimeFault),
    /// `iat` is missing.
    #[error("the ID token does not say when it was issued")]
    Undated,
    /// `nonce` is not the one that was sent.
    #[error("the ID token belongs to another login")]
    WrongNonce,
    /// `at_hash` is not that of the access token.
    #[error("the ID token belongs to another access token")]
    WrongAccessToken,
    /// `sub` is missing, empty, longer than 255 bytes or has control characters.
    #[error("the ID token has no usable subject")]
    NoSubject,
}

impl IdTokenFault {
    /// A stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Token(fault) => fault.reason(),
            Self::Claims(fault) => fault.reason(),
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::WrongTyp => "wrong_typ",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::WrongParty => "wrong_azp",
            Self::Time(fault) => fault.reason(),
            Self::Undated => "undated",
            Self::WrongNonce => "wrong_nonce",
            Self::WrongAccessToken => "wrong_at_hash",
            Self::NoSubject => "no_subject",
        }
    }
}

impl IssuerRule {
    /// A URL; where `{tenantid}` stands in it, one for each tenant.
    pub fn parse(text: &str) -> Self {
        match text.split_once("{tenantid}") {
            Some((before, after)) => Self::PerTenant {
                before: before.to_owned(),
                after: after.to_owned(),
            },
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Whether an issuer of that name, of whatever tenant, is meant.
    pub fn admits(&self, issuer: &str) -> bool {
        match self {
            Self::Exact(known) => known == issuer,
            Self::PerTenant { before, after } => issuer
                .strip_prefix(before.as_str())
                .and_then(|rest| rest.strip_suffix(after.as_str()))
                .is_some_and(Self::is_tenant_id),
        }
    }

    /// Whether a text can stand in the place of a tenant: a GUID, 8-4-4-4-12 hexadecimal digits in lower
    /// case.
    pub fn is_tenant_id(text: &str) -> bool {
        text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
            })
    }

    fn admits_claims(&self, claims: &Claims) -> bool {
        let Some(issuer) = claims.issuer() else {
            return false;
        };
        let Self::PerTenant { before, after } = self else {
            return self.admits(issuer);
        };
        // SECURITY: a tenant speaks for its own users alone, so `iss` and `tid` have to be one (OpenID
        // Connect Core section 3.1.3.7); sec_px_09_issuer_and_tenant_are_one
        let tenant = claims.get("tid").and_then(Value::as_str);
        tenant.is_some_and(|tenant| {
            Self::is_tenant_id(tenant) && issuer == format!("{before}{tenant}{after}")
        })
    }
}

impl<'a> IdTokenContext<'a> {
    /// Judged at this time, with nothing to compare it with.
    pub const fn new(now: Timestamp) -> Self {
        Self {
            now,
            nonce: None,
            access_token: None,
        }
    }

    /// This `nonce` was sent. Without one none is asked for, as after a refresh (OpenID Connect Core
    /// section 12.2).
    #[must_use]
    pub const fn nonce(self, nonce: &'a str) -> Self {
        Self {
            nonce: Some(nonce),
            ..self
        }
    }

    /// This access token came along.
    #[must_use]
    pub const fn access_token(self, token: &'a str) -> Self {
        Self {
            access_token: Some(token),
            ..self
        }
    }
}

impl IdTokenPolicy {
    /// A policy for tokens of these issuers to this client. Without an issuer every `iss` will do: right
    /// only for a token that [came from the token endpoint itself](Self::check_received_directly).
    pub fn new(
        issuers: impl IntoIterator<Item = IssuerRule>,
        client_id: impl Into<String>,
    ) -> Self {
        Self {
            issuers: issuers.into_iter().collect(),
            client_id: client_id.into(),
        }
    }

    /// Judges a token that `key` may have signed. `algorithm` is what the key is to be used with.
    ///
    /// # Errors
    /// The first of the [module](self)'s rules that the token breaks.
    pub fn check(
        &self,
        jws: &CompactJws<'_>,
        key: &VerifyingKey,
        algorithm: Algorithm,
        context: &IdTokenContext<'_>,
    ) -> Result<Claims, IdTokenFault> {
        // SECURITY: with a symmetric algorithm the public key would be the secret (RFC 8725 section
        // 2.1); sec_jwt_02_an_id_token_is_signed_with_a_public_key
        if algorithm.is_symmetric() {
            return Err(IdTokenFault::AlgorithmNotAllowed);
        }
        // SECURITY: keys vouch for named issuers alone (RFC 8725 section 3.8);
        // sec_jwt_32_keys_without_an_issuer_vouch_for_nobody
        if self.issuers.is_empty() {
            return Err(IdTokenFault::WrongIssuer);
        }
        self.judge(jws, jws.verify(key, algorithm)?, context)
    }

    /// Judges a token that came over TLS from the issuer's own token endpoint, in answer to a request of
    /// ours: the connection stands for the signature (OpenID Connect Core section 3.1.3.7, number 6).
    ///
    /// # Errors
    /// As [`check`](Self::check), but for the signature.
    pub fn check_received_directly(
        &self,
        jws: &CompactJws<'_>,
        context: &IdTokenContext<'_>,
    ) -> Result<Claims, IdTokenFault> {
        self.judge(jws, jws.received_directly(), context)
    }

    fn judge(
        &self,
        jws: &CompactJws<'_>,
        payload: Verified<'_>,
        context: &IdTokenContext<'_>,
    ) -> Result<Claims, IdTokenFault> {
        let claims = Claims::parse(payload)?;
        let header = jws.header();
        // SECURITY: another kind of token says nothing of who signed in (RFC 8725 section 3.11);
        // sec_jwt_10_another_kind_of_token_is_no_id_token
        if !(header.typ().is_none() || header.is_typ("JWT")) || claims.get("events").is_some() {
            return Err(IdTokenFault::WrongTyp);
        }
        // SECURITY: keys vouch for their own issuer alone (OpenID Connect Core section 3.1.3.7, number
        // 2); sec_px_02_an_id_token_of_another_issuer_is_refused
        let is_known = self.issuers.iter().any(|rule| rule.admits_claims(&claims));
        if !self.issuers.is_empty() && !is_known {
            return Err(IdTokenFault::WrongIssuer);
        }
        self.check_audience(&claims)?;
        check_times(&claims, context.now)?;
        check_login(&claims, header.algorithm(), context)?;
        let subject = claims.subject().map(Subject::parse);
        subject
            .and_then(Result::ok)
            .ok_or(IdTokenFault::NoSubject)?;
        Ok(claims)
    }

    fn check_audience(&self, claims: &Claims) -> Result<(), IdTokenFault> {
        let audience = claims.audience();
        // SECURITY: a token for another client of the provider would log its users in here (OpenID
        // Connect Core section 3.1.3.7, number 3); sec_jwt_13_an_id_token_for_another_client_is_refused
        if !audience.contains(&self.client_id) {
            return Err(IdTokenFault::WrongAudience);
        }
        let party = claims.get("azp").and_then(Value::as_str);
        // SECURITY: as above, where another client had it issued (numbers 4 and 5 there);
        // sec_jwt_13_the_authorized_party_is_this_client
        let is_ours = match party {
            Some(party) => party == self.client_id,
            None => audience.len() == 1,
        };
        if is_ours {
            Ok(())
        } else {
            Err(IdTokenFault::WrongParty)
        }
    }
}

fn check_times(claims: &Claims, now: Timestamp) -> Result<(), IdTokenFault> {
    claims.check_times(now, LEEWAY)?;
    // SECURITY: without `iat` nothing says that it is of this login (OpenID Connect Core section 2);
    // sec_jwt_19_an_id_token_from_the_future_is_refused
    if claims.issued_at().is_none() {
        return Err(IdTokenFault::Undated);
    }
    Ok(())
}

/// Whether it belongs to this login and to these tokens.
fn check_login(
    claims: &Claims,
    algorithm: Algorithm,
    context: &IdTokenContext<'_>,
) -> Result<(), IdTokenFault> {
    let nonce = claims.get("nonce").and_then(Value::as_str);
    // SECURITY: a code that was injected brings the token of another login (number 11 there, RFC 9700
    // section 4.5.3); sec_px_01_an_id_token_of_another_login_is_refused
    if context.nonce.is_some_and(|sent| nonce != Some(sent)) {
        return Err(IdTokenFault::WrongNonce);
    }
    let (Some(hash), Some(token)) = (claims.get("at_hash"), context.access_token) else {
        return Ok(());
    };
    let expected = access_token_hash(algorithm, token);
    // SECURITY: an access token that was put in the place of the user's own is another's (OpenID Connect
    // Core section 3.1.3.8); sec_px_01_an_access_token_of_another_login_is_refused
    if hash
        .as_str()
        .is_some_and(|hash| ct_eq(hash.as_bytes(), expected.as_bytes()))
    {
        Ok(())
    } else {
        Err(IdTokenFault::WrongAccessToken)
    }
}

/// The left half of the digest, as base64url (OpenID Connect Core section 3.1.3.6).
fn access_token_hash(algorithm: Algorithm, token: &str) -> String {
    let token = token.as_bytes();
    let digest = match algorithm.digest_len() {
        32 => sha256(token).to_vec(),
        48 => sha384(token).to_vec(),
        _ => sha512(token).to_vec(),
    };
    base64url::encode(digest.split_at(digest.len() / 2).0)
}
