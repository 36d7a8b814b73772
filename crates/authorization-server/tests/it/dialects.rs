//! The whole way of clients that many people use, in the words that each of them was heard to say:
//! registration, authorization, token, a call, refresh, revocation.

use http::{Method, StatusCode};
use portcullis_oauth::form;
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::pkce::CodeVerifier;
use portcullis_testkit::{Browser, Page, Visit};

use crate::world::{self, BASE, RESOURCE};

/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// What a client says.
struct Dialect {
    /// The body of its registration.
    registration: Value,
    /// The redirect URI of its authorization request.
    redirect_uri: &'static str,
    /// The rest of that request, as it was written, and its `resource`.
    query: &'static str,
    resource: Option<&'static str>,
    /// Whether it calls the endpoints by the names that they had in 2025.
    old_paths: bool,
    /// The scope of its access token.
    granted: &'static str,
}

/// What a client of none of the peculiarities below says.
fn plain() -> Dialect {
    Dialect {
        registration: Value::Null,
        redirect_uri: "",
        query: "scope=notes%3Aread&state=abc",
        resource: Some(RESOURCE),
        old_paths: false,
        granted: "notes:read",
    }
}

#[tokio::test]
async fn a1_a10_r5_claude_leads_its_scope_with_a_space_and_keeps_a_secret() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Claude",
            "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "client_secret_post",
            "scope": "notes:read notes:write offline_access",
        }),
        redirect_uri: "https://claude.ai/api/mcp/auth_callback",
        query: "scope=+offline_access+notes%3Aread+notes%3Awrite&prompt=consent&state=x7-Jp0Wm3A9wSv8iTqQ2mYbq0Wm1pJ0f9c3Zb4v5n6M",
        granted: "notes:read notes:write offline_access",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a5_claude_code_names_the_origin_and_another_port() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Claude Code (notes)",
            "redirect_uris": ["http://localhost:3118/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "http://localhost:61234/callback",
        resource: Some("https://mcp.example.com/"),
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn d2_an_old_claude_calls_the_endpoints_at_the_root() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "claudeai",
            "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "https://claude.ai/api/mcp/auth_callback",
        query: "scope=notes%3Aread&state=abc",
        resource: None,
        old_paths: true,
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a10_chatgpt_asks_for_scopes_of_openid_too() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "ChatGPT",
            "redirect_uris": ["https://chatgpt.com/connector_platform_oauth_redirect"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "https://chatgpt.com/connector_platform_oauth_redirect",
        query: "scope=openid+email+offline_access+notes%3Aread&state=oauth_s_1",
        granted: "notes:read offline_access",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r1_cursor_registers_three_uris_and_uses_its_own_scheme() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Cursor",
            "redirect_uris": [
                "cursor://anysphere.cursor-mcp/oauth/callback",
                "https://www.cursor.com/agents/mcp/oauth/callback",
                "http://localhost:8787/callback",
            ],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "cursor://anysphere.cursor-mcp/oauth/callback",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r2_a5_visual_studio_code_uses_a_port_that_it_did_not_register() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Visual Studio Code",
            "client_uri": "https://code.visualstudio.com",
            "redirect_uris": [
                "https://insiders.vscode.dev/redirect",
                "https://vscode.dev/redirect",
                "http://127.0.0.1/",
                "http://127.0.0.1:33418/",
            ],
            "grant_types": [
                "authorization_code",
                "refresh_token",
                "urn:ietf:params:oauth:grant-type:device_code",
            ],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }),
        redirect_uri: "http://127.0.0.1:51423/",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r3_gemini_registers_an_empty_scope() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "Gemini CLI MCP Client",
            "redirect_uris": ["http://localhost:7777/oauth/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "",
        }),
        redirect_uri: "http://localhost:7777/oauth/callback",
        query: "scope=notes%3Aread+notes%3Awrite+offline_access&state=abc",
        granted: "notes:read notes:write offline_access",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r4_a1_copilot_asks_for_no_scope_and_gets_the_default() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "GitHub Copilot CLI",
            "redirect_uris": ["http://127.0.0.1:33418/"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "http://127.0.0.1:40022/",
        query: "state=abc",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn r6_lm_studio_registers_two_members() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "LM Studio",
            "redirect_uris": ["http://localhost:1234/callback"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "http://localhost:1234/callback",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a10_mcp_remote_knows_no_scope_but_those_of_openid() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "MCP CLI Proxy",
            "client_uri": "https://github.com/modelcontextprotocol/mcp-cli",
            "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
            "software_version": "0.15.1",
            "redirect_uris": ["http://localhost:3334/oauth/callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "openid email profile",
        }),
        redirect_uri: "http://localhost:3334/oauth/callback",
        query: "scope=openid+email+profile&state=abc",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a3_an_old_inspector_sends_no_state() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "MCP Inspector",
            "client_uri": "https://github.com/modelcontextprotocol/inspector",
            "redirect_uris": ["http://localhost:6274/oauth/callback/debug"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "scope": "notes:read",
        }),
        redirect_uri: "http://localhost:6274/oauth/callback/debug",
        query: "scope=notes%3Aread",
        ..plain()
    };
    walk(dialect).await;
}

