//! The settings of an `IntrospectionVerifier`.

use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::system::SystemClock;
use portcullis_fetch::{ClientAuthentication, Fetcher};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, EndpointUrl, Issuer, ScopeSet, SecretString, SharedClock};
use quick_cache::sync::Cache;

use super::flights::Flights;
use super::judge::{AudienceRule, Expectations, IssuerRule};
use super::{Inner, IntrospectionVerifier, Memory};
use crate::events::Journal;
use crate::token_cache::VerifiedCache;
use crate::{ConfigError, events};

/// The longest time for which an answer counts.
const MAX_TTL: Duration = Duration::from_secs(60);

/// The settings of an [`IntrospectionVerifier`](super::IntrospectionVerifier).
///
/// | setting | default |
/// |---|---|
/// | credentials | none: [`client`](Self::client), [`client_post`](Self::client_post) or [`bearer`](Self::bearer) is needed |
/// | [`issuer`](Self::issuer) | any on the endpoint's origin |
/// | [`audience`](Self::audience) | the resource in front of which a token is presented |
/// | [`clients`](Self::clients) | all |
/// | [`cache`](Self::cache) | off |
/// | [`cache_capacity`](Self::cache_capacity) | 10 000 tokens |
/// | [`leeway`](Self::leeway) | 30 seconds |
#[derive(Debug, Clone)]
#[must_use]
pub struct IntrospectionVerifierBuilder {
    endpoint: String,
    credentials: Option<Credentials>,
    issuer: Option<String>,
    audience: AudienceDraft,
    clients: Vec<String>,
    required_scopes: ScopeSet,
    ttl: Option<Duration>,
    cache_capacity: usize,
    leeway: Duration,
    clock: Option<SharedClock>,
    fetcher: Option<Fetcher>,
}

#[derive(Debug, Clone)]
enum Credentials {
    Basic(String, SecretString),
    Post(String, SecretString),
    Bearer(SecretString),
}

#[derive(Debug, Clone)]
enum AudienceDraft {
    Listed(Vec<String>),
    Any,
}

impl IntrospectionVerifierBuilder {
    pub(super) fn new(endpoint: String) -> Self {
        Self {
            endpoint,
            credentials: None,
            issuer: None,
            audience: AudienceDraft::Listed(Vec::new()),
            clients: Vec::new(),
            required_scopes: ScopeSet::new(),
            ttl: None,
            cache_capacity: 10_000,
            leeway: Duration::from_secs(30),
            clock: None,
            fetcher: None,
        }
    }

    /// Asks as this client, by `client_secret_basic` (RFC 6749 section 2.3.1).
    pub fn client(mut self, id: impl Into<String>, secret: SecretString) -> Self {
        self.credentials = Some(Credentials::Basic(id.into(), secret));
        self
    }

    /// Asks as this client, by `client_secret_post`: the credentials are in the body.
    pub fn client_post(mut self, id: impl Into<String>, secret: SecretString) -> Self {
        self.credentials = Some(Credentials::Post(id.into(), secret));
        self
    }

    /// Asks with a token of our own (RFC 7662 section 2.1).
    pub fn bearer(mut self, token: SecretString) -> Self {
        self.credentials = Some(Credentials::Bearer(token));
        self
    }

