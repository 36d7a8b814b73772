//! JWT access tokens (RFC 9068), checked with the keys of their issuer.
//!
//! # Rules
//!
//! * A token's `iss` picks the issuer, and only that issuer's keys and rules are tried. It is
//!   compared again once the signature is checked.
//! * Without [`audience`](JwtVerifierBuilder::audience) a token must be for the resource in front of
//!   which it is presented, byte for byte. There is no silent "any".
//! * Algorithms come from the configuration. By default there is one for each kind of key: RS256,
//!   ES256, ES384, ES512 and `EdDSA`.
//! * Keys are fetched and kept as [`JwtVerifierBuilder`] says. An issuer out of reach makes a token
//!   *unavailable* (503), never invalid (401). At most 256 requests wait for the keys of one issuer;
//!   whoever comes then is told at once to try again.
//! * `iss`, `exp`, `sub` and `aud` are required, other claims are checked where they are there;
//!   [the gate](portcullis_oauth::jose::gate) says why.
//! * A token that was verified is remembered until its `exp`, and no longer than its key stays in
//!   the issuer's set.
//!
//! # Failure
//!
//! [`Rejection`] says what is wrong with a token; the event `token_rejected` (target
//! `portcullis::security`, level `DEBUG`) has the exact fault in `detail`.
//!
//! # Sources
//!
//! RFC 9068, RFC 8725, RFC 8414 section 3, RFC 7517; the gate itself is
//! [`portcullis_oauth::jose::gate`].

mod builder;
mod key_set;
mod keys;

use std::fmt;
use std::sync::Arc;

use futures_util::future::join_all;
use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::jose::gate::{CheckContext, GateFault};
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::{BearerToken, Issuer, ScopeSet, SharedClock};

pub use self::builder::{DangerousJwtVerifierBuilder, JwtVerifierBuilder};
pub use self::key_set::{KeySetSnapshot, KeySetSource};
use self::keys::{Fault, KeyPrint, Keys, TrustedIssuer, has_key};
use crate::events::{Detail, Journal};
use crate::jwks_cache::JwksCache;
use crate::token_cache::{CacheKey, VerifiedCache};
use crate::{AccessToken, Rejection, TokenVerifier, Unavailable, VerifyContext, VerifyError};

/// Verifies JWT access tokens of one or more issuers.
///
/// ```
/// use portcullis_oauth::scopes;
/// use portcullis_resource_server::JwtVerifier;
///
/// // Keys by discovery; tokens must be for the resource that they are presented at.
/// let verifier = JwtVerifier::builder("https://auth.example.com").build()?;
///
/// let verifier = JwtVerifier::builder("https://auth.example.com")
///     .jwks_uri("https://auth.example.com/keys")
///     .audience("https://api.example.com")
///     .required_scopes(scopes!["notes:read"])
///     .build()?;
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct JwtVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    issuers: Vec<TrustedIssuer>,
    required_scopes: ScopeSet,
    clock: SharedClock,
    cache: VerifiedCache<Stamp>,
    journal: Journal,
}

/// On what a remembered verdict rests.
#[derive(Clone, Copy)]
struct Stamp {
    /// The issuer's place among the trusted ones.
    issuer: usize,
    /// The generation of the key set that had the key.
    generation: u64,
    key: KeyPrint,
}

impl JwtVerifier {
    /// Accepts the tokens of `issuer`, whose keys are found by discovery (RFC 8414, OpenID Connect
    /// Discovery) unless the builder is told where they are.
    pub fn builder(issuer: impl Into<String>) -> JwtVerifierBuilder {
        JwtVerifierBuilder::new([issuer.into()])
    }

    /// Accepts the tokens of several issuers, each by its own keys.
    ///
    /// ```
    /// use portcullis_resource_server::JwtVerifier;
    ///
    /// let verifier = JwtVerifier::for_issuers([
    ///     "https://eu.auth.example.com",
    ///     "https://us.auth.example.com",
    /// ])
    /// .build()?;
    /// # Ok::<(), portcullis_resource_server::ConfigError>(())
    /// ```
    pub fn for_issuers<I: Into<String>>(
        issuers: impl IntoIterator<Item = I>,
    ) -> JwtVerifierBuilder {
        JwtVerifierBuilder::new(issuers.into_iter().map(Into::into))
    }

