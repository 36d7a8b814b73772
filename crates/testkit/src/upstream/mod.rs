//! An identity provider that people sign in at, and that fails as it is told.

mod answer;
mod authorize;
mod book;
mod client;
mod fault;
mod seen;
mod token;

use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::system::SystemClock;
use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{Issuer, SharedClock};

use self::answer::{Held, Shared};
use self::book::Api;
pub use self::client::ClientProof;
pub use self::fault::Fault;
pub use self::seen::Seen;
use crate::idp::FakeIdp;

/// An identity provider on a free port of 127.0.0.1, over plain HTTP, until it is dropped.
///
/// | path | what |
/// |---|---|
/// | `/authorize` | signs in whom `login_hint` names, or the first user; a test calls [`sign_in`](Self::sign_in) instead |
/// | `/token` | a code, once and with its PKCE verifier, or a refresh token becomes tokens; an access token becomes one of another API, on behalf of its user (Microsoft's way) or by token exchange (RFC 8693) |
/// | `/userinfo` | the claims of whose access token it is; [`api`](Self::api) adds paths of this kind |
/// | `/revoke` | ends the grant of a token (RFC 7009) |
/// | `/applications/token`, `/applications/grant` | the same for an access token, or for all that its user gave, by `DELETE` as GitHub has it |
/// | `/.well-known/openid-configuration`, `/jwks` | as of [`FakeIdp`], which is [`idp`](Self::idp) |
///
/// It knows one client: `proxy`, with the secret of [`ClientProof::default`]. It is strict: what a
/// careful provider refuses, it refuses, and a sign-in that lacks a protection panics. Every request
/// is kept for the test to look at, and every secret that it gave, to look for.
///
/// ```
/// use portcullis_fetch::{ClientAuthentication, Fetcher};
/// use portcullis_oauth::json::{self, Limits, json};
/// use portcullis_oauth::{ClientId, CodeVerifier, form, secret::ClientSecret};
/// use portcullis_testkit::{Fault, ScriptedUpstream};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let upstream = ScriptedUpstream::start().await;
/// upstream.user("alice", json!({ "email": "alice@example.com", "email_verified": true }));
/// upstream.fault("/token", 1, Fault::with("expires_in", "soon")); // and once it speaks nonsense
///
/// let verifier = CodeVerifier::parse(&"v".repeat(43))?;
/// let authorize = upstream.url("/authorize") + "?" + &form::encode(&[
///     ("response_type", "code"),
///     ("client_id", "proxy"),
///     ("redirect_uri", "http://localhost:8000/oauth/callback"),
///     ("scope", "openid email"),
///     ("state", "0123456789abcdef0123456789abcdef"),
///     ("nonce", "n-0S6_WzA2Mj-n-0S6_WzA2Mj"),
///     ("code_challenge", verifier.challenge().as_str()),
///     ("code_challenge_method", "S256"),
/// ]);
/// let callback = upstream.sign_in(&authorize, "alice");
/// assert!(callback.starts_with("http://localhost:8000/oauth/callback?code="));
///
/// let query = callback.split_once('?').unwrap_or_default().1;
/// let answer = form::Form::parse(query.as_bytes(), form::Limits::ENDPOINT)?;
/// let body = form::encode(&[
///     ("grant_type", "authorization_code"),
///     ("code", answer.required("code")?),
///     ("redirect_uri", "http://localhost:8000/oauth/callback"),
///     ("code_verifier", verifier.expose()),
/// ]);
/// let (id, secret) = (ClientId::parse("proxy")?, ClientSecret::new("the upstream secret"));
/// let basic = ClientAuthentication::Basic { id, secret };
/// let fetcher = Fetcher::trusted().allow_loopback(true).build()?;
/// let answer = fetcher.post_form(&upstream.idp().url("/token"), body, Some(&basic)).await?;
/// assert_eq!(json::value(&answer.body, Limits::METADATA)?["expires_in"], "soon");
/// assert_eq!(upstream.requests("/token")[0].field("grant_type"), Some("authorization_code"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ScriptedUpstream {
    shared: Arc<Shared>,
    idp: FakeIdp,
}

