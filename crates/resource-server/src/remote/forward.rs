//! The metadata of an authorization server, served by the resource that trusts it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use portcullis_fetch::{Accept, Fetcher};
use portcullis_oauth::json::json;
use portcullis_oauth::metadata::{AuthorizationServerMetadata, server::well_known_urls};
use portcullis_oauth::{EndpointUrl, Issuer, Monotonic, SharedClock};

use crate::ConfigError;
use crate::metadata::{PublicDocument, public_route};
use crate::waiters::Waiters;

/// Where clients look for it.
pub(super) const PATH: &str = "/.well-known/oauth-authorization-server";

/// How long a document is served before it is fetched again, and how long an outage is not
/// asked about again.
const KEEP: Duration = Duration::from_secs(5 * 60);
const RETRY: Duration = Duration::from_secs(10);

/// How many requests wait for a fetch.
const WAITERS: usize = 32;

/// Fetches the document when it is asked for, once for all who wait.
#[derive(Debug)]
pub(super) struct Forward {
    urls: Vec<EndpointUrl>,
    issuer: Issuer,
    fetcher: Fetcher,
    clock: SharedClock,
    state: Mutex<State>,
    waiters: Waiters,
}

#[derive(Debug, Default)]
struct State {
    document: Option<Bytes>,
    next: Option<Monotonic>,
    pending: Option<Pending>,
}

/// A fetch that is under way, for all who wait for it.
type Pending = Shared<BoxFuture<'static, ()>>;

impl Forward {
    /// From the places where an issuer keeps its metadata (RFC 8414 section 3).
    pub(super) fn well_known(issuer: &Issuer, clock: SharedClock) -> Result<Self, ConfigError> {
        let urls = well_known_urls(issuer)
            .iter()
            .filter_map(|url| EndpointUrl::parse(url).ok())
            .collect();
        Self::from(urls, issuer, clock)
    }

    /// From the first of `urls` that has a document of `issuer`.
    pub(super) fn from(
        urls: Vec<EndpointUrl>,
        issuer: &Issuer,
        clock: SharedClock,
    ) -> Result<Self, ConfigError> {
        let fetcher = Fetcher::trusted()
            .allow_loopback(issuer.is_loopback())
            .build()
            .map_err(|error| ConfigError::new("fetcher", error.to_string()))?;
        Ok(Self {
            urls,
            issuer: issuer.clone(),
            fetcher,
            clock,
            state: Mutex::default(),
            waiters: Waiters::new(WAITERS),
        })
    }

    pub(super) fn route(self) -> MethodRouter {
        let forward = Arc::new(self);
        public_route(move || {
            let forward = Arc::clone(&forward);
            async move { forward.answer().await }
        })
    }

    async fn answer(self: Arc<Self>) -> Response {
        if let Some(pending) = self.pending() {
            // SECURITY: metadata shares its places with the probes, and an issuer that hangs must
            // not take them all (CWE-400); sec_ds_09_a_document_that_hangs_leaves_room_for_probes
            if let Ok(_place) = self.waiters.enter() {
                pending.await;
            }
        }
        match self.state().document.clone() {
            Some(body) => PublicDocument::new(body, Duration::from_secs(300)).into_response(),
            None => unavailable(),
        }
    }

    /// The fetch to wait for, if what is known is too old.
    fn pending(self: &Arc<Self>) -> Option<Pending> {
        let mut state = self.state();
        let now = self.clock.monotonic();
        if state.next.is_some_and(|next| now < next) {
            return None;
        }
        let this = Arc::clone(self);
        let start = || {
            let task = tokio::spawn(async move { this.refresh().await });
            task.map(drop).boxed().shared()
        };
        // SECURITY: one fetch for all who ask meanwhile, whether or not they wait for its end, so
        // that nobody makes us ask again and again; sec_key_01_metadata_is_fetched_once_for_many
        Some(state.pending.get_or_insert_with(start).clone())
    }

    async fn refresh(&self) {
        let fetched = self.fetch().await;
        let wait = if fetched.is_some() { KEEP } else { RETRY };
        let mut state = self.state();
        state.next = Some(self.clock.monotonic().saturating_add(wait));
        state.pending = None;
        // An outage leaves the last good document where it is.
        if fetched.is_some() {
            state.document = fetched;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn fetch(&self) -> Option<Bytes> {
        for url in &self.urls {
            let fetched = match self.fetcher.get(url, Accept::Json).await {
                Ok(fetched) => fetched,
                Err(error) => {
                    tracing::debug!(%error, "no authorization server metadata here");
                    continue;
                }
            };
            // SECURITY: a document that names another issuer would lead clients there (RFC 8414
            // section 3.3); sec_key_09_a_forwarded_document_names_its_issuer
            if fetched.status == StatusCode::OK
                && AuthorizationServerMetadata::parse_for(&self.issuer, &fetched.body).is_ok()
            {
                return Some(fetched.body);
            }
        }
        tracing::warn!(issuer = %self.issuer, "authorization server metadata is out of reach");
        None
    }
}

fn unavailable() -> Response {
    let body = json!({
        "error": "server_error",
        "error_description": "the authorization server's metadata is out of reach",
    });
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (StatusCode::BAD_GATEWAY, headers, body.to_string()).into_response()
}
