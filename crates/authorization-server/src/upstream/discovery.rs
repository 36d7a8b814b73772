//! The endpoints of an OpenID provider, found in its metadata (OpenID Connect Discovery section 4, RFC
//! 8414).
//!
//! # Rules
//!
//! * The document names the issuer byte for byte, or nothing in it counts.
//! * It is good for as long as its server says, between a minute and an hour; 10 minutes where it does
//!   not say. While its server is out of reach the last one serves for up to a day.
//! * One request at a time; after a failure the next one is 5 seconds later.
//! * A failure is [`UpstreamError::Unavailable`], which the next login tries again: it stops no server
//!   from starting.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use portcullis_fetch::{Accept, FetchError, Fetched, cache_control};
use portcullis_oauth::jose::id_token::IssuerRule;
use portcullis_oauth::metadata::AuthorizationServerMetadata;
use portcullis_oauth::metadata::server::{Endpoint as Member, well_known_urls};
use portcullis_oauth::{EndpointUrl, Issuer, Monotonic, SharedClock};
use portcullis_resource_server::{RemoteKeys, Unavailable};

use super::UpstreamError;
use super::site::{Endpoint, Site, Ways};

const SHORTEST: Duration = Duration::from_secs(60);
const USUAL: Duration = Duration::from_secs(10 * 60);
const LONGEST: Duration = Duration::from_secs(60 * 60);
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
const COOL_DOWN: Duration = Duration::from_secs(5);

/// Whose metadata, and what was said of it beforehand.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) issuer: Issuer,
    /// Where the document is, if the operator says.
    pub(super) document: Option<EndpointUrl>,
    /// What the document may call its issuer.
    pub(super) expected: Vec<String>,
    /// What ID tokens may call theirs beside that.
    pub(super) spellings: Vec<String>,
    /// Whether authorization responses carry `iss`, whatever the document says.
    pub(super) sends_issuer: bool,
    pub(super) userinfo: Option<Endpoint>,
    pub(super) revocation: Option<Endpoint>,
    pub(super) jwks: Option<Endpoint>,
    pub(super) assertion_for_token_endpoint: bool,
    pub(super) ways: Ways,
    pub(super) clock: SharedClock,
}

/// What is known of a provider, and the way to know it again.
#[derive(Debug)]
pub(super) struct Discovery {
    target: Target,
    state: Mutex<State>,
    /// Held while a document is fetched.
    flight: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    found: Option<Found>,
    failure: Option<(Monotonic, UpstreamError)>,
}

#[derive(Clone, Debug)]
struct Found {
    site: Arc<Site>,
    /// Where its keys are, so that those that are known stay.
    keys_at: EndpointUrl,
    at: Monotonic,
    good_for: Duration,
}