    /// Who issues the tokens. An answer that names another is refused; one that names nobody counts
    /// in this name. Unless set, an answer may name any issuer on the endpoint's origin.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Accepts tokens for this audience instead of the resource, byte for byte. Each call adds one.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        match &mut self.audience {
            AudienceDraft::Listed(listed) => listed.push(audience.into()),
            AudienceDraft::Any => self.audience = AudienceDraft::Listed(vec![audience.into()]),
        }
        self
    }

    /// Accepts only tokens that were issued to one of these clients.
    pub fn clients<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.clients = ids.into_iter().map(Into::into).collect();
        self
    }

    /// Scopes that every token must have; one without them is answered with 403. Each call adds to
    /// them.
    pub fn required_scopes(mut self, scopes: ScopeSet) -> Self {
        self.required_scopes.extend(scopes);
        self
    }

    /// Remembers answers for `ttl`, at most 60 seconds and never beyond a token's `exp`. For so long
    /// a revoked token still works.
    pub fn cache(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// How many tokens are remembered, and as many refusals.
    pub fn cache_capacity(mut self, tokens: usize) -> Self {
        self.cache_capacity = tokens;
        self
    }

    /// How far the issuer's clock may be from ours: 0 to 300 seconds.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// The clock; the operating system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// The way out; one that may reach a private network unless set.
    pub fn fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// Settings that open a hole.
    pub fn dangerous(self) -> DangerousIntrospectionVerifierBuilder {
        DangerousIntrospectionVerifierBuilder(self)
    }

    /// Checks the settings. Nobody is asked yet.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting that is wrong, and how to mend it.
    pub fn build(self) -> Result<IntrospectionVerifier, ConfigError> {
        let endpoint = EndpointUrl::parse(&self.endpoint)
            .map_err(|error| ConfigError::new("introspection_url", error.to_string()))?;
        // SECURITY: whoever may ask without credentials can try tokens out (RFC 7662 section 2.1);
        // sec_key_10_a_question_needs_credentials
        let credentials = self.credentials.as_ref().ok_or_else(|| {
            ConfigError::new("client", "there are no credentials for the endpoint")
                .with_hint("register this server at the issuer and pass `.client(id, secret)`")
        })?;
        let authentication = credentials.resolve()?;
        if self.leeway > Duration::from_secs(300) {
            return Err(ConfigError::new("leeway", "more than 300 seconds"));
        }
        let expectations = self.expectations(&endpoint)?;
        let memory = self.memory()?;
        let fetcher = match self.fetcher {
            Some(fetcher) => fetcher,
            None => Fetcher::trusted()
                .allow_loopback(endpoint.is_loopback())
                .build()
                .map_err(|error| ConfigError::new("fetcher", error.to_string()))?,
        };
        if matches!(self.audience, AudienceDraft::Any) {
            events::dangerous(
                "introspection",
                "accept_any_audience",
                "tokens for any audience are accepted: a token for any other service works here",
            );
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        Ok(IntrospectionVerifier {
            inner: Arc::new(Inner {
                endpoint,
                authentication,
                fetcher,
                expectations,
                required_scopes: self.required_scopes,
                flights: Arc::new(Flights::new()),
                journal: Journal::new(Arc::clone(&clock)),
                clock,
                memory,
            }),
        })
    }

    fn expectations(&self, endpoint: &EndpointUrl) -> Result<Expectations, ConfigError> {
        let issuer = match &self.issuer {
            None => IssuerRule::OnOrigin(endpoint.origin()),
            Some(issuer) => IssuerRule::Named(
                Issuer::parse(issuer)
                    .map_err(|error| ConfigError::new("issuer", error.to_string()))?,
            ),
        };
        let audience = match &self.audience {
            AudienceDraft::Any => AudienceRule::Any,
            AudienceDraft::Listed(listed) if listed.is_empty() => AudienceRule::Resource,
            AudienceDraft::Listed(listed) => AudienceRule::Listed(listed.clone()),
        };
        if let AudienceRule::Listed(listed) = &audience
            && listed.iter().any(String::is_empty)
        {
            return Err(ConfigError::new("audience", "an audience cannot be empty"));
        }
        Ok(Expectations {
            issuer,
            audience,
            clients: self.clients.clone(),
            leeway: self.leeway,
        })
    }

    fn memory(&self) -> Result<Option<Memory>, ConfigError> {
        let Some(ttl) = self.ttl else { return Ok(None) };
        // SECURITY: for so long a revoked token works (RFC 7662 section 4);
        // sec_key_11_an_answer_counts_for_a_minute_at_most
        if ttl > MAX_TTL {
            return Err(ConfigError::new("cache", "more than 60 seconds")
                .with_hint("for so long a revoked token would still work"));
        }
        let capacity = self.cache_capacity;
        Ok((!ttl.is_zero() && capacity > 0).then(|| Memory {
            ttl,
            accepted: VerifiedCache::new(capacity),
            refused: Cache::new(capacity),
        }))
    }
}

/// Settings of an [`IntrospectionVerifierBuilder`] that open a hole. Each is logged at every start.
#[derive(Debug, Clone)]
#[must_use]
pub struct DangerousIntrospectionVerifierBuilder(IntrospectionVerifierBuilder);

impl DangerousIntrospectionVerifierBuilder {
    /// Accepts tokens that were issued for anybody, or for nobody in particular.
    ///
    /// A token that the issuer made for any other service works here too, so whoever runs such a
    /// service can act as its users. All users of the issuer are exposed. It is right only where
    /// the issuer serves this one server, or where
    /// [`clients`](IntrospectionVerifierBuilder::clients) names whose tokens are meant for it.
    pub fn accept_any_audience(mut self) -> IntrospectionVerifierBuilder {
        self.0.audience = AudienceDraft::Any;
        self.0
    }
}

impl Credentials {
    fn resolve(&self) -> Result<ClientAuthentication, ConfigError> {
        let (id, secret) = match self {
            Self::Bearer(token) => {
                return if token.is_empty() {
                    Err(ConfigError::new("bearer", "the token is empty"))
                } else {
                    Ok(ClientAuthentication::Bearer(token.clone()))
                };
            }
            Self::Basic(id, secret) | Self::Post(id, secret) => (id, secret),
        };
        let id =
            ClientId::parse(id).map_err(|error| ConfigError::new("client", error.to_string()))?;
        if secret.is_empty() {
            return Err(ConfigError::new("client", "the secret is empty"));
        }
        let secret = ClientSecret::from(secret.clone());
        Ok(match self {
            Self::Post(..) => ClientAuthentication::Post { id, secret },
            _ => ClientAuthentication::Basic { id, secret },
        })
    }
}
