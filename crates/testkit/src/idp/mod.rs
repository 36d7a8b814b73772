//! An identity provider that does as it is told.

mod answer;
mod controls;

use std::sync::Arc;
use std::time::Duration;

use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::StatusCode;
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::form::Form;
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{EndpointUrl, Issuer, SharedClock};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub(crate) use self::answer::{answer, basic, status};
use self::controls::Client;
pub(crate) use self::controls::{IdpKey, State};
use crate::token::TokenBuilder;

/// An authorization server on a free port of 127.0.0.1, over plain HTTP, until it is dropped.
///
/// | path | what |
/// |---|---|
/// | `/.well-known/oauth-authorization-server` | metadata (RFC 8414) |
/// | `/.well-known/openid-configuration` | the same |
/// | `/jwks` | its keys (RFC 7517); an ES256 key at first |
/// | `/introspect` | introspection (RFC 7662); every token is inactive at first |
///
/// All else is 404. Every request counts, whatever the answer.
#[derive(Debug)]
pub struct FakeIdp {
    state: Arc<State>,
    server: AbortHandle,
}

impl Drop for FakeIdp {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The constructors panic where the machine has no port or no randomness to give.
#[expect(clippy::expect_used, reason = "a test cannot go on without it")]
impl FakeIdp {
    /// Starts a provider that lives by the real clock.
    ///
    /// # Panics
    /// Without a tokio runtime, or when there is no free port.
    pub async fn start() -> Self {
        Self::start_at(Arc::new(SystemClock::new())).await
    }

    /// Starts a provider whose tokens are issued at the time of `clock`.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_at(clock: SharedClock) -> Self {
        let serve = |state| axum::Router::new().fallback(answer).with_state(state);
        Self::start_serving(clock, serve).await
    }

    /// Starts a provider that `serve` may add endpoints to.
    pub(crate) async fn start_serving(
        clock: SharedClock,
        serve: impl FnOnce(Arc<State>) -> axum::Router,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a bound socket");
        let issuer = format!("http://{address}");
        let issuer = Issuer::parse(&issuer).expect("an issuer on loopback");
        let state = Arc::new(State::new(issuer, clock));
        let listener = listener.tap_io(|stream| {
            // An answer in two segments would wait 40 ms for the peer's acknowledgement.
            let _ = stream.set_nodelay(true);
        });
        let router = serve(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let idp = Self {
            state,
            server: server.abort_handle(),
        };
        idp.add_key(Algorithm::Es256);
        idp
    }

    /// Publishes one more key and returns its `kid`. Tokens are signed with the newest key unless
    /// [`TokenBuilder::alg`] asks for another.
    ///
    /// # Panics
    /// For an HMAC algorithm: a secret cannot be published.
    pub fn add_key(&self, algorithm: Algorithm) -> String {
        let key = match algorithm {
            Algorithm::Es256 => SigningKey::generate_es256(),
            Algorithm::Es384 => SigningKey::generate_es384(),
            Algorithm::Es512 => SigningKey::generate_es512(),
            Algorithm::EdDsa => SigningKey::generate_ed25519(),
            other => {
                assert!(!other.is_symmetric(), "a secret cannot be published");
                SigningKey::generate_rsa2048()
            }
        };
        self.state.publish(key.expect("randomness for a key"))
    }

    /// A URL of the provider; `path` starts with a slash.
    ///
    /// # Panics
    /// When `path` makes it no URL.
    pub fn url(&self, path: &str) -> EndpointUrl {
        EndpointUrl::parse(&format!("{}{path}", self.issuer())).expect("a path and query")
    }
}

impl FakeIdp {
    /// The provider's name, and the root of its URLs.
    pub fn issuer(&self) -> &Issuer {
        &self.state.issuer
    }

    /// Where its keys are.
    pub fn jwks_url(&self) -> EndpointUrl {
        self.url("/jwks")
    }

    /// Where it tells about tokens.
    pub fn introspection_url(&self) -> EndpointUrl {
        self.url("/introspect")
    }

    /// A token to be filled in and signed.
    pub fn token(&self) -> TokenBuilder {
        self.state.token()
    }

    /// The key set, as `/jwks` serves it, for a verifier that is given its keys.
    pub fn jwks(&self) -> Value {
        self.state.controls().jwks()
    }