impl Discovery {
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            state: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        }
    }

    /// The provider's endpoints.
    pub(super) async fn site(&self) -> Result<Arc<Site>, UpstreamError> {
        if let Some(known) = self.known() {
            return known;
        }
        let _flight = self.flight.lock().await;
        if let Some(known) = self.known() {
            return known;
        }
        let outcome = self.find().await;
        self.land(outcome)
    }

    /// What there is without asking: what is good, or a failure of a moment ago.
    fn known(&self) -> Option<Result<Arc<Site>, UpstreamError>> {
        let now = self.target.clock.monotonic();
        let state = self.state();
        let found = state.found.as_ref();
        if let Some(good) = found.filter(|found| now.saturating_since(found.at) < found.good_for) {
            return Some(Ok(Arc::clone(&good.site)));
        }
        let (at, error) = state.failure.as_ref()?;
        (now.saturating_since(*at) < COOL_DOWN).then(|| stale(&state, now, error))
    }

    fn land(&self, outcome: Result<Found, UpstreamError>) -> Result<Arc<Site>, UpstreamError> {
        let now = self.target.clock.monotonic();
        let mut state = self.state();
        match outcome {
            Ok(found) => {
                let site = Arc::clone(&found.site);
                state.found = Some(found);
                state.failure = None;
                Ok(site)
            }
            Err(error) => {
                state.failure = Some((now, error.clone()));
                stale(&state, now, &error)
            }
        }
    }

    async fn find(&self) -> Result<Found, UpstreamError> {
        let urls = match &self.target.document {
            Some(url) => vec![url.clone()],
            // The form that OpenID providers have first.
            None => well_known_urls(&self.target.issuer)
                .iter()
                .rev()
                .filter_map(|text| EndpointUrl::parse(text).ok())
                .collect(),
        };
        let mut worst = None;
        for url in urls {
            let found = match self.fetch(url).await {
                Ok(Some(answer)) => self.read(&answer),
                Ok(None) => continue,
                Err(error) => Err(error.into()),
            };
            match found {
                Ok(found) => return Ok(found),
                Err(error) => worst = Some(error),
            }
        }
        let nowhere = || Unavailable::new("the provider has no metadata at its well-known URLs");
        Err(worst.unwrap_or_else(|| nowhere().into()))
    }

    async fn fetch(&self, url: EndpointUrl) -> Result<Option<Fetched>, FetchError> {
        let at = self.target.ways.to_configured(url);
        let answer = at.fetcher.get(&at.url, Accept::Json).await;
        match answer {
            Ok(answer) if answer.status == StatusCode::OK => Ok(Some(answer)),
            Ok(answer) if answer.status.is_client_error() => Ok(None),
            // A redirect is no document (RFC 8414 section 3.2).
            Err(FetchError::Refused(_)) => Ok(None),
            Ok(answer) => Err(FetchError::Status(answer.status)),
            Err(error) => Err(error),
        }
    }

    fn read(&self, answer: &Fetched) -> Result<Found, UpstreamError> {
        let expected = self.target.expected.iter();
        // SECURITY: endpoints of another issuer would get our codes and our secret (RFC 8414 section
        // 3.3); r_47_metadata_of_another_issuer_is_refused
        let read = expected
            .filter_map(|issuer| Issuer::parse(issuer).ok())
            .find_map(|issuer| {
                let read = AuthorizationServerMetadata::parse_for(&issuer, &answer.body);
                read.ok().map(|metadata| (issuer, metadata))
            });
        let invalid = UpstreamError::Invalid("the metadata is not this issuer's");
        let (issuer, metadata) = read.ok_or(invalid)?;
        let (site, keys_at) = self.site_of(&issuer, &metadata)?;
        let named = cache_control::freshness(&answer.headers);
        Ok(Found {
            site: Arc::new(site),
            keys_at,
            at: self.target.clock.monotonic(),
            good_for: named.unwrap_or(USUAL).clamp(SHORTEST, LONGEST),
        })
    }

    fn site_of(
        &self,
        issuer: &Issuer,
        metadata: &AuthorizationServerMetadata,
    ) -> Result<(Site, EndpointUrl), UpstreamError> {
        let target = &self.target;
        let url = |member: Member| endpoint(issuer, metadata, member);
        let optional = |known: &Option<Endpoint>, member: Member| match known {
            Some(known) => Some(known.clone()),
            None => url(member)
                .ok()
                .map(|url| target.ways.to_discovered(url, issuer)),
        };
        let token = url(Member::Token)?;
        let keys = match &target.jwks {
            Some(keys) => keys.clone(),
            None => target.ways.to_discovered(url(Member::Jwks)?, issuer),
        };
        let keys_at = keys.url.clone();
        let assertion_audience = if target.assertion_for_token_endpoint {
            token.as_str().to_owned()
        } else {
            issuer.as_str().to_owned()
        };
        let site = Site {
            issuers: self.issuers(issuer),
            authorization: url(Member::Authorization)?,
            token: target.ways.to_discovered(token, issuer),
            userinfo: optional(&target.userinfo, Member::UserInfo),
            revocation: optional(&target.revocation, Member::Revocation),
            keys: Some(self.keys(keys)?),
            sends_issuer: target.sends_issuer
                || metadata.authorization_response_iss_parameter_supported == Some(true),
            assertion_audience,
        };
        Ok((site, keys_at))
    }

    /// The issuer of the document, then the other spellings.
    fn issuers(&self, issuer: &Issuer) -> Vec<IssuerRule> {
        let spellings = self.target.spellings.iter().map(String::as_str);
        let others = spellings.filter(|text| *text != issuer.as_str());
        let all = std::iter::once(issuer.as_str()).chain(others);
        all.map(IssuerRule::parse).collect()
    }

    /// The keys that are known, or others where they have moved.
    fn keys(&self, at: Endpoint) -> Result<Arc<RemoteKeys>, UpstreamError> {
        let known = self.state().found.clone();
        if let Some(known) = known.filter(|known| known.keys_at == at.url)
            && let Some(keys) = &known.site.keys
        {
            return Ok(Arc::clone(keys));
        }
        let keys = RemoteKeys::at(at.url, at.fetcher, Arc::clone(&self.target.clock));
        keys.map(Arc::new)
            .map_err(|_| UpstreamError::Invalid("jwks_uri"))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was known last, where that is no older than it may be.
fn stale(state: &State, now: Monotonic, error: &UpstreamError) -> Result<Arc<Site>, UpstreamError> {
    let found = state.found.as_ref();
    match found.filter(|found| now.saturating_since(found.at) < STALE) {
        Some(found) => Ok(Arc::clone(&found.site)),
        None => Err(error.clone()),
    }
}

/// The URL of an endpoint in a document, fit to be called.
fn endpoint(
    issuer: &Issuer,
    metadata: &AuthorizationServerMetadata,
    member: Member,
) -> Result<EndpointUrl, UpstreamError> {
    let invalid = UpstreamError::Invalid(member.member());
    let url = metadata.endpoint(member).map_err(|_| invalid.clone())?;
    // SECURITY: what an issuer on the network calls loopback is our own machine, or its user's;
    // sec_sf_06_metadata_leads_to_no_loopback
    if url.url().scheme() != "https" && !issuer.is_loopback() {
        return Err(invalid);
    }
    Ok(url)
}
