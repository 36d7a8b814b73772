//! Tokens that their issuer has to be asked about (RFC 7662).
//!
//! # Rules
//!
//! * Every question is authenticated, and the token is in its body alone.
//! * Only `active: true`, the boolean, accepts. What the answer says besides is checked: `iss`,
//!   `exp`, `nbf`, `token_type`, `token_use`, `cnf`, `client_id`.
//! * The answer must name the resource in `aud`, byte for byte. Many servers name nobody; then
//!   [`audience`](IntrospectionVerifierBuilder::audience) is what they do name, or
//!   [`accept_any_audience`](DangerousIntrospectionVerifierBuilder::accept_any_audience) gives up.
//! * Every request asks again, so a revoked token ends at once; only requests that come while the
//!   same token is being asked about share that answer. At most 256 requests wait for answers, and
//!   whoever comes then is told at once to try again (503).
//! * [`cache`](IntrospectionVerifierBuilder::cache) trades that for speed: an answer counts for at
//!   most 60 seconds and never beyond `exp`, a refusal for at most 10.
//!
//! # Failure
//!
//! An endpoint that is down, answers with another status than 200 or with something that is no JSON
//! makes the token [`Unavailable`] (503). That is never remembered.
//!
//! # Sources
//!
//! RFC 7662; RFC 6749 section 2.3.1 for the credentials; RFC 9449 and RFC 8705 for bound tokens.

mod builder;
mod flights;
mod judge;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::{ClientAuthentication, Fetched, Fetcher};
use portcullis_oauth::introspect::IntrospectionRequest;
use portcullis_oauth::jose::compact::MAX_TOKEN;
use portcullis_oauth::revoke::TokenTypeHint;
use portcullis_oauth::{BearerToken, EndpointUrl, Monotonic, ResourceUrl, ScopeSet, SharedClock};
use quick_cache::sync::Cache;

pub use self::builder::{DangerousIntrospectionVerifierBuilder, IntrospectionVerifierBuilder};
use self::flights::{Flights, Verdict};
use self::judge::Expectations;
use crate::events::{Detail, Journal};
use crate::token_cache::{CacheKey, VerifiedCache};
use crate::{AccessToken, Rejection, TokenVerifier, Unavailable, VerifyContext, VerifyError};

/// The longest time for which a refusal is remembered.
const MAX_NEGATIVE: Duration = Duration::from_secs(10);

/// Verifies tokens by asking the server that issued them.
///
/// ```
/// use portcullis_resource_server::IntrospectionVerifier;
///
/// let verifier = IntrospectionVerifier::builder("https://auth.example.com/oauth/introspect")
///     .issuer("https://auth.example.com")
///     .client("mcp-server", "a-long-secret".into())
///     .build()?;
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct IntrospectionVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: EndpointUrl,
    authentication: ClientAuthentication,
    fetcher: Fetcher,
    expectations: Expectations,
    required_scopes: ScopeSet,
    clock: SharedClock,
    memory: Option<Memory>,
    flights: Arc<Flights>,
    journal: Journal,
}

/// What is remembered, where that is switched on.
struct Memory {
    ttl: Duration,
    accepted: VerifiedCache<()>,
    refused: Cache<CacheKey, Refusal>,
}

#[derive(Clone, Copy)]
struct Refusal {
    rejection: Rejection,
    until: Monotonic,
}

impl IntrospectionVerifier {
    /// Asks the introspection endpoint at `url`: `https`, or `http` on loopback.
    pub fn builder(url: impl Into<String>) -> IntrospectionVerifierBuilder {
        IntrospectionVerifierBuilder::new(url.into())
    }

