//! A proxy, the provider behind it, and a client that is registered.

use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
use http::StatusCode;
use portcullis_authorization_server::Upstream;
use portcullis_authorization_server::{OAuthProxy, OAuthProxyBuilder};
use portcullis_fetch::Fetcher;
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{BaseUrl, SecretString, SharedClock, scopes};
use portcullis_resource_server::{
    AccessToken, IntoAuth as _, UpstreamTokenError, load_upstream_tokens,
};
use portcullis_store::{MemoryStore, StoreHandle};
use portcullis_testkit::{Browser, MockClock, Page, ScriptedUpstream, SeededEntropy, Visit};

use crate::client::{Client, Dialect, back_channel, plain, text};
use crate::world::BASE;

/// All of it.
pub(crate) struct World {
    pub(crate) upstream: ScriptedUpstream,
    pub(crate) clock: Arc<MockClock>,
    pub(crate) store: StoreHandle,
    pub(crate) browser: Browser,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    /// One that is built otherwise.
    pub(crate) async fn with(change: impl FnOnce(OAuthProxyBuilder) -> OAuthProxyBuilder) -> Self {
        let clock = Arc::new(MockClock::at(1_790_000_000));
        let upstream = ScriptedUpstream::start_at(Arc::clone(&clock) as SharedClock).await;
        let alice = json!({"email": "alice@example.com", "email_verified": true, "role": "admin"});
        upstream.user("alice", alice);
        let store = StoreHandle::from(MemoryStore::new());
        let proxy = change(builder(&upstream, &store, &clock, 7))
            .build()
            .unwrap();
        let browser = Browser::new(site(&proxy), &BaseUrl::parse(BASE).unwrap());
        Self {
            upstream,
            clock,
            store,
            browser,
        }
    }

    /// Another process on the same store, in front of the same browser.
    pub(crate) fn sibling(&self, seed: u64) -> OAuthProxy {
        let built = builder(&self.upstream, &self.store, &self.clock, seed).build();
        built.unwrap()
    }

    /// A client that listens on this machine.
    pub(crate) async fn client(&self) -> Client {
        Client::register(self.browser.clone(), dialect()).await
    }

    /// The user approves and is sent to the provider: where to.
    pub(crate) async fn departed(&self, client: &Client) -> String {
        let page = self.browser.open(&client.authorize_url()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.text);
        let away = self.browser.press(&page, "approve", &[]).await;
        let location = away.location().expect("the way to the provider");
        assert!(location.starts_with(self.upstream.idp().issuer().as_str()));
        location.to_owned()
    }

    /// The user signs in there and comes back.
    pub(crate) async fn arrived(&self, location: &str) -> Page {
        let callback = self.upstream.sign_in(location, "alice");
        self.browser.open(&callback).await
    }

    /// The provider's token, as a tool gets it for a caller with these tokens; or why it gets none.
    pub(crate) async fn upstream_token(&self, tokens: &Value) -> String {
        let authorization = format!("Bearer {}", text(tokens, "access_token"));
        let visit = Visit::get("/mcp").header("authorization", &authorization);
        back_channel(&self.browser, visit).await.text
    }

    /// A whole login.
    pub(crate) async fn tokens(&self, client: &Client) -> Value {
        let location = self.departed(client).await;
        let back = self.arrived(&location).await;
        let answer = back.answer();
        let code = answer.required("code").unwrap().to_owned();
        client.tokens(code).await
    }
}

/// A proxy in front of the provider.
pub(crate) fn builder(
    upstream: &ScriptedUpstream,
    store: &StoreHandle,
    clock: &Arc<MockClock>,
    seed: u64,
) -> OAuthProxyBuilder {
    let fetcher = Fetcher::trusted().allow_loopback(true).build().unwrap();
    OAuthProxy::builder(Upstream::oidc(upstream.idp().issuer().as_str()).name("Example Login"))
        .base_url(BASE)
        .client("proxy", SecretString::from("the upstream secret"))
        .scopes(scopes!["openid", "email", "profile"])
        .store(store.clone())
        .upstream_fetcher(fetcher)
        .clock(Arc::clone(clock) as SharedClock)
        .entropy(Arc::new(SeededEntropy::new(seed)))
}

/// What it serves.
pub(crate) fn site(proxy: &OAuthProxy) -> Router {
    let auth = proxy.clone().into_auth().unwrap();
    let mcp = Router::new().fallback(get(upstream_token).post(async || "{}"));
    auth.protect("/mcp", mcp).unwrap()
}

/// A tool that calls the provider.
async fn upstream_token(Extension(caller): Extension<AccessToken>) -> String {
    match load_upstream_tokens(&caller).await {
        Ok(token) => token.expose().to_owned(),
        Err(UpstreamTokenError::Ended) => "ended".to_owned(),
        Err(UpstreamTokenError::Unavailable(_)) => "unavailable".to_owned(),
        Err(other) => other.to_string(),
    }
}

/// What a client of none of the peculiarities says.
pub(crate) fn dialect() -> Dialect {
    Dialect {
        registration: json!({
            "client_name": "A program",
            "redirect_uris": ["http://127.0.0.1:33418/callback"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "http://127.0.0.1:33418/callback",
        query: "scope=openid+email&state=abc",
        granted: "openid email",
        ..plain()
    }
}
