//! A proxy, the provider behind it, and those who come.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use http::{Method, StatusCode};
use portcullis_authorization_server::Upstream;
use portcullis_authorization_server::{
    ConfiguredClient, OAuthProviderBuilder, OAuthProxy, OAuthProxyBuilder, RateLimits,
};
use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::crypto::base64url;
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{BaseUrl, ScopeSet, SharedClock, form, scopes};
use portcullis_resource_server::{
    AccessToken, IntoAuth as _, UpstreamTokenError, load_upstream_tokens,
};
use portcullis_store::{MemoryStore, StoreHandle};
use portcullis_testkit::{Browser, MockClock, Page, ScriptedUpstream, Site, Visit};
use tokio::sync::watch;

use crate::client::{VERIFIER, back_channel};

pub(super) const BASE: &str = "http://localhost:8000";
pub(super) const RESOURCE: &str = "http://localhost:8000/mcp";
pub(super) const CALLBACK: &str = "http://localhost:8000/oauth/callback";
/// The challenge of [`VERIFIER`].
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const START: i64 = 1_790_000_000;

/// A client that the operator configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct App {
    pub(super) id: &'static str,
    pub(super) redirect_uri: &'static str,
    pub(super) secret: Option<&'static str>,
    pub(super) scope: &'static str,
}

pub(super) const DESK: App = App {
    id: "desk",
    redirect_uri: "http://127.0.0.1:7000/cb",
    secret: None,
    scope: "openid files:read",
};
pub(super) const SHOP: App = App {
    id: "shop",
    redirect_uri: "https://shop.example/cb",
    secret: Some("Zq8-uW3_kT5vN1xR7mB2cD9eF4gH6jL0"),
    scope: "openid files:read",
};

impl App {
    pub(super) const fn asking(self, scope: &'static str) -> Self {
        Self { scope, ..self }
    }
}

/// A provider, a proxy in front of it, and the clock that both live by.
pub(super) struct World {
    pub(super) upstream: ScriptedUpstream,
    pub(super) clock: Arc<MockClock>,
    pub(super) site: Router,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// One that is built otherwise.
    pub(super) async fn with(change: impl FnOnce(OAuthProxyBuilder) -> OAuthProxyBuilder) -> Self {
        Self::before(oidc, change).await
    }

    /// One in front of a provider that is described otherwise.
    pub(super) async fn before(
        describe: impl FnOnce(&ScriptedUpstream) -> Upstream,
        change: impl FnOnce(OAuthProxyBuilder) -> OAuthProxyBuilder,
    ) -> Self {
        let clock = Arc::new(MockClock::at(START));
        let upstream = provider(&clock).await;
        let described = describe(&upstream);
        let site = serve((described, &clock), MemoryStore::new().into(), change).await;
        Self {
            upstream,
            clock,
            site,
        }
    }

    pub(super) fn browser(&self) -> Browser {
        browser(&self.site)
    }

    /// A client that gets its tokens, with what the browser of alice saw on the way.
    pub(super) async fn tokens(&self, app: App) -> Tokens {
        let code = self.code(&self.browser(), app, "alice").await;
        self.redeem(app, &code).await.tokens()
    }

    /// A code of ours, for somebody who signs in at the provider.
    pub(super) async fn code(&self, browser: &Browser, app: App, user: &str) -> String {
        let away = leave(browser, app).await;
        let callback = self.upstream.sign_in(&away, user);
        let back = come_back(browser, &callback).await;
        code_in(&back, app)
    }

    pub(super) async fn redeem(&self, app: App, code: &str) -> Answer {
        redeem(&self.site, app, code).await
    }

    pub(super) async fn refresh(&self, app: App, token: &str) -> Answer {
        refresh(&self.site, app, token).await
    }

    pub(super) async fn call(&self, access: &str) -> StatusCode {
        call(&self.site, access).await.status
    }

    /// What a handler has that asks for the provider's token: the token, or a word on why not.
    pub(super) async fn load(&self, access: &str) -> String {
        load(&self.site, access).await
    }

    pub(super) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// How many refreshes the provider was asked for.
    pub(super) fn upstream_refreshes(&self) -> usize {
        let all = self.upstream.requests("/token").into_iter();
        all.filter(|seen| seen.field("grant_type") == Some("refresh_token"))
            .count()
    }
}

