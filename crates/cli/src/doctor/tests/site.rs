//! A server in which all is well, and what a test makes of its answers.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use portcullis_oauth::form::{Form, Limits};
use portcullis_oauth::json::{self, Map, Value, json};

/// A request, as a test looks at it.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: http::HeaderMap,
    pub(super) body: String,
    pub(super) base: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn is(&self, method: &str, path: &str) -> bool {
        self.method == method && self.path == path
    }

    /// For the MCP endpoint, without a token.
    pub(super) fn is_anonymous(&self) -> bool {
        self.path == "/mcp" && self.header("authorization").is_none() && self.method != "OPTIONS"
    }

    fn parameter(&self, name: &str) -> Option<String> {
        let form = Form::parse(self.query.as_bytes(), Limits::new(8192, 50, 4096)).ok()?;
        form.one(name).ok().flatten().map(str::to_owned)
    }
}

/// An answer, as a test may change it.
#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Reply {
    fn new(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(super) fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.unset(name);
        self.headers.push((name, value.into()));
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.headers.retain(|(known, _)| *known != name);
    }

    pub(super) fn status(&mut self, status: u16) {
        self.status = status;
    }

    /// The challenge, changed.
    pub(super) fn challenge(&mut self, change: impl Fn(&str) -> String) {
        for (name, value) in &mut self.headers {
            if *name == "www-authenticate" {
                *value = change(value);
            }
        }
    }

    /// The document, changed.
    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut Map<String, Value>)) {
        let document = json::value(self.body.as_bytes(), json::Limits::METADATA);
        if let Ok(Value::Object(mut members)) = document {
            edit(&mut members);
            self.body = Value::Object(members).to_string();
        }
    }

    pub(super) fn html(&mut self) {
        self.set("content-type", "text/html");
        "<html>hello</html>".clone_into(&mut self.body);
    }
}

pub(super) type Change = fn(&Asked, &mut Reply);

/// A site that listens.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Site {
    pub(super) async fn start(change: Change) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let base = format!("http://{address}");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (own, log) = (base.clone(), Arc::clone(&asked));
        let handler = move |request: Request| {
            let (base, log) = (own.clone(), Arc::clone(&log));
            async move {
                let (parts, body) = request.into_parts();
                let body = to_bytes(body, 1024 * 1024).await.unwrap();
                let asked = Asked {
                    method: parts.method.to_string(),
                    path: parts.uri.path().to_owned(),
                    query: parts.uri.query().unwrap_or_default().to_owned(),
                    headers: parts.headers,
                    body: String::from_utf8_lossy(&body).into_owned(),
                    base,
                };
                log.lock().unwrap().push(asked.clone());
                let mut reply = answer(&asked);
                change(&asked, &mut reply);
                let mut response = Response::builder().status(reply.status);
                for (name, value) in reply.headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(reply.body)).unwrap()
            }
        };
        let app = Router::new().fallback(handler);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, asked }
    }

    pub(super) fn url(&self) -> String {
        format!("{}/mcp", self.base)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

pub(super) const TOKEN: &str = "good-token-4711";

fn answer(asked: &Asked) -> Reply {
    let mut reply = match asked.path.as_str() {
        "/mcp" => return mcp(asked),
        "/.well-known/oauth-protected-resource/mcp" | "/.well-known/oauth-protected-resource" => {
            Reply::new(
                200,
                &json!({
                    "resource": format!("{}/mcp", asked.base),
                    "authorization_servers": [asked.base],
                    "scopes_supported": ["mcp:read"],
                    "bearer_methods_supported": ["header"],
                }),
            )
        }
        "/.well-known/oauth-authorization-server" => metadata(&asked.base),
        "/jwks" => Reply::new(200, &json!({ "keys": [key()] })),
        "/register" => registration(asked),
        "/clients/1" => Reply::empty(204),
        "/authorize" => return authorize(asked),
        "/token" => Reply::new(400, &json!({ "error": "invalid_grant" })),
        _ => Reply::empty(404),
    };
    if asked.method == "OPTIONS" {
        reply = Reply::empty(204);
        reply.set("access-control-allow-headers", "mcp-protocol-version");
    }
    reply.set("access-control-allow-origin", "*");
    reply.set("cache-control", "no-store");
    reply
}

/// What the authorization server says of itself.
pub(super) fn metadata(base: &str) -> Reply {
    let document = json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "registration_endpoint": format!("{base}/register"),
        "jwks_uri": format!("{base}/jwks"),
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        "scopes_supported": ["mcp:read", "offline_access"],
        "client_id_metadata_document_supported": true,
        "authorization_response_iss_parameter_supported": true,
    });
    let mut reply = Reply::new(200, &document);
    reply.set("access-control-allow-origin", "*");
    reply
}

