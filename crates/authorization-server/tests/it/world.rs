//! A server with a household of users, as its operator would build it, and browsers in front of it.

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use portcullis_authorization_server::{
    Attempt, Authenticate, Authentication, OAuthProvider, OAuthProviderBuilder, User,
};
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{BaseUrl, SharedClock, Subject, scopes};
use portcullis_resource_server::{Auth, IntoAuth as _, Unavailable};
use portcullis_store::MemoryStore;
use portcullis_testkit::{Browser, MockClock, Page, SeededEntropy};

pub(crate) const BASE: &str = "https://mcp.example.com";
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A browser in front of a new server.
pub(crate) fn browser() -> Browser {
    World::new().browser
}

/// A server, and a browser in front of it.
pub(crate) struct World {
    pub(crate) browser: Browser,
    pub(crate) clock: Arc<MockClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    /// One that is built otherwise.
    pub(crate) fn with(change: impl FnOnce(OAuthProviderBuilder) -> OAuthProviderBuilder) -> Self {
        Self::mounted(change, |auth| auth.protect("/mcp", welcome()).unwrap())
    }

    /// One that protects something else.
    pub(crate) fn mounted(
        change: impl FnOnce(OAuthProviderBuilder) -> OAuthProviderBuilder,
        mount: impl FnOnce(Auth) -> Router,
    ) -> Self {
        let clock = Arc::new(MockClock::at(1_790_000_000));
        let builder = OAuthProvider::builder()
            .base_url(BASE)
            .users(Household)
            .store(MemoryStore::new())
            .scopes(scopes!["notes:read", "notes:write"])
            .default_scopes(scopes!["notes:read"])
            .clock(Arc::clone(&clock) as SharedClock)
            .entropy(Arc::new(SeededEntropy::new(7)));
        let provider = change(builder).build().unwrap();
        let site = mount(provider.into_auth().unwrap());
        Self {
            browser: Browser::new(site, &BaseUrl::parse(BASE).unwrap()),
            clock,
        }
    }
}

/// An endpoint that is content with everybody who is let in.
pub(crate) fn welcome() -> Router {
    Router::new().fallback(any(async || "{}"))
}

/// The JSON of an answer.
pub(crate) fn json(page: &Page) -> Value {
    json::value(page.text.as_bytes(), Limits::MCP).unwrap()
}

/// `casey`, by the one password.
pub(crate) struct Household;

impl Authenticate for Household {
    async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        let is_right = attempt.password.ct_eq(PASSWORD.as_bytes());
        let user = Some(attempt.username).filter(|_| is_right).and_then(user);
        Ok(user.into())
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        Ok(user(subject.as_str()))
    }
}

fn user(name: &str) -> Option<User> {
    let is_known = name == "casey";
    is_known.then(|| User::new(Subject::parse(name).unwrap()).name("Casey"))
}
