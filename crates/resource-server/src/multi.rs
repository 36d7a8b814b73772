//! Several verifiers for one server.
//!
//! # Rules
//!
//! * A JWT goes to the sources that name its `iss` among their
//!   [`issuers`](TokenVerifier::issuers), and to no other. Everything else, a JWT of an issuer that
//!   nobody names included, goes to the sources without issuers: those for opaque tokens.
//! * Among these the order is that of the settings, and the first to accept decides.
//! * Each but the last has 4 seconds; then the next one is asked.
//! * If none accepts and one could not tell, the answer is *unavailable* (503): the token may be
//!   its own. If all could tell, it is a rejection (401).
//! * Users and clients of two sources never mix: a [`Principal`](crate::Principal) has its issuer
//!   in it.
//! * Every source's [`required_scopes`](TokenVerifier::required_scopes) hold for every token.
//!
//! The `iss` that routes is not verified yet. It chooses who is asked; the verifier that is asked
//! checks it again.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::{BearerToken, Issuer, ScopeSet};
use tokio::time::timeout;

use crate::events::Journal;
use crate::{
    AccessToken, ConfigError, Rejection, SharedVerifier, TokenVerifier, Unavailable, VerifyContext,
    VerifyError,
};

/// How long a source may take before the next one is asked.
const SOURCE_WITHIN: Duration = Duration::from_secs(4);

/// Asks several verifiers.
///
/// ```
/// use portcullis_resource_server::{JwtVerifier, MultiAuth, StaticToken, StaticTokenVerifier};
///
/// # let secret = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
/// let people = JwtVerifier::builder("https://auth.example.com").build()?;
/// let machines = StaticTokenVerifier::builder()
///     .token(secret.into(), StaticToken::new("ci"))
///     .build()?;
/// let verifier = MultiAuth::builder()
///     .source("people", people)
///     .source("machines", machines)
///     .build()?;
/// # Ok::<(), portcullis_resource_server::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct MultiAuth {
    sources: Arc<[Source]>,
    required_scopes: ScopeSet,
    journal: Journal,
}

struct Source {
    name: String,
    issuers: Vec<Issuer>,
    verifier: SharedVerifier,
}

/// The settings of a [`MultiAuth`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MultiAuthBuilder {
    sources: Vec<(String, SharedVerifier)>,
    required_scopes: ScopeSet,
}

impl MultiAuth {
    /// No source yet.
    pub fn builder() -> MultiAuthBuilder {
        MultiAuthBuilder::default()
    }

    /// The sources that a token may belong to, in order.
    fn candidates<'a>(&'a self, token: &BearerToken) -> impl Iterator<Item = &'a Source> {
        let claimed = CompactJws::parse(token.expose())
            .ok()
            .and_then(|jws| jws.unverified_issuer());
        let names = |source: &Source, issuer: &str| {
            source.issuers.iter().any(|known| known.as_str() == issuer)
        };
        let owner = claimed.filter(|iss| self.sources.iter().any(|source| names(source, iss)));
        // SECURITY: an issuer's tokens are judged, and seen, by the sources that know it alone
        // (RFC 8725 section 3.8); a_jwt_is_seen_by_its_issuers_source_alone
        self.sources.iter().filter(move |source| match &owner {
            Some(issuer) => names(source, issuer),
            None => source.issuers.is_empty(),
        })
    }
}

impl TokenVerifier for MultiAuth {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        let mut unavailable = None;
        let mut rejection = None;
        let mut candidates = self.candidates(token).peekable();
        while let Some(source) = candidates.next() {
            let asked = source.verifier.verify(token, cx);
            let verdict = match candidates.peek() {
                // SECURITY: a source that hangs must not take the time of the others (CWE-400);
                // sec_key_04_a_source_that_hangs_leaves_time_for_the_next
                Some(_) => timeout(SOURCE_WITHIN, asked).await.unwrap_or_else(|_| {
                    Err(Unavailable::new("one of several sources took too long").into())
                }),
                None => asked.await,
            };
            match verdict {
                Ok(token) => return Ok(token),
                Err(VerifyError::Unavailable(fault)) => {
                    self.journal.source_unavailable(&source.name);
                    unavailable.get_or_insert(fault);
                }
                Err(VerifyError::Rejected(found)) => {
                    rejection = Some(more_telling(rejection, found));
                }
            }
        }
        // SECURITY: what one source refuses may be another's that is out of reach; 401 would make
        // the client throw a good token away (RFC 6750 section 3.1);
        // a_source_that_cannot_tell_is_no_refusal
        Err(match unavailable {
            Some(fault) => fault.into(),
            None => rejection.unwrap_or(Rejection::WrongIssuer).into(),
        })
    }

    fn cached(&self, token: &BearerToken, cx: &VerifyContext<'_>) -> Option<AccessToken> {
        // Only a source that verified the token remembers it, so routing would change nothing.
        self.sources
            .iter()
            .find_map(|source| source.verifier.cached(token, cx))
    }

    async fn warm(&self) -> Result<(), VerifyError> {
        let mut outcome = Ok(());
        for source in self.sources.iter() {
            let warmed = source.verifier.warm().await;
            outcome = outcome.and(warmed);
        }
        outcome
    }

    fn issuers(&self) -> Vec<Issuer> {
        let mut issuers: Vec<Issuer> = Vec::new();
        for issuer in self.sources.iter().flat_map(|source| &source.issuers) {
            if !issuers.contains(issuer) {
                issuers.push(issuer.clone());
            }
        }
        issuers
    }

    fn required_scopes(&self) -> ScopeSet {
        self.required_scopes.clone()
    }
}

impl MultiAuthBuilder {
    /// Adds a source. Its name is for logs, and unique.
    pub fn source(mut self, name: impl Into<String>, verifier: impl TokenVerifier) -> Self {
        self.sources
            .push((name.into(), SharedVerifier::new(verifier)));
        self
    }

    /// Scopes that every token must have, besides those that the sources require. Each call adds to
    /// them.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes.extend(scopes);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`ConfigError`] when there is no source, or a name is blank or taken.
    pub fn build(self) -> Result<MultiAuth, ConfigError> {
        if self.sources.is_empty() {
            return Err(ConfigError::new("sources", "there is no source"));
        }
        let mut names = BTreeSet::new();
        let mut required_scopes = self.required_scopes;
        let mut sources = Vec::with_capacity(self.sources.len());
        for (name, verifier) in self.sources {
            if name.is_empty() || name.trim() != name {
                let fault = format!("`{name}` is blank, or has blanks around it");
                return Err(ConfigError::new("sources", fault));
            }
            if !names.insert(name.clone()) {
                let fault = format!("`{name}` is the name of two sources");
                return Err(ConfigError::new("sources", fault));
            }
            required_scopes = required_scopes.union(&verifier.required_scopes());
            sources.push(Source {
                name,
                issuers: verifier.issuers(),
                verifier,
            });
        }
        Ok(MultiAuth {
            sources: sources.into(),
            required_scopes,
            journal: Journal::default(),
        })
    }
}

/// The rejection that says more: one of a source that knew the token at all.
fn more_telling(first: Option<Rejection>, second: Rejection) -> Rejection {
    match first {
        None | Some(Rejection::Unknown | Rejection::Malformed | Rejection::WrongIssuer) => second,
        Some(first) => first,
    }
}

impl fmt::Debug for MultiAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.sources.iter().map(|source| &source.name);
        f.debug_list().entries(names).finish()
    }
}
