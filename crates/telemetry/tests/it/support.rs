//! An endpoint with two users, and a file of its own for each test.

use std::convert::Infallible;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{BaseUrl, scopes};
use portcullis_resource_server::mcp::{AccessPolicy, Deciding, Decision, Operation, Target};
use portcullis_resource_server::{
    AccessToken, Auth, ClientAddress, Incident, StaticToken, StaticTokenVerifier,
};
use tower::{ServiceExt as _, service_fn};

/// What may be in no line, label or span.
pub(crate) const CANARY: &str = "canary-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d";

/// `add_note` needs a scope, `secret` is hidden.
struct Rules;

impl AccessPolicy for Rules {
    fn decide<'a>(
        &'a self,
        token: Option<&'a AccessToken>,
        operation: &'a Operation<'a>,
    ) -> Deciding<'a> {
        let needed = scopes!["notes:write"];
        Deciding::ready(match operation.target() {
            Target::Tool(name) if name == "secret" => Decision::Hide,
            Target::Tool(name) if name == "add_note" => match token {
                Some(token) if token.has_scopes(&needed) => Decision::Allow,
                _ => Decision::StepUp(needed),
            },
            _ => Decision::Allow,
        })
    }
}

pub(crate) fn auth() -> Auth {
    let verifier = StaticTokenVerifier::builder()
        .issuer("https://auth.example.com")
        .token(
            CANARY.into(),
            StaticToken::new("alice")
                .client_id("cli")
                .scopes(scopes!["notes:read", "notes:write"])
                .claim("email", "alice@example.com"),
        )
        .token(
            format!("bob-{CANARY}").into(),
            StaticToken::new("bob").scopes(scopes!["notes:read"]),
        )
        .build()
        .unwrap();
    Auth::new(verifier)
        .base_url(BaseUrl::parse("https://mcp.example.com").unwrap())
        .access_policy(Arc::new(Rules))
}

/// A server that opens sessions, answers everything, and fails when `fail` is called.
pub(crate) struct Endpoint {
    pub(crate) app: Router,
    pub(crate) calls: Arc<AtomicUsize>,
}

impl Endpoint {
    pub(crate) fn new(auth: &Auth) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let server = service_fn(move |request: Request<Body>| {
            counted.fetch_add(1, Ordering::SeqCst);
            async move {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let has = |text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
                let mut response = Response::builder().header("content-type", "application/json");
                if has("initialize") {
                    response = response.header("mcp-session-id", format!("session-{CANARY}"));
                }
                let mut response = response.body(Body::from("{}")).unwrap();
                if has(r#""fail""#) {
                    *response.status_mut() = StatusCode::BAD_GATEWAY;
                    response.extensions_mut().insert(Incident::new());
                }
                Ok::<_, Infallible>(response)
            }
        });
        let app = auth.protect("/mcp", server).unwrap();
        Self { app, calls }
    }

    /// Calls a tool, as `alice`, `bob`, or nobody.
    pub(crate) async fn call(&self, who: &str, tool: &str) -> StatusCode {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{
            "name":"{tool}","arguments":{{"text":"{CANARY}"}}}}}}"#
        );
        self.post(who, &body, &[]).await
    }

    pub(crate) async fn post(&self, who: &str, body: &str, headers: &[(&str, &str)]) -> StatusCode {
        let mut request = Request::post("/mcp")
            .header("host", "mcp.example.com")
            .header("content-type", "application/json")
            .header("cookie", CANARY)
            .header("x-api-key", CANARY);
        let token = match who {
            "alice" => Some(CANARY.to_owned()),
            "bob" => Some(format!("bob-{CANARY}")),
            "stranger" => Some(format!("no-{CANARY}")),
            _ => None,
        };
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        let address = ClientAddress::new("192.0.2.7".parse().unwrap());
        request.extensions_mut().insert(address);
        let response = self.app.clone().oneshot(request).await.unwrap();
        let status = response.status();
        response.into_body().collect().await.unwrap();
        status
    }
}

/// A folder that goes with the test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let next = NEXT.fetch_add(1, Ordering::SeqCst);
        let name = format!("portcullis-telemetry-{}-{next}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The lines of a file, each a JSON object.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "{text:?}");
    text.lines()
        .map(|line| json::value(line.as_bytes(), Limits::METADATA).expect(line))
        .collect()
}