/// RFC 8037 appendix A.2.
pub(super) fn key() -> Value {
    json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "1",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    })
}

fn registration(asked: &Asked) -> Reply {
    let body = json::value(asked.body.as_bytes(), json::Limits::METADATA).unwrap_or_default();
    let mut reply = Reply::new(201, &body);
    reply.edit(|document| {
        document.retain(|_, value| *value != "");
        document.insert("client_id".to_owned(), json!("client-1"));
        // As node-oidc-provider has it: nobody minds an empty list here.
        document.insert("post_logout_redirect_uris".to_owned(), json!([]));
        document.insert(
            "registration_client_uri".to_owned(),
            json!(format!("{}/clients/1", asked.base)),
        );
        document.insert(
            "registration_access_token".to_owned(),
            json!("management-token"),
        );
    });
    reply
}

fn authorize(asked: &Asked) -> Reply {
    let redirect_uri = asked.parameter("redirect_uri").unwrap_or_default();
    if !redirect_uri.starts_with("https://claude.ai/") {
        let mut reply = Reply::empty(400);
        reply.html();
        return reply;
    }
    let mut reply = Reply::empty(302);
    let to = match asked.parameter("code_challenge") {
        Some(_) => format!("{}/login", asked.base),
        None => format!("{redirect_uri}?error=invalid_request&iss={}", asked.base),
    };
    reply.set("location", to);
    reply
}

fn mcp(asked: &Asked) -> Reply {
    if asked
        .header("host")
        .is_none_or(|host| !host.starts_with("127.0.0.1:"))
    {
        return Reply::empty(421);
    }
    let origin = asked.header("origin");
    if origin.is_some_and(|origin| !origin.starts_with("http://localhost:")) {
        return Reply::empty(403);
    }
    if asked.method == "OPTIONS" {
        let mut reply = Reply::empty(204);
        reply.set("access-control-allow-origin", origin.unwrap_or_default());
        reply.set(
            "access-control-allow-headers",
            "authorization, content-type",
        );
        return reply;
    }
    let bearer = asked.header("authorization");
    if bearer != Some(&format!("Bearer {TOKEN}")) {
        let error = bearer.map_or("", |_| ", error=\"invalid_token\"");
        let mut reply = Reply::new(401, &json!({ "error": "unauthorized" }));
        reply.set(
            "www-authenticate",
            format!(
                "Bearer resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\", scope=\"mcp:read\"{error}",
                asked.base
            ),
        );
        return reply;
    }
    called(asked)
}

/// What MCP answers to somebody who may call.
pub(super) fn called(asked: &Asked) -> Reply {
    match asked.method.as_str() {
        "GET" => Reply::empty(405),
        "DELETE" => Reply::empty(204),
        _ if asked.body.contains("notifications/") => Reply::empty(202),
        _ => {
            let mut reply = Reply::new(200, &json!({ "jsonrpc": "2.0", "id": 1, "result": {} }));
            if asked.body.contains("\"initialize\"") {
                reply.set("mcp-session-id", "session-1");
            }
            reply
        }
    }
}
