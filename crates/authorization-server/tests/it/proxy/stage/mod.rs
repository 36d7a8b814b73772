//! A proxy, the provider behind it, and those who come.

mod browsing;
mod client;
mod pair;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use http::StatusCode;
use portcullis_authorization_server::{
    ConfiguredClient, OAuthProviderBuilder, OAuthProxy, OAuthProxyBuilder, RateLimits, Upstream,
};
use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::json::json;
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ScopeSet, SharedClock, scopes};
use portcullis_resource_server::{
    AccessToken, DownstreamApi, IntoAuth as _, UpstreamTokenError, load_upstream_tokens,
};
use portcullis_store::{MemoryStore, StoreHandle};
use portcullis_testkit::{Browser, MockClock, ScriptedUpstream};
use tokio::sync::watch;

pub(super) use self::browsing::{ask, authorize_url, browser, code_in, come_back, error_in, leave};
pub(super) use self::client::{
    Answer, App, DESK, SHOP, Tokens, call, load, load_for, redeem, refresh, revoke, token,
};
pub(super) use self::pair::Pair;

pub(super) const BASE: &str = "http://localhost:8000";
pub(super) const RESOURCE: &str = "http://localhost:8000/mcp";
pub(super) const CALLBACK: &str = "http://localhost:8000/oauth/callback";
/// The challenge of the one verifier.
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(super) const START: i64 = 1_790_000_000;

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

    /// What the client hears when somebody signs in at the provider and does not come in.
    pub(super) async fn refused(&self, browser: &Browser, app: App, user: &str) -> String {
        let away = leave(browser, app).await;
        let callback = self.upstream.sign_in(&away, user);
        error_in(&come_back(browser, &callback).await, app)
    }

    pub(super) async fn redeem(&self, app: App, code: &str) -> Answer {
        redeem(&self.site, app, code).await
    }

    pub(super) async fn refresh(&self, app: App, token: &str) -> Answer {
        refresh(&self.site, app, token).await
    }

    pub(super) async fn revoke(&self, app: App, token: &str) {
        let page = revoke(&self.site, app, token).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
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
    let loaded = match (load_upstream_tokens(token).await, api_of(&request)) {
        (Ok(own), Some(api)) => own.on_behalf_of(api).await,
        (loaded, _) => loaded,
    };
    match loaded {
        Ok(token) => token.expose().to_owned(),
        Err(UpstreamTokenError::Ended) => "ended".to_owned(),
        Err(UpstreamTokenError::Unavailable(_)) => "unavailable".to_owned(),
        Err(UpstreamTokenError::Unsupported) => "unsupported".to_owned(),
        Err(UpstreamTokenError::Refused) => "refused".to_owned(),
        Err(UpstreamTokenError::InteractionRequired(needed)) => {
            format!("interaction {:?}", needed.claims())
        }
        Err(_) => "absent".to_owned(),
    }
}

/// Of which other API a token is to be had: its scopes, or `aud:` and what the provider calls it.
fn api_of(request: &Request) -> Option<DownstreamApi> {
    let text = request.headers().get("x-api")?.to_str().ok()?;
    Some(match text.split_once("aud:") {
        Some((_, audience)) => DownstreamApi::new().audience(audience),
        None => ScopeSet::parse_lenient(text).into(),
    })
}

/// When a handler begins that was called long before.
#[derive(Clone)]
pub(super) struct Late(pub(super) watch::Receiver<bool>);
