//! Client assertions: `private_key_jwt` (RFC 7523 sections 2.2 and 3).
//!
//! # Rules
//!
//! | part | has to be |
//! |---|---|
//! | `typ` | absent, `JWT`, or `client-authentication+jwt` |
//! | `alg` | asymmetric, and the one that the client registered, if it did |
//! | key | among the client's own |
//! | `iss`, `sub` | the client id, both |
//! | `aud` | our issuer as one text; our token endpoint only for clients whose profile says so |
//! | `exp` | not reached, and at most 5 minutes ahead |
//! | `iat`, `nbf` | not ahead; `iat` not older than 5 minutes |
//! | `jti` | there, and never seen before |
//!
//! Clocks may differ by 30 seconds. `jti` is burned last, in the store that all replicas share, so that
//! nothing but a valid assertion takes room there.

use std::borrow::Cow;
use std::time::Duration;

use portcullis_oauth::jose::claims::{ClaimFault, Claims, TimeFault};
use portcullis_oauth::jose::compact::{CompactJws, JoseFault};
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::json::Value;
use portcullis_oauth::{ClientId, Timestamp, TokenId};
use portcullis_store::{Collection, Record};
use serde::{Deserialize, Serialize};

use super::Client;

/// The longest life of an assertion.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// How far two clocks may be apart.
const LEEWAY: Duration = Duration::from_secs(30);

/// Why an assertion proves nothing. Never carries a piece of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum AssertionFault {
    #[error(transparent)]
    Form(#[from] JoseFault),
    #[error(transparent)]
    Claims(#[from] ClaimFault),
    #[error("the assertion is another kind of token")]
    Typ,
    #[error("the assertion's algorithm is not the client's")]
    Algorithm,
    #[error("the assertion's key is not among the client's")]
    UnknownKey,
    #[error("the assertion is not the client's own")]
    WrongParty,
    #[error("the assertion is for another audience")]
    Audience,
    #[error("the assertion is expired")]
    Expired,
    #[error("the assertion lives too long")]
    Lifetime,
    #[error("the assertion is not valid yet")]
    NotYet,
    #[error("the assertion has no id of its own")]
    NoId,
}

impl AssertionFault {
    /// A stable word for logs.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Form(fault) => fault.reason(),
            Self::Claims(fault) => fault.reason(),
            Self::Typ => "assertion_typ",
            Self::Algorithm => "assertion_algorithm",
            Self::UnknownKey => "assertion_key",
            Self::WrongParty => "assertion_party",
            Self::Audience => "assertion_audience",
            Self::Expired => "assertion_expired",
            Self::Lifetime => "assertion_lifetime",
            Self::NotYet => "assertion_not_yet",
            Self::NoId => "assertion_id",
        }
    }

    /// Whether a key that we do not know yet might lead to another verdict.
    pub(super) fn is_for_want_of_a_key(self, jws: &CompactJws<'_>) -> bool {
        self == Self::UnknownKey
            || (self == Self::Form(JoseFault::Signature) && jws.header().kid().is_none())
    }
}

/// Whose assertion it has to be, and for whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    pub(super) client: &'a Client,
    /// What `aud` may be.
    pub(super) audiences: &'a [&'a str],
    pub(super) now: Timestamp,
}

impl Expected<'_> {
    /// Judges what can be judged without a key, so that nothing is fetched for what is refused anyway.
    pub(super) fn glance(&self, jws: &CompactJws<'_>) -> Result<(), AssertionFault> {
        let header = jws.header();
        // SECURITY: a token for another use is no assertion (RFC 8725 section 3.11);
        // sec_ca_10_another_kind_of_token_is_no_assertion
        let typed = header.is_typ("JWT") || header.is_typ("client-authentication+jwt");
        if header.typ().is_some() && !typed {
            return Err(AssertionFault::Typ);
        }
        let algorithm = header.algorithm();
        // SECURITY: with a symmetric algorithm the client's public key would be the secret (RFC 8725
        // section 2.1); sec_ca_11_c3_symmetric_algorithms_are_refused
        if algorithm.is_symmetric()
            || self
                .client
                .assertion_algorithm
                .is_some_and(|registered| registered != algorithm)
        {
            return Err(AssertionFault::Algorithm);
        }
        // SECURITY: garbage makes no request to a client's key server (CWE-406);
        // sec_ca_12_garbage_fetches_no_keys
        if jws.unverified_issuer().as_deref() != Some(self.client.id.as_str()) {
            return Err(AssertionFault::WrongParty);
        }
        Ok(())
    }

    /// Judges an assertion with the keys of a set. What is left is to burn its id.
    pub(super) fn judge(
        &self,
        jws: &CompactJws<'_>,
        keys: &JwkSet,
    ) -> Result<UsedAssertion, AssertionFault> {
        self.glance(jws)?;
        let header = jws.header();
        let mut fault = AssertionFault::UnknownKey;
        for key in keys.candidates(header.kid(), header.algorithm()) {
            match jws.verify(key.key(), header.algorithm()) {
                Ok(payload) => return self.judge_claims(&Claims::parse(payload)?),
                Err(wrong) => fault = wrong.into(),
            }
        }
        Err(fault)
    }

    fn judge_claims(&self, claims: &Claims) -> Result<UsedAssertion, AssertionFault> {
        let id = Some(self.client.id.as_str());
        // SECURITY: a client speaks for itself alone (RFC 7523 section 3);
        // sec_ca_09_issuer_and_subject_are_the_client
        if claims.issuer() != id || claims.subject() != id {
            return Err(AssertionFault::WrongParty);
        }
        // SECURITY: an assertion that was made for another server, or for several, is worth nothing
        // here (RFC 7523 section 3, CVE-2025-27370); sec_ca_09_the_audience_is_one_text
        let audience = claims.get("aud").and_then(Value::as_str);
        if !audience.is_some_and(|audience| self.audiences.contains(&audience)) {
            return Err(AssertionFault::Audience);
        }
        self.check_times(claims)?;
        let id = claims.jwt_id().ok_or(AssertionFault::NoId)?;
        let id = TokenId::parse(id).map_err(|_| AssertionFault::NoId)?;
        Ok(UsedAssertion {
            client: self.client.id.clone(),
            id,
            ends_at: claims.expires_at().saturating_add(LEEWAY).as_secs(),
        })
    }

    fn check_times(&self, claims: &Claims) -> Result<(), AssertionFault> {
        claims
            .check_times(self.now, LEEWAY)
            .map_err(|fault| match fault {
                TimeFault::Expired => AssertionFault::Expired,
                _ => AssertionFault::NotYet,
            })?;
        // SECURITY: one that lives long is a password, and its id would have to be remembered as long
        // (RFC 7523 section 3); sec_ca_10_an_assertion_lives_five_minutes
        let oldest = self.now.saturating_sub(LONGEST + LEEWAY);
        if claims.expires_at() > self.now.saturating_add(LONGEST + LEEWAY)
            || claims.issued_at().is_some_and(|issued| issued < oldest)
        {
            return Err(AssertionFault::Lifetime);
        }
        Ok(())
    }
}

/// An assertion that was accepted: no other with its id is, until it would be expired anyway.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UsedAssertion {
    client: ClientId,
    id: TokenId,
    ends_at: i64,
}

impl Record for UsedAssertion {
    const COLLECTION: Collection = Collection::new("client_assertions");

    fn key(&self) -> Cow<'_, [u8]> {
        let client = self.client.as_str().as_bytes();
        let length = client.len().to_be_bytes();
        Cow::Owned([&length, client, self.id.as_str().as_bytes()].concat())
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(Timestamp::from_secs(self.ends_at))
    }
}