    /// The trusted issuer that a token claims. It proves nothing yet.
    fn route(&self, jws: &CompactJws<'_>) -> Option<(usize, &TrustedIssuer)> {
        let claimed = jws.unverified_issuer()?;
        self.inner
            .issuers
            .iter()
            .enumerate()
            // SECURITY: the issuer comes first, then its keys; a key id that two issuers share
            // leads nowhere else (RFC 8725 section 3.8);
            // sec_jwt_31_a_shared_key_id_stays_with_its_issuer
            .find(|(_, trusted)| trusted.issuer.as_str() == claimed)
    }

    async fn check(
        &self,
        jws: &CompactJws<'_>,
        cx: &VerifyContext<'_>,
        key: CacheKey,
    ) -> Result<AccessToken, Verdict> {
        let (place, issuer) = self.route(jws).ok_or(GateFault::WrongIssuer)?;
        // SECURITY: nobody makes us fetch keys by a token that no key could save (CWE-400);
        // sec_key_02_garbage_makes_no_request
        if !issuer.policy.allows(jws.header().algorithm()) {
            return Err(GateFault::AlgorithmNotAllowed.into());
        }
        let found = match &issuer.keys {
            Keys::Fixed(keys) => {
                let (token, key) = issuer.judge_fixed(keys, jws, self.at(cx))?;
                Found::Now(token, 0, key)
            }
            Keys::Remote(remote) => self.by_remote(issuer, remote, (jws, cx, &key)).await?,
            Keys::Shared(source) => self.by_shared(issuer, &**source, (jws, cx, &key)).await?,
        };
        let (token, generation, print) = match found {
            Found::Before(token) => return Ok(token),
            Found::Now(token, generation, print) => (token, generation, print),
        };
        let stamp = Stamp {
            issuer: place,
            generation,
            key: print,
        };
        let clock = &*self.inner.clock;
        self.inner.cache.insert(key, &token, stamp, (None, clock));
        Ok(token)
    }

    /// Judges by keys at a URL, and by newer ones where these do not suffice.
    async fn by_remote(
        &self,
        issuer: &TrustedIssuer,
        remote: &JwksCache,
        (jws, cx, key): Question<'_>,
    ) -> Result<Found, Verdict> {
        let current = remote.current().await?;
        let set = (current.keys.keys(), current.keys.generation());
        let fault = match self.judge(issuer, set, (jws, cx, key)) {
            Ok(found) => return Ok(found),
            Err(fault) => fault,
        };
        if !fault.is_for_want_of_a_key(jws) || current.fetched_now {
            return Err(fault.into());
        }
        let newer = remote.newer_than(&current.keys).await?.ok_or(fault)?;
        let set = (newer.keys(), newer.generation());
        Ok(self.judge(issuer, set, (jws, cx, key))?)
    }

    /// The same by keys of this program.
    async fn by_shared(
        &self,
        issuer: &TrustedIssuer,
        source: &dyn KeySetSource,
        (jws, cx, key): Question<'_>,
    ) -> Result<Found, Verdict> {
        let current = source.current().await?;
        let set = (current.keys(), current.generation());
        let fault = match self.judge(issuer, set, (jws, cx, key)) {
            Ok(found) => return Ok(found),
            Err(fault) => fault,
        };
        if !fault.is_for_want_of_a_key(jws) {
            return Err(fault.into());
        }
        let newer = source
            .newer_than(current.generation())
            .await?
            .ok_or(fault)?;
        let set = (newer.keys(), newer.generation());
        Ok(self.judge(issuer, set, (jws, cx, key))?)
    }

    /// Judges by one set of keys, unless it was done before.
    fn judge(
        &self,
        issuer: &TrustedIssuer,
        (keys, generation): (&JwkSet, u64),
        (jws, cx, key): Question<'_>,
    ) -> Result<Found, Fault> {
        if let Some(known) = self.revive(key, keys, generation) {
            return Ok(Found::Before(known));
        }
        let (token, print) = issuer.judge_with(keys, jws, self.at(cx))?;
        Ok(Found::Now(token, generation, print))
    }