    /// The newest public key as PEM, for a verifier that is given its key.
    pub fn public_pem(&self) -> String {
        let controls = self.state.controls();
        let newest = controls.keys.last();
        newest
            .and_then(|key| key.key.public_pem())
            .unwrap_or_default()
    }

    /// Publishes a new ES256 key, signs with it from now on, and returns its `kid`. The old keys
    /// stay published until [`retire_old_keys`](Self::retire_old_keys).
    pub fn rotate_key(&self) -> String {
        self.add_key(Algorithm::Es256)
    }

    /// Withdraws every key but the newest.
    pub fn retire_old_keys(&self) {
        let mut controls = self.state.controls();
        let old = controls.keys.len().saturating_sub(1);
        controls.keys.drain(..old);
    }

    /// Answers 503 on `/jwks`, or no longer.
    pub fn jwks_down(&self, down: bool) {
        self.state.controls().jwks_status = down.then_some(StatusCode::SERVICE_UNAVAILABLE);
    }

    /// Serves these bytes as the key set with status 200, be they JSON or not.
    pub fn jwks_body(&self, body: impl Into<Bytes>) {
        self.state.controls().jwks_body = Some(body.into());
    }

    /// Serves the keys again, after [`jwks_body`](Self::jwks_body).
    pub fn jwks_body_reset(&self) {
        self.state.controls().jwks_body = None;
    }

    /// Lets requests for `/jwks` wait until the returned value is dropped. It takes the place of a
    /// delay: a test sees many callers wait for one answer, and no time passes.
    pub fn hold_jwks(&self) -> HeldJwks {
        self.state.held.send_replace(true);
        HeldJwks(self.state.clone())
    }

    /// Sets the `Cache-Control` of `/jwks` and of the metadata; `None` leaves it out, as at first.
    pub fn cache_control(&self, value: impl Into<Option<&'static str>>) {
        self.state.controls().cache_control = value.into();
    }

    /// Changes the metadata document.
    pub fn edit_metadata(&self, edit: impl FnOnce(&mut Map<String, Value>)) {
        edit(&mut self.state.controls().metadata);
    }

    /// Answers at `path` as it answers at `original`, for those who expect another provider's
    /// addresses.
    pub fn also_at(&self, path: &str, original: &str) {
        let mut controls = self.state.controls();
        controls
            .aliases
            .insert(path.to_owned(), original.to_owned());
    }

    /// Answers introspection: `answer` gets the request's form, which holds `token`.
    pub fn introspection(&self, answer: impl Fn(&Form) -> Value + Send + Sync + 'static) {
        self.state.controls().introspection = Arc::new(answer);
    }

    /// Answers introspection with this status and no body; `None` answers it properly again.
    pub fn introspection_status(&self, status: impl Into<Option<StatusCode>>) {
        self.state.controls().introspection_status = status.into();
    }

    /// Answers introspection to this client alone, by `client_secret_basic` or
    /// `client_secret_post`. At first anybody may ask.
    pub fn require_client(&self, id: &str, secret: &str) {
        self.state.controls().client = Some(Client {
            id: id.to_owned(),
            secret: secret.to_owned(),
        });
    }

    /// How many requests `path` has had.
    pub fn hits(&self, path: &str) -> usize {
        self.state
            .hits
            .borrow()
            .get(path)
            .copied()
            .unwrap_or_default()
    }

    /// Waits until `path` has had `count` requests, answered or not.
    ///
    /// # Panics
    /// When they have not come after ten seconds.
    pub async fn wait_for_hits(&self, path: &str, count: usize) {
        let mut hits = self.state.hits.subscribe();
        let reached = hits.wait_for(|hits| hits.get(path).is_some_and(|&seen| seen >= count));
        // It cannot close while `self` holds it, so only the time can end the wait.
        let in_time = tokio::time::timeout(PATIENCE, reached).await.is_ok();
        let seen = self.hits(path);
        assert!(
            in_time,
            "`{path}` had {seen} of {count} requests after {PATIENCE:?}"
        );
    }
}

/// How long a test waits for a request that should come at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// While this value lives, `/jwks` does not answer. From [`FakeIdp::hold_jwks`].
#[derive(Debug)]
#[must_use]
pub struct HeldJwks(Arc<State>);

impl Drop for HeldJwks {
    fn drop(&mut self) {
        self.0.held.send_replace(false);
    }
}