#[tokio::test]
async fn a5_goose_listens_wherever_it_can() {
    let dialect = Dialect {
        registration: json!({
            "client_name": "goose",
            "redirect_uris": ["http://127.0.0.1:54321/oauth_callback"],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": "none",
            "application_type": "native",
        }),
        redirect_uri: "http://127.0.0.1:54321/oauth_callback",
        ..plain()
    };
    walk(dialect).await;
}

/// From the registration to the revocation.
async fn walk(dialect: Dialect) {
    let client = Client::register(world::browser(), dialect).await;
    let first = client.tokens(client.code().await).await;
    assert_eq!(text(&first, "token_type"), "Bearer");
    assert!(first.get("expires_in").is_some_and(Value::is_u64), "T10");
    assert_eq!(
        sorted(text(&first, "scope")),
        sorted(client.dialect.granted)
    );
    assert_eq!(client.call(&first).await, StatusCode::OK);

    let second = client.refresh(&first).await;
    assert_eq!(client.call(&second).await, StatusCode::OK);
    assert_ne!(
        text(&first, "refresh_token"),
        text(&second, "refresh_token")
    );
    // T5: what got lost on its way comes once more.
    assert_eq!(client.refresh(&first).await, second);

    client.revoke(&second).await;
    assert_eq!(client.call(&second).await, StatusCode::UNAUTHORIZED);
}

/// A client that is registered.
struct Client {
    dialect: Dialect,
    browser: Browser,
    registered: Value,
}

impl Client {
    async fn register(browser: Browser, dialect: Dialect) -> Self {
        let path = dialect.path("register");
        let request = Visit::post(path, &[])
            .header("content-type", "application/json")
            .body(dialect.registration.to_string());
        let answer = back_channel(&browser, request).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let registered = world::json(&answer);
        // What strict readers want: arrays, and no `null` (R6, R7, D9).
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
    async fn code(&self) -> String {
        let dialect = &self.dialect;
        let challenge = CodeVerifier::parse(VERIFIER).unwrap().challenge();
        let id = text(&self.registered, "client_id");
        let mut fixed = vec![
            ("response_type", "code"),
            ("client_id", id),
            ("redirect_uri", dialect.redirect_uri),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        fixed.extend(dialect.resource.map(|resource| ("resource", resource)));
        let (path, fixed) = (dialect.path("authorize"), form::encode(&fixed));
        let page = self
            .browser
            .open(&format!("{path}?{fixed}&{}", dialect.query))
            .await;
        let fields = [("username", "casey"), ("password", world::PASSWORD)];
        let page = self.browser.press(&page, "Sign in", &fields).await;
        let back = self.browser.press(&page, "approve", &[]).await;
        let location = back.location().expect("the way back");
        assert!(location.starts_with(dialect.redirect_uri), "{location}");
        let answer = back.answer();
        assert_eq!(answer.one("iss").unwrap(), Some(BASE));
        let asked = form::Form::parse(dialect.query.as_bytes(), form::Limits::ENDPOINT).unwrap();
        assert_eq!(answer.one("state").unwrap(), asked.one("state").unwrap());
        answer.required("code").unwrap().to_owned()
    }

    async fn tokens(&self, code: String) -> Value {
        let redirect_uri = self.dialect.redirect_uri;
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    async fn refresh(&self, tokens: &Value) -> Value {
        let token = text(tokens, "refresh_token");
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Value {
        let mut fields = fields.to_vec();
        fields.extend(self.dialect.resource.map(|resource| ("resource", resource)));
        let answer = self.post("token", fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.header("cache-control"), "no-store", "T10");
        world::json(&answer)
    }

    async fn revoke(&self, tokens: &Value) {
        let fields = vec![("token", text(tokens, "access_token"))];
        let answer = self.post("revoke", fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }

    /// With the secret in the body, for those who have one.
    async fn post<'a>(&'a self, endpoint: &str, mut fields: Vec<(&'a str, &'a str)>) -> Page {
        fields.push(("client_id", text(&self.registered, "client_id")));
        let secret = self.registered.get("client_secret").and_then(Value::as_str);
        fields.extend(secret.map(|secret| ("client_secret", secret)));
        let request = Visit::post(self.dialect.path(endpoint), &fields);
        back_channel(&self.browser, request).await
    }

    async fn call(&self, tokens: &Value) -> StatusCode {
        let authorization = format!("Bearer {}", text(tokens, "access_token"));
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "ping"});
        let request = Visit::get("/mcp")
            .method(Method::POST)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("authorization", &authorization)
            .body(call.to_string());
        back_channel(&self.browser, request).await.status
    }
}

impl Dialect {
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
async fn back_channel(browser: &Browser, request: Visit) -> Page {
    let names = [
        "origin",
        "sec-fetch-site",
        "sec-fetch-mode",
        "sec-fetch-dest",
    ];
    let request = names.into_iter().fold(request, Visit::without_header);
    browser.visit(request.without_cookies()).await
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_else(|| panic!("no {name} in {object}"))
}

fn sorted(scope: &str) -> Vec<&str> {
    let mut words: Vec<&str> = scope.split(' ').collect();
    words.sort_unstable();
    words
}