    /// Logs why there is no token.
    fn report(
        &self,
        verdict: Verdict,
        jws: Option<&CompactJws<'_>>,
        cx: &VerifyContext<'_>,
    ) -> VerifyError {
        const NAME: &str = "jwt";
        let journal = &self.inner.journal;
        match verdict {
            Verdict::Fault(fault) => {
                let issuer = jws
                    .filter(|_| fault.rejection == Rejection::WrongAudience)
                    .and_then(|jws| self.route(jws));
                let expected =
                    issuer.map(|(_, issuer)| issuer.policy.expected_audience(cx.resource()));
                let detail = Detail {
                    fault: Some(fault.detail),
                    kid: jws.and_then(|jws| jws.header().kid()),
                    expected: expected.as_deref(),
                };
                journal.token_rejected(NAME, fault.rejection, detail);
                fault.rejection.into()
            }
            Verdict::Unavailable(fault) => {
                journal.verifier_unavailable(NAME, &fault);
                fault.into()
            }
        }
    }

    /// A remembered token whose key is still in the newer set.
    fn revive(&self, key: &CacheKey, keys: &JwkSet, generation: u64) -> Option<AccessToken> {
        let clock = &*self.inner.clock;
        let (token, stamp) = self.inner.cache.get(key, clock)?;
        // SECURITY: with its key goes the token (RFC 7517 section 5);
        // sec_key_03_a_withdrawn_key_ends_its_tokens
        if stamp.generation != generation && !has_key(keys, &stamp.key) {
            return None;
        }
        let stamp = Stamp {
            generation,
            ..stamp
        };
        self.inner
            .cache
            .insert(key.clone(), &token, stamp, (None, clock));
        Some(token)
    }

    fn at<'a>(&self, cx: &'a VerifyContext<'_>) -> CheckContext<'a> {
        CheckContext::new(self.inner.clock.now()).resource(cx.resource())
    }
}

/// What is judged, for what, and what it is remembered under.
type Question<'a> = (&'a CompactJws<'a>, &'a VerifyContext<'a>, &'a CacheKey);

/// A token that is valid.
enum Found {
    /// It was known before.
    Before(AccessToken),
    /// By the key of this print, in a set of this generation.
    Now(AccessToken, u64, KeyPrint),
}

/// Why there is no token: a fault of the token, with its exact word, or no answer.
enum Verdict {
    Fault(Fault),
    Unavailable(Unavailable),
}

impl From<Fault> for Verdict {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<GateFault> for Verdict {
    fn from(fault: GateFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<Unavailable> for Verdict {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

impl TokenVerifier for JwtVerifier {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        if let Some(known) = self.cached(token, cx) {
            return Ok(known);
        }
        let key = CacheKey::of(token, cx.resource());
        let (verdict, jws) = match CompactJws::parse(token.expose()) {
            Ok(jws) => (self.check(&jws, cx, key).await, Some(jws)),
            Err(fault) => (Err(Fault::from(fault).into()), None),
        };
        verdict.map_err(|verdict| self.report(verdict, jws.as_ref(), cx))
    }

    fn cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken> {
        let key = CacheKey::of(token, cx.resource());
        let (token, stamp) = self.inner.cache.get(&key, &*self.inner.clock)?;
        match &self.inner.issuers.get(stamp.issuer)?.keys {
            Keys::Fixed(_) => Some(token),
            // SECURITY: as in `revive`; when keys are due or others than then, `verify` decides;
            // sec_key_03_a_withdrawn_key_ends_its_tokens
            Keys::Remote(remote) => (remote.settled()? == stamp.generation).then_some(token),
            Keys::Shared(source) => (source.settled()? == stamp.generation).then_some(token),
        }
    }

    async fn warm(&self) -> Result<(), VerifyError> {
        let fetches = self
            .inner
            .issuers
            .iter()
            .map(async |issuer| match &issuer.keys {
                Keys::Fixed(_) => Ok(()),
                Keys::Remote(remote) => remote.current().await.map(drop),
                Keys::Shared(source) => source.current().await.map(drop),
            });
        for fetched in join_all(fetches).await {
            fetched?;
        }
        Ok(())
    }

    fn issuers(&self) -> Vec<Issuer> {
        let issuers = self.inner.issuers.iter();
        issuers.map(|trusted| trusted.issuer.clone()).collect()
    }

    fn required_scopes(&self) -> ScopeSet {
        self.inner.required_scopes.clone()
    }
}

impl fmt::Debug for JwtVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtVerifier")
            .field("issuers", &self.issuers())
            .field("required_scopes", &self.inner.required_scopes)
            .finish_non_exhaustive()
    }
}