impl ScriptedUpstream {
    /// Starts a provider that lives by the real clock.
    ///
    /// # Panics
    /// Without a tokio runtime, or when there is no free port.
    pub async fn start() -> Self {
        Self::start_at(Arc::new(SystemClock::new())).await
    }

    /// Starts a provider that lives by `clock`: a test that wants two clocks to differ gives it one
    /// of its own.
    ///
    /// # Panics
    /// As [`start`](Self::start).
    pub async fn start_at(clock: SharedClock) -> Self {
        let mut shared = None;
        let idp = FakeIdp::start_serving(clock, |state| {
            let all = Arc::new(Shared::new(state));
            shared = Some(Arc::clone(&all));
            axum::Router::new().fallback(answer::answer).with_state(all)
        });
        let idp = idp.await;
        let shared = shared.unwrap_or_else(|| broken("it serves"));
        let url = |path: &str| Value::from(format!("{}{path}", idp.issuer()));
        idp.edit_metadata(|document| {
            document.insert("userinfo_endpoint".to_owned(), url("/userinfo"));
            document.insert("revocation_endpoint".to_owned(), url("/revoke"));
            let sends_iss = "authorization_response_iss_parameter_supported";
            document.insert(sends_iss.to_owned(), true.into());
        });
        Self { shared, idp }
    }

    /// Its keys, its metadata and the tokens that it could sign.
    pub fn idp(&self) -> &FakeIdp {
        &self.idp
    }

    /// The provider's name, and the root of its URLs.
    pub fn issuer(&self) -> &Issuer {
        self.idp.issuer()
    }

    /// A URL of the provider; `path` starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }
}

/// What it is and knows.
impl ScriptedUpstream {
    /// Registers the client, in the place of the one before.
    pub fn client(&self, id: &str, proof: ClientProof) {
        let mut book = self.shared.book();
        id.clone_into(&mut book.rules.client_id);
        book.rules.proof = proof;
    }

    /// Takes this redirect URI alone. At first it takes any, and holds the client to it when a code
    /// is redeemed.
    pub fn redirect_uri(&self, uri: &str) {
        self.shared.book().rules.redirect_uri = Some(uri.to_owned());
    }

    /// Adds a user or changes what is known of one. `claims` is an object: what stands in ID tokens
    /// and at `/userinfo`; without a `sub` the name is the `sub`.
    pub fn user(&self, name: &str, claims: Value) {
        let mut known = Map::new();
        known.insert("sub".to_owned(), name.into());
        match claims {
            Value::Object(claims) => known.extend(claims),
            _ => broken("the claims of a user are an object"),
        }
        self.shared.book().users.insert(name.to_owned(), known);
    }

    /// Answers at `path` whoever brings a user's access token: `answer` gets that user's claims.
    pub fn api(
        &self,
        path: &str,
        answer: impl Fn(&Map<String, Value>) -> Value + Send + Sync + 'static,
    ) {
        let api: Api = Arc::new(answer);
        self.shared.book().apis.insert(path.to_owned(), api);
    }

    /// How long access tokens live, and what `expires_in` says; one hour at first.
    pub fn access_lifetime(&self, lifetime: Duration) {
        self.shared.book().rules.lifetime = lifetime;
    }

    /// Whether access tokens are JWTs with the user's claims; at first they are opaque.
    pub fn jwt_access_tokens(&self, yes: bool) {
        self.shared.book().rules.jwt_access_tokens = yes;
    }

    /// Whether it speaks OpenID Connect; at first it does. Otherwise `openid` is a scope as any other,
    /// which needs no `nonce` and gives no ID token.
    pub fn openid(&self, yes: bool) {
        self.shared.book().rules.openid = yes;
    }

