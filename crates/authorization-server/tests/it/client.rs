//! A client, by what it says.

use http::{Method, StatusCode};
use portcullis_oauth::form;
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::pkce::CodeVerifier;
use portcullis_testkit::{Browser, Page, Visit};

use crate::world::{self, BASE, RESOURCE};

/// RFC 7636, appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What a client says.
pub(crate) struct Dialect {
    /// The body of its registration.
    pub(crate) registration: Value,
    /// The redirect URI of its authorization request.
    pub(crate) redirect_uri: &'static str,
    /// The rest of that request, as it was written, and its `resource`.
    pub(crate) query: &'static str,
    pub(crate) resource: Option<&'static str>,
    /// Whether it calls the endpoints by the names that they had in 2025.
    pub(crate) old_paths: bool,
    /// The scope of its access token.
    pub(crate) granted: &'static str,
}

/// What a client of none of the peculiarities below says.
pub(crate) fn plain() -> Dialect {
    Dialect {
        registration: Value::Null,
        redirect_uri: "",
        query: "scope=notes%3Aread&state=abc",
        resource: Some(RESOURCE),
        old_paths: false,
        granted: "notes:read",
    }
}

/// A client that is registered.
pub(crate) struct Client {
    pub(crate) dialect: Dialect,
    pub(crate) browser: Browser,
    pub(crate) registered: Value,
}

impl Client {
    pub(crate) async fn register(browser: Browser, dialect: Dialect) -> Self {
        let path = dialect.path("register");
        let request = Visit::post(path, &[])
            .header("content-type", "application/json")
            .body(dialect.registration.to_string());
        let answer = back_channel(&browser, request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let registered = world::json(&answer);
        // What strict readers want: arrays, and no `null`.
        assert!(registered["grant_types"].is_array() && registered["response_types"].is_array());
        assert!(!answer.text.contains("null"), "{}", answer.text);
        let has_secret = registered.get("client_secret").is_some();
        assert_eq!(
            has_secret,
            registered["token_endpoint_auth_method"] != "none"
        );
        Self {
            dialect,
            browser,
            registered,
        }
    }

    /// A person signs in, if they have to, and consents.
    pub(crate) async fn code(&self) -> String {
        let dialect = &self.dialect;
        let page = self.consent_page().await;
        let back = self.browser.press(&page, "approve", &[]).await;
        let location = back.location().expect("the way back");
        assert!(location.starts_with(dialect.redirect_uri), "{location}");
        let answer = back.answer();
        assert_eq!(answer.one("iss").unwrap(), Some(BASE));
        let asked = form::Form::parse(dialect.query.as_bytes(), form::Limits::ENDPOINT).unwrap();
        assert_eq!(answer.one("state").unwrap(), asked.one("state").unwrap());
        answer.required("code").unwrap().to_owned()
    }

    /// From the request, by way of the login, to the page that asks.
    pub(crate) async fn consent_page(&self) -> Page {
        let page = self.browser.open(&self.authorize_url()).await;
        let fields = [("username", "casey"), ("password", world::PASSWORD)];
        self.browser.press(&page, "Sign in", &fields).await
    }

    /// Where it sends the browser.
    pub(crate) fn authorize_url(&self) -> String {
        let dialect = &self.dialect;
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge();
        let mut fixed = vec![
            ("response_type", "code"),
            ("client_id", self.id()),
            ("redirect_uri", dialect.redirect_uri),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        fixed.extend(dialect.resource.map(|resource| ("resource", resource)));
        let (path, fixed) = (dialect.path("authorize"), form::encode(&fixed));
        format!("{path}?{fixed}&{}", dialect.query)
    }

    /// The id that it was given.
    pub(crate) fn id(&self) -> &str {
        text(&self.registered, "client_id")
    }

    pub(crate) async fn tokens(&self, code: String) -> Value {
        let redirect_uri = self.dialect.redirect_uri;
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    pub(crate) async fn refresh(&self, tokens: &Value) -> Value {
        let token = text(tokens, "refresh_token");
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Value {
        let mut fields = fields.to_vec();
        fields.extend(self.dialect.resource.map(|resource| ("resource", resource)));
        let answer = self.post("token", fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store");
        world::json(&answer)
    }

    pub(crate) async fn revoke(&self, tokens: &Value) {
        let fields = vec![("token", text(tokens, "access_token"))];
        let answer = self.post("revoke", fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }

    /// With the secret in the body, for those who have one.
    pub(crate) async fn post<'a>(
        &'a self,
        endpoint: &str,
        mut fields: Vec<(&'a str, &'a str)>,
    ) -> Page {
        fields.push(("client_id", text(&self.registered, "client_id")));
        let secret = self.registered.get("client_secret").and_then(Value::as_str);
        fields.extend(secret.map(|secret| ("client_secret", secret)));
        let request = Visit::post(self.dialect.path(endpoint), &fields);
        back_channel(&self.browser, request).await
    }

    pub(crate) async fn call(&self, tokens: &Value) -> StatusCode {
        let authorization = format!("Bearer {}", text(tokens, "access_token"));
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let request = Visit::get(self.dialect.path_of_mcp())
            .method(Method::POST)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("authorization", &authorization)
            .body(call.to_string());
        back_channel(&self.browser, request).await.status
    }
}

impl Dialect {
    /// Where it calls tools: the path of its resource, or where there is one that it did not name.
    fn path_of_mcp(&self) -> &str {
        let path = self.resource.and_then(|url| url.strip_prefix(BASE));
        path.filter(|path| path.len() > 1).unwrap_or("/mcp")
    }

    fn path(&self, endpoint: &str) -> String {
        let folder = if self.old_paths && endpoint != "revoke" {
            ""
        } else {
            "/oauth"
        };
        format!("{folder}/{endpoint}")
    }
}

/// As a program sends it: without a browser's headers and cookies.
pub(crate) async fn back_channel(browser: &Browser, request: Visit) -> Page {
    let names = [
        "origin",
        "sec-fetch-site",
        "sec-fetch-mode",
        "sec-fetch-dest",
    ];
    let request = names.into_iter().fold(request, Visit::without_header);
    browser.visit(request.without_cookies()).await
}

pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {name} in {object}"))
}

pub(crate) fn sorted(scope: &str) -> Vec<&str> {
    let mut words: Vec<&str> = scope.split(' ').collect();
    words.sort_unstable();
    words
}
