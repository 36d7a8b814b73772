//! A server, its users, and what a client says to it.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use portcullis_authorization_server::{
    Attempt, Authenticate, Authentication, ConfiguredClient, OAuthProvider, RateLimits, User,
};
use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::form;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{BaseUrl, Subject, scopes};
use portcullis_resource_server::{IntoAuth as _, Unavailable};
use portcullis_store::StoreHandle;
use portcullis_testkit::{Browser, MockClock};
use tower::{ServiceExt as _, service_fn};

use crate::world::{BASE, PASSWORD, RESOURCE};

pub(super) const CLIENT: &str = "racer";
pub(super) const REDIRECT: &str = "http://127.0.0.1/cb";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A server on that store, as its operator would build it. Its clock stands still.
pub(super) async fn server(store: StoreHandle) -> Router {
    let provider = OAuthProvider::builder()
        .base_url(BASE)
        .users(Everybody)
        .client(ConfiguredClient::new(CLIENT).redirect_uri(REDIRECT))
        .store(store)
        .scopes(scopes!["notes:read"])
        .rate_limits(RateLimits::default().times(1_000_000))
        .clock(Arc::new(MockClock::at(1_790_000_000)))
        .entropy(Arc::new(SystemEntropy::new()))
        .build()
        .unwrap();
    provider.start().await.unwrap();
    let welcome = service_fn(async |_: Request| Ok::<_, std::convert::Infallible>("{}"));
    let auth = provider.into_auth().unwrap();
    auth.protect("/mcp", welcome).unwrap()
}

/// Whoever knows the one password.
struct Everybody;

impl Authenticate for Everybody {
    async fn authenticate(&self, attempt: &Attempt<'_>) -> Result<Authentication, Unavailable> {
        let is_right = attempt.password.ct_eq(PASSWORD.as_bytes());
        let user = Subject::parse(attempt.username).ok().map(User::new);
        Ok(user.filter(|_| is_right).into())
    }

    async fn find(&self, subject: &Subject) -> Result<Option<User>, Unavailable> {
        Ok(Some(User::new(subject.clone())))
    }
}

/// An answer of the token endpoint.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    body: Value,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) access: String,
    pub(super) refresh: String,
}

impl Answer {
    /// The tokens, if these are some.
    pub(super) fn tokens(&self) -> Option<Tokens> {
        let text = |name: &str| self.body[name].as_str().map(str::to_owned);
        Some(Tokens {
            access: text("access_token").filter(|_| self.status == 200)?,
            refresh: text("refresh_token")?,
        })
    }

    /// Whether it is `invalid_grant`, the one refusal that a client may get here.
    pub(super) fn is_refusal(&self) -> bool {
        self.status == 400 && self.body["error"] == "invalid_grant"
    }

    /// Whether nobody knows what became of the request.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.status, 502 | 503)
    }
}

/// A client, and the site that it asks.
#[derive(Clone)]
pub(super) struct Client(pub(super) Router);

impl Client {
    /// Somebody's browser.
    pub(super) fn browser(&self) -> Browser {
        Browser::new(self.0.clone(), &BaseUrl::parse(BASE).unwrap())
    }

    pub(super) async fn redeem(&self, code: &str) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oauth/token", &fields).await
    }

    pub(super) async fn refresh(&self, token: &str) -> Answer {
        let fields = [
            ("grant_type", "refresh_token"),
            ("client_id", CLIENT),
            ("refresh_token", token),
        ];
        self.post("/oauth/token", &fields).await
    }

    pub(super) async fn revoke(&self, token: &str) -> Answer {
        let fields = [("client_id", CLIENT), ("token", token)];
        self.post("/oauth/revoke", &fields).await
    }

    /// The status that the protected server answers with.
    pub(super) async fn call(&self, access: &str) -> u16 {
        self.ask(access, "ping").await.0
    }

    /// The status, and what it says.
    pub(super) async fn ask(&self, access: &str, method: &str) -> (u16, String) {
        let call = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#);
        let request = Request::post("/mcp")
            .header(HOST, HOST_OF_BASE)
            .header(AUTHORIZATION, format!("Bearer {access}"))
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream")
            .body(Body::from(call));
        let answer = self.0.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = Request::post(path)
            .header(HOST, HOST_OF_BASE)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form::encode(fields)));
        let answer = self.0.clone().oneshot(request.unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: head.status.as_u16(),
            body: json::value(&body, Limits::METADATA).unwrap_or_default(),
        }
    }
}

/// The host of [`BASE`].
const HOST_OF_BASE: &str = "mcp.example.com";

/// A code that a user approves, who signs in where that is asked for. Nothing if a process was killed
/// on the way.
pub(super) async fn code(browser: &Browser, user: &str) -> Option<String> {
    let mut page = browser.open(&authorize_url()).await;
    if page.has_button("Sign in") {
        let fields = [("username", user), ("password", PASSWORD)];
        page = browser.press(&page, "Sign in", &fields).await;
    }
    if !page.has_button("approve") {
        return None;
    }
    let page = browser.press(&page, "approve", &[]).await;
    page.location()?;
    page.answer().one("code").unwrap().map(str::to_owned)
}

/// Where a client sends a browser.
pub(super) fn authorize_url() -> String {
    let query = form::encode(&[
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
        ("scope", "notes:read offline_access"),
    ]);
    format!("/oauth/authorize?{query}")
}