    /// Whether there are refresh tokens; at first there are.
    pub fn refresh_tokens(&self, yes: bool) {
        self.shared.book().rules.refresh_tokens = yes;
    }

    /// Whether each refresh gives a new refresh token; at first it does not. Who then comes with the
    /// old one ends the grant (RFC 9700 section 4.14.2).
    pub fn rotates(&self, yes: bool) {
        self.shared.book().rules.rotates = yes;
    }

    /// Whether a token that is given back takes along all that its user gave, as at Google; at first it
    /// does not.
    pub fn revocation_ends_all(&self, yes: bool) {
        self.shared.book().rules.revocation_ends_all = yes;
    }

    /// Whether a sign-in needs an S256 challenge; at first it does. Otherwise there must be none, as
    /// with providers that choke on it.
    pub fn pkce(&self, yes: bool) {
        self.shared.book().rules.pkce = yes;
    }

    /// Ends all grants of a user: what was given is refused from now on.
    pub fn end(&self, name: &str) {
        self.shared.book().end(|grant| grant.user == name);
    }
}

/// What goes wrong.
impl ScriptedUpstream {
    /// Lets the next `times` requests to `path` meet this fault, which adds to those that it has. At
    /// `/authorize` it changes where a sign-in leads.
    pub fn fault(&self, path: &str, times: usize, fault: Fault) {
        self.shared.book().faults.add(path, times, fault);
    }

    /// As [`fault`](Self::fault), until [`mend`](Self::mend).
    pub fn always(&self, path: &str, fault: Fault) {
        self.fault(path, usize::MAX, fault);
    }

    /// Takes the faults of `path` away.
    pub fn mend(&self, path: &str) {
        self.shared.book().faults.clear(path);
    }

    /// Lets requests to `path` wait until the returned value is dropped. It takes the place of a
    /// delay: a test sees many callers wait for one answer, and no time passes.
    pub fn hold(&self, path: &str) -> HeldPath {
        self.shared.hold(path);
        HeldPath(Held::new(&self.shared, path))
    }
}

/// What happened.
impl ScriptedUpstream {
    /// The requests that `path` has had, answered or not, in order.
    pub fn requests(&self, path: &str) -> Vec<Seen> {
        self.shared.log.of(path)
    }

    /// How many they were.
    pub fn hits(&self, path: &str) -> usize {
        self.shared.log.count(path)
    }

    /// Waits until `path` has had `count` requests, answered or not.
    ///
    /// # Panics
    /// When they have not come after ten seconds.
    pub async fn wait_for_hits(&self, path: &str, count: usize) {
        self.shared.log.wait_for(path, count).await;
    }

    /// Every code and every token that it gave, newest last. None of them may be seen by a client, on
    /// a page or in a log.
    pub fn secrets(&self) -> Vec<String> {
        self.shared.book().given.clone()
    }

    /// The users whose grants it has ended because somebody came with a refresh token that had been
    /// replaced, once for each grant.
    pub fn reused(&self) -> Vec<String> {
        self.shared.book().reused.clone()
    }

    /// How many grants have neither been revoked nor ended.
    pub fn live_grants(&self) -> usize {
        self.shared.book().live_grants()
    }

    /// Waits until so many grants are left.
    ///
    /// # Panics
    /// When there are more or fewer after ten seconds.
    pub async fn wait_for_live_grants(&self, count: usize) {
        let book = || self.live_grants();
        seen::until(|| book() == count).await;
        assert_eq!(book(), count, "grants that are left");
    }
}

/// While this value lives, a path does not answer. From [`ScriptedUpstream::hold`].
#[derive(Debug)]
#[must_use]
pub struct HeldPath(#[expect(dead_code, reason = "it is there to be dropped")] Held);

#[track_caller]
#[expect(clippy::panic, reason = "it is the test that is wrong")]
fn broken(what: &str) -> ! {
    panic!("{what}")
}