/// A provider that knows alice and bob, and this server.
pub(super) async fn provider(clock: &Arc<MockClock>) -> ScriptedUpstream {
    let upstream = ScriptedUpstream::start_at(Arc::clone(clock) as SharedClock).await;
    upstream.redirect_uri(CALLBACK);
    for name in ["alice", "bob"] {
        let email = format!("{name}@example.com");
        let claims = json!({ "email": email, "email_verified": true, "name": name });
        upstream.user(name, claims);
    }
    upstream
}

/// All from its metadata.
pub(super) fn oidc(upstream: &ScriptedUpstream) -> Upstream {
    Upstream::oidc(upstream.issuer().as_str())
}

/// A provider without OpenID Connect: who the user is, its API says.
pub(super) fn plain(upstream: &ScriptedUpstream) -> Upstream {
    upstream.openid(false);
    Upstream::oauth2(upstream.url("/authorize"), upstream.url("/token"))
        .userinfo_endpoint(upstream.url("/userinfo"))
        .revocation_endpoint(upstream.url("/revoke"))
}

/// A proxy on that store.
pub(super) async fn serve(
    (described, clock): (Upstream, &Arc<MockClock>),
    store: StoreHandle,
    change: impl FnOnce(OAuthProxyBuilder) -> OAuthProxyBuilder,
) -> Router {
    let clients = [DESK, SHOP].map(|app| {
        let client = ConfiguredClient::new(app.id).redirect_uri(app.redirect_uri);
        match app.secret {
            Some(secret) => client.secret(ClientSecret::new(secret)),
            None => client,
        }
    });
    let builder = OAuthProxy::builder(described)
        .base_url(BASE)
        .client("proxy", "the upstream secret".into())
        .scopes(scopes!["openid", "files:read", "files:write"])
        .store(store)
        .clock(Arc::clone(clock) as SharedClock)
        .entropy(Arc::new(SystemEntropy::new()))
        .server(|server| {
            let server = server.rate_limits(RateLimits::default().times(1_000_000));
            clients
                .into_iter()
                .fold(server, OAuthProviderBuilder::client)
        });
    let proxy = change(builder).build().unwrap();
    proxy.start().await.unwrap();
    let handler = Router::new().fallback(any(answer));
    proxy.into_auth().unwrap().protect("/mcp", handler).unwrap()
}

/// A handler that asks for the provider's token where it is told to, and tells it, as no good one does.
async fn answer(request: Request) -> String {
    if let Some(late) = request.extensions().get::<Late>() {
        let _ = late.0.clone().wait_for(|is_late| *is_late).await;
    }
    let token = request.extensions().get::<AccessToken>().unwrap();
    if let Some(scopes) = request.headers().get("x-can-get") {
        let scopes = ScopeSet::parse(scopes.to_str().unwrap()).unwrap();
        return token.can_get(&scopes).to_string();
    }
    if !request.headers().contains_key("x-load") {
        return "{}".to_owned();
    }
    match load_upstream_tokens(token).await {
        Ok(token) => token.expose().to_owned(),
        Err(UpstreamTokenError::Ended) => "ended".to_owned(),
        Err(UpstreamTokenError::Unavailable(_)) => "unavailable".to_owned(),
        Err(_) => "absent".to_owned(),
    }
}

/// When a handler begins that was called long before.
#[derive(Clone)]
pub(super) struct Late(pub(super) watch::Receiver<bool>);

pub(super) fn browser(site: &Router) -> Browser {
    Browser::new(site.clone(), &BaseUrl::parse(BASE).unwrap())
}

/// Where a client sends a browser.
pub(super) fn authorize_url(app: App) -> String {
    let query = form::encode(&[
        ("response_type", "code"),
        ("client_id", app.id),
        ("redirect_uri", app.redirect_uri),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
        ("state", "the state of the client"),
        ("scope", app.scope),
    ]);
    format!("/oauth/authorize?{query}")
}

/// The page that asks, before anybody has signed in.
pub(super) async fn ask(browser: &Browser, app: App) -> Page {
    let page = browser.open(&authorize_url(app)).await;
    assert!(page.has_button("approve"), "{page:?}");
    page
}

/// Where the browser is sent after the user approved.
pub(super) async fn leave(browser: &Browser, app: App) -> String {
    let page = ask(browser, app).await;
    let away = browser.press(&page, "approve", &[]).await;
    let location = away.location();
    location.unwrap_or_else(|| panic!("{away:?}")).to_owned()
}

