//! The keys of one issuer, and what its tokens have to be.

use std::sync::Arc;

use portcullis_oauth::crypto::{Sha256, VerifyingKey};
use portcullis_oauth::jose::claims::{Claims, TimeFault};
use portcullis_oauth::jose::compact::{CompactJws, JoseFault};
use portcullis_oauth::jose::gate::{AccessTokenPolicy, CheckContext, GateFault};
use portcullis_oauth::jose::jwk::Jwk;
use portcullis_oauth::jose::jwks::{JwkSet, MAX_CANDIDATES};
use portcullis_oauth::{Issuer, ScopeSet};

use super::KeySetSource;
use crate::jwks_cache::JwksCache;
use crate::{AccessToken, Rejection, TokenParts};

/// One issuer whose tokens are accepted.
#[derive(Debug)]
pub(super) struct TrustedIssuer {
    pub(super) issuer: Issuer,
    /// The issuer's text, shared by all its tokens.
    pub(super) name: Arc<str>,
    pub(super) policy: AccessTokenPolicy,
    pub(super) keys: Keys,
}

/// Where its keys are.
#[derive(Debug)]
pub(super) enum Keys {
    /// In the configuration.
    Fixed(Vec<FixedKey>),
    /// At a URL.
    Remote(JwksCache),
    /// In this program.
    Shared(Arc<dyn KeySetSource>),
}

/// A key out of the configuration.
#[derive(Debug)]
pub(super) enum FixedKey {
    /// Without an id: it may answer for any.
    Plain(VerifyingKey),
    /// With the limits that its JWK sets.
    Jwk(Box<Jwk>),
}

/// What identifies a key between two fetches: a digest of its thumbprint.
pub(super) type KeyPrint = [u8; 32];

/// The key of a configured issuer never changes, so nothing has to be remembered of it.
const FIXED: KeyPrint = [0; 32];

/// A refusal, with the word that says exactly why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) rejection: Rejection,
    pub(super) detail: &'static str,
}

impl Fault {
    /// No key answers for the token's key id.
    pub(super) const UNKNOWN_KEY: Self = Self {
        rejection: Rejection::UnknownKey,
        detail: "unknown_key",
    };

    /// Whether other keys could lead to another verdict. A token that names no key may be signed
    /// by one that we do not know yet.
    pub(super) fn is_for_want_of_a_key(self, jws: &CompactJws<'_>) -> bool {
        self.rejection == Rejection::UnknownKey
            || (self.rejection == Rejection::BadSignature && jws.header().kid().is_none())
    }
}

impl TrustedIssuer {
    /// Judges a token with the configured keys.
    pub(super) fn judge_fixed(
        &self,
        keys: &[FixedKey],
        jws: &CompactJws<'_>,
        at: CheckContext<'_>,
    ) -> Result<(AccessToken, KeyPrint), Fault> {
        let header = jws.header();
        let candidates = keys.iter().filter_map(|key| match key {
            FixedKey::Plain(key) => key.supports(header.algorithm()).then_some(key),
            FixedKey::Jwk(jwk) => {
                let same_id = match (jwk.kid(), header.kid()) {
                    (Some(ours), Some(theirs)) => ours == theirs,
                    _ => true,
                };
                (same_id && jwk.allows(header.algorithm())).then(|| jwk.key())
            }
        });
        self.judge(candidates.map(|key| (key, None)), jws, at)
    }

    /// Judges a token with the keys of a set.
    pub(super) fn judge_with(
        &self,
        set: &JwkSet,
        jws: &CompactJws<'_>,
        at: CheckContext<'_>,
    ) -> Result<(AccessToken, KeyPrint), Fault> {
        let header = jws.header();
        let candidates = set.candidates(header.kid(), header.algorithm());
        let judged = self.judge(candidates.map(|jwk| (jwk.key(), Some(jwk))), jws, at);
        match judged {
            // The key is there, and it is not for this algorithm.
            Err(fault)
                if fault.rejection == Rejection::UnknownKey
                    && header.kid().is_some_and(|kid| set.contains_kid(kid)) =>
            {
                Err(GateFault::Token(JoseFault::WrongAlgorithm).into())
            }
            judged => judged,
        }
    }

    fn judge<'k>(
        &self,
        candidates: impl Iterator<Item = (&'k VerifyingKey, Option<&'k Jwk>)>,
        jws: &CompactJws<'_>,
        at: CheckContext<'_>,
    ) -> Result<(AccessToken, KeyPrint), Fault> {
        let mut fault = Fault::UNKNOWN_KEY;
        for (key, jwk) in candidates.take(MAX_CANDIDATES) {
            match self.policy.check(jws, key, jws.header().algorithm(), at) {
                Ok(claims) => {
                    let token = self.access_token(claims).ok_or(GateFault::NoSubject)?;
                    return Ok((token, jwk.map_or(FIXED, key_print)));
                }
                Err(wrong_key @ GateFault::Token(JoseFault::Signature)) => {
                    fault = wrong_key.into();
                }
                Err(other) => return Err(other.into()),
            }
        }
        Err(fault)
    }

    fn access_token(&self, claims: Claims) -> Option<AccessToken> {
        let scopes: ScopeSet = self.policy.scopes(&claims);
        let mut parts = TokenParts::new(Arc::clone(&self.name), claims.subject()?)
            .scopes(scopes)
            .audience(claims.audience())
            .expires_at(claims.expires_at())
            .leeway(self.policy.leeway());
        if let Some(client) = claims.client_id() {
            parts = parts.client_id(client);
        }
        Some(AccessToken::assert_verified(
            parts.claims(claims.into_map()),
        ))
    }
}

/// Whether a set still has the key.
pub(super) fn has_key(set: &JwkSet, print: &KeyPrint) -> bool {
    set.keys().iter().any(|jwk| key_print(jwk) == *print)
}

fn key_print(jwk: &Jwk) -> KeyPrint {
    // Use, too: a key that is withdrawn for an algorithm no longer answers for it.
    let mut digest = Sha256::new();
    digest.update(jwk.thumbprint().as_bytes());
    digest.update(jwk.algorithm().map_or("", |a| a.as_str()).as_bytes());
    digest.update(b"\0");
    digest.update(jwk.kid().unwrap_or_default().as_bytes());
    digest.finish()
}

impl From<JoseFault> for Fault {
    fn from(fault: JoseFault) -> Self {
        GateFault::Token(fault).into()
    }
}

impl From<GateFault> for Fault {
    fn from(fault: GateFault) -> Self {
        let rejection = match fault {
            GateFault::Token(JoseFault::Signature) => Rejection::BadSignature,
            GateFault::Token(JoseFault::WrongAlgorithm | JoseFault::UnknownAlgorithm)
            | GateFault::AlgorithmNotAllowed => Rejection::WrongAlgorithm,
            GateFault::Claims(_)
            | GateFault::NoSubject
            | GateFault::BadClientId
            | GateFault::BadTokenId => Rejection::BadClaims,
            GateFault::WrongTyp | GateFault::IdToken | GateFault::Unmarked => Rejection::WrongType,
            GateFault::WrongIssuer => Rejection::WrongIssuer,
            GateFault::Time(TimeFault::Expired) => Rejection::Expired,
            GateFault::Time(_) => Rejection::NotYetValid,
            GateFault::Lifetime => Rejection::Lifetime,
            GateFault::WrongAudience => Rejection::WrongAudience,
            GateFault::SenderConstrained => Rejection::SenderConstrained,
            // The form, and whatever the gate may learn to refuse.
            _ => Rejection::Malformed,
        };
        Self {
            rejection,
            detail: fault.reason(),
        }
    }
}
