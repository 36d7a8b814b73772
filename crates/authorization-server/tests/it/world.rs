//! A server with a household of users, as its operator would build it, and browsers in front of it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use portcullis_authorization_server::{Attempt, Authenticate, Authentication, OAuthProvider, User};
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{BaseUrl, Subject, scopes};
use portcullis_resource_server::{IntoAuth as _, Unavailable};
use portcullis_store::MemoryStore;
use portcullis_testkit::{Browser, MockClock, Page, SeededEntropy};
use tower::service_fn;

pub(crate) const BASE: &str = "https://mcp.example.com";
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A browser in front of a new server.
pub(crate) fn browser() -> Browser {
    Browser::new(site(), &BaseUrl::parse(BASE).unwrap())
}

/// A protected endpoint that is content with everybody it lets in.
fn site() -> Router {
    let provider = OAuthProvider::builder()
        .base_url(BASE)
        .users(Household)
        .store(MemoryStore::new())
        .scopes(scopes!["notes:read", "notes:write"])
        .default_scopes(scopes!["notes:read"])
        .clock(Arc::new(MockClock::at(1_790_000_000)))
        .entropy(Arc::new(SeededEntropy::new(7)))
        .build()
        .unwrap();
    let welcome = service_fn(async |_: Request| Ok::<_, Infallible>("{}"));
    let auth = provider.into_auth().unwrap();
    auth.protect("/mcp", welcome).unwrap()
}

/// The JSON of an answer.
pub(crate) fn json(page: &Page) -> Value {
    json::value(page.text.as_bytes(), Limits::MCP).unwrap()
}

/// `casey`, by the one password.
struct Household;

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