/// The provider sends the browser back.
pub(super) async fn come_back(browser: &Browser, callback: &str) -> Page {
    let visit = Visit::get(callback).seen_from(Site::CrossSite);
    browser.visit(visit).await
}

/// The code in an answer to a client, which is one without fault.
#[track_caller]
pub(super) fn code_in(page: &Page, app: App) -> String {
    let location = page.location().unwrap_or_else(|| panic!("{page:?}"));
    assert!(location.starts_with(app.redirect_uri), "{location}");
    let answer = page.answer();
    assert_eq!(answer.one("iss"), Ok(Some(BASE)));
    assert_eq!(answer.one("state"), Ok(Some("the state of the client")));
    let code = answer.one("code").unwrap();
    code.unwrap_or_else(|| panic!("{page:?}")).to_owned()
}

/// The error in an answer to a client, which has nothing else in it.
#[track_caller]
pub(super) fn error_in(page: &Page, app: App) -> String {
    let location = page.location().unwrap_or_else(|| panic!("{page:?}"));
    assert!(location.starts_with(app.redirect_uri), "{location}");
    let answer = page.answer();
    assert_eq!(answer.one("iss"), Ok(Some(BASE)), "R-26: {location}");
    assert_eq!(answer.one("state"), Ok(Some("the state of the client")));
    assert_eq!(answer.one("code"), Ok(None));
    answer.required("error").unwrap().to_owned()
}

/// An answer of the token endpoint.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) page: Page,
    pub(super) body: Value,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: Option<String>,
    pub(super) scope: Vec<String>,
    pub(super) expires_in: u64,
}

impl Tokens {
    #[track_caller]
    pub(super) fn refresh(&self) -> &str {
        self.refresh.as_deref().expect("there is a refresh token")
    }

    /// The claims of the access token.
    pub(super) fn claims(&self) -> Value {
        let payload = self.access.split('.').nth(1).unwrap();
        let payload = base64url::decode_strict(payload).unwrap();
        json::value(&payload, Limits::JOSE).unwrap()
    }
}

impl Answer {
    #[track_caller]
    pub(super) fn tokens(&self) -> Tokens {
        assert_eq!(self.page.status, StatusCode::OK, "{:?}", self.page);
        let text = |name: &str| self.body[name].as_str().map(str::to_owned);
        let scope = text("scope").unwrap_or_default();
        let mut scope: Vec<_> = scope.split_whitespace().map(str::to_owned).collect();
        scope.sort_unstable();
        Tokens {
            access: text("access_token").unwrap(),
            refresh: text("refresh_token"),
            scope,
            expires_in: self.body["expires_in"].as_u64().unwrap(),
        }
    }

    /// Status and error.
    pub(super) fn refusal(&self) -> (u16, &str) {
        let error = self.body["error"].as_str().unwrap_or_default();
        (self.page.status.as_u16(), error)
    }
}

pub(super) async fn redeem(site: &Router, app: App, code: &str) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", app.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    token(site, app, &fields).await
}

pub(super) async fn refresh(site: &Router, app: App, token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    self::token(site, app, &fields).await
}

/// With the client's credentials in the body.
pub(super) async fn token(site: &Router, app: App, fields: &[(&str, &str)]) -> Answer {
    let mut fields = fields.to_vec();
    fields.push(("client_id", app.id));
    fields.extend(app.secret.map(|secret| ("client_secret", secret)));
    let request = Visit::post("/oauth/token", &fields);
    let page = back_channel(&browser(site), request).await;
    let body = json::value(page.text.as_bytes(), Limits::METADATA).unwrap_or_default();
    Answer { page, body }
}

pub(super) async fn load(site: &Router, access: &str) -> String {
    let page = ask_with(site, access, |visit| visit.header("x-load", "yes")).await;
    if page.status == StatusCode::OK {
        page.text
    } else {
        page.status.as_str().to_owned()
    }
}

pub(super) async fn call(site: &Router, access: &str) -> Page {
    ask_with(site, access, |visit| visit).await
}

async fn ask_with(site: &Router, access: &str, change: impl FnOnce(Visit) -> Visit) -> Page {
    let ping = json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" });
    let request = Visit::get("/mcp")
        .method(Method::POST)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("authorization", &format!("Bearer {access}"))
        .body(ping.to_string());
    back_channel(&browser(site), change(request)).await
}
