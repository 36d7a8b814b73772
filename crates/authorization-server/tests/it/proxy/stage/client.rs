//! What clients say, and what they get.

use axum::Router;
use http::{Method, StatusCode};
use portcullis_oauth::crypto::base64url;
use portcullis_oauth::json::{self, Limits, Value, json};
use portcullis_testkit::{Page, Visit};

use super::browser;
use crate::client::{VERIFIER, back_channel};

/// A client that the operator configured.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct App {
    pub(in crate::proxy) id: &'static str,
    pub(in crate::proxy) redirect_uri: &'static str,
    pub(in crate::proxy) secret: Option<&'static str>,
    pub(in crate::proxy) scope: &'static str,
}

pub(in crate::proxy) const DESK: App = App {
    id: "desk",
    redirect_uri: "http://127.0.0.1:7000/cb",
    secret: None,
    scope: "openid files:read",
};
pub(in crate::proxy) const SHOP: App = App {
    id: "shop",
    redirect_uri: "https://shop.example/cb",
    secret: Some("Zq8-uW3_kT5vN1xR7mB2cD9eF4gH6jL0"),
    scope: "openid files:read",
};

impl App {
    pub(in crate::proxy) const fn asking(self, scope: &'static str) -> Self {
        Self { scope, ..self }
    }
}

/// An answer of the token endpoint.
#[derive(Clone, Debug)]
pub(in crate::proxy) struct Answer {
    pub(in crate::proxy) page: Page,
    pub(in crate::proxy) body: Value,
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Tokens {
    pub(in crate::proxy) access: String,
    pub(in crate::proxy) refresh: Option<String>,
    pub(in crate::proxy) scope: Vec<String>,
    pub(in crate::proxy) expires_in: u64,
}

impl Tokens {
    #[track_caller]
    pub(in crate::proxy) fn refresh(&self) -> &str {
        self.refresh.as_deref().expect("there is a refresh token")
    }

    /// The claims of the access token.
    pub(in crate::proxy) fn claims(&self) -> Value {
        let payload = self.access.split('.').nth(1).unwrap();
        let payload = base64url::decode_strict(payload).unwrap();
        json::value(&payload, Limits::JOSE).unwrap()
    }
}

impl Answer {
    #[track_caller]
    pub(in crate::proxy) fn tokens(&self) -> Tokens {
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
    pub(in crate::proxy) fn refusal(&self) -> (u16, &str) {
        let error = self.body["error"].as_str().unwrap_or_default();
        (self.page.status.as_u16(), error)
    }
}

pub(in crate::proxy) async fn redeem(site: &Router, app: App, code: &str) -> Answer {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", app.redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    token(site, app, &fields).await
}

pub(in crate::proxy) async fn refresh(site: &Router, app: App, token: &str) -> Answer {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
    self::token(site, app, &fields).await
}

/// With the client's credentials in the body.
pub(in crate::proxy) async fn token(site: &Router, app: App, fields: &[(&str, &str)]) -> Answer {
    let mut fields = fields.to_vec();
    fields.push(("client_id", app.id));
    fields.extend(app.secret.map(|secret| ("client_secret", secret)));
    let request = Visit::post("/oauth/token", &fields);
    let page = back_channel(&browser(site), request).await;
    let body = json::value(page.text.as_bytes(), Limits::METADATA).unwrap_or_default();
    Answer { page, body }
}

pub(in crate::proxy) async fn revoke(site: &Router, app: App, token: &str) -> Page {
    let mut fields = vec![("token", token), ("client_id", app.id)];
    fields.extend(app.secret.map(|secret| ("client_secret", secret)));
    let request = Visit::post("/oauth/revoke", &fields);
    back_channel(&browser(site), request).await
}

pub(in crate::proxy) async fn load(site: &Router, access: &str) -> String {
    let page = ask_with(site, access, |visit| visit.header("x-load", "yes")).await;
    if page.status == StatusCode::OK {
        page.text
    } else {
        page.status.as_str().to_owned()
    }
}

/// What a handler has that asks for a token of another API.
pub(in crate::proxy) async fn load_for(site: &Router, access: &str, api: &str) -> String {
    let page = ask_with(site, access, |visit| {
        visit.header("x-load", "yes").header("x-api", api)
    });
    let page = page.await;
    if page.status == StatusCode::OK {
        page.text
    } else {
        page.status.as_str().to_owned()
    }
}

pub(in crate::proxy) async fn call(site: &Router, access: &str) -> Page {
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