    async fn check(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
        key: CacheKey,
    ) -> Result<AccessToken, VerifyError> {
        // SECURITY: what cannot be a token is not sent on (RFC 6750 section 2.1);
        // sec_key_11_what_is_no_token_is_not_sent
        if token.expose().len() > MAX_TOKEN || !token.is_well_formed() {
            return Err(Rejection::Malformed.into());
        }
        if let Some(rejection) = self.refused(&key) {
            return Err(rejection.into());
        }
        let ask = || {
            let (asker, token) = (self.clone(), token.clone());
            let (resource, key) = (cx.resource().clone(), key.clone());
            async move { asker.ask_and_judge(&token, &resource, key).await }
        };
        self.inner.flights.join(key.clone(), ask).await
    }

    async fn ask_and_judge(
        &self,
        token: &BearerToken,
        resource: &ResourceUrl,
        key: CacheKey,
    ) -> Verdict {
        let answer = self.ask(token).await?;
        let now = self.inner.clock.now();
        let verdict = self.inner.expectations.judge(&answer.body, resource, now);
        match &verdict {
            Ok(token) => self.remember(key, token),
            Err(VerifyError::Rejected(rejection)) => self.remember_refusal(key, *rejection),
            Err(VerifyError::Unavailable(_)) => {}
        }
        verdict
    }

    async fn ask(&self, token: &BearerToken) -> Result<Fetched, Unavailable> {
        let request =
            IntrospectionRequest::new(token.expose().into(), Some(TokenTypeHint::AccessToken));
        let form = request.to_form().finish();
        let inner = &self.inner;
        inner
            .fetcher
            .post_form(&inner.endpoint, form, Some(&inner.authentication))
            .await
            .and_then(Fetched::require_ok)
            .map_err(|error| {
                Unavailable::new("the introspection endpoint gives no answer").caused_by(error)
            })
    }

    fn refused(&self, key: &CacheKey) -> Option<Rejection> {
        let memory = self.inner.memory.as_ref()?;
        let refusal = memory.refused.get(key)?;
        (self.inner.clock.monotonic() < refusal.until).then_some(refusal.rejection)
    }

    fn remember(&self, key: CacheKey, token: &AccessToken) {
        if let Some(memory) = &self.inner.memory {
            let clock = &*self.inner.clock;
            memory
                .accepted
                .insert(key, token, (), (Some(memory.ttl), clock));
        }
    }

    fn remember_refusal(&self, key: CacheKey, rejection: Rejection) {
        if let Some(memory) = &self.inner.memory {
            // SECURITY: a token can become valid, and a flood of them must not fill the memory:
            // short, and in a cache of its own (CWE-400); sec_key_11_refusals_are_bounded
            let ttl = memory.ttl.min(MAX_NEGATIVE);
            let until = self.inner.clock.monotonic().saturating_add(ttl);
            memory.refused.insert(key, Refusal { rejection, until });
        }
    }
}

impl TokenVerifier for IntrospectionVerifier {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        const NAME: &str = "introspection";
        if let Some(known) = self.cached(token, cx) {
            return Ok(known);
        }
        let key = CacheKey::of(token, cx.resource());
        let verdict = self.check(token, cx, key).await;
        match &verdict {
            Ok(_) => {}
            Err(VerifyError::Rejected(rejection)) => {
                let expected = (*rejection == Rejection::WrongAudience)
                    .then(|| self.inner.expectations.audience(cx.resource()));
                let detail = Detail {
                    expected: expected.as_deref(),
                    ..Detail::default()
                };
                let journal = &self.inner.journal;
                journal.token_rejected(NAME, *rejection, detail);
            }
            Err(VerifyError::Unavailable(fault)) => {
                self.inner.journal.verifier_unavailable(NAME, fault);
            }
        }
        verdict
    }

    fn cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken> {
        let memory = self.inner.memory.as_ref()?;
        let key = CacheKey::of(token, cx.resource());
        let (token, ()) = memory.accepted.get(&key, &*self.inner.clock)?;
        Some(token)
    }

    fn required_scopes(&self) -> ScopeSet {
        self.inner.required_scopes.clone()
    }
}

impl fmt::Debug for IntrospectionVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionVerifier")
            .field("endpoint", &self.inner.endpoint)
            .finish_non_exhaustive()
    }
}
