//! What the tests share: a verifier that believes what a token says, and a server behind that does
//! as it is told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_gateway::{Gateway, Upstream};
use portcullis_oauth::json::{Map, Value};
use portcullis_oauth::{BaseUrl, BearerToken, EndpointUrl, Scope};
use portcullis_resource_server::{
    AccessToken, Auth, TokenParts, TokenVerifier, VerifyContext, VerifyError,
};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

pub(crate) const BASE: &str = "https://mcp.example.com";

/// `<subject>.<scope>+<scope>`; the subject is also the role.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens;

impl TokenVerifier for Tokens {
    async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        let text = token.expose();
        let (subject, scopes) = text.split_once('.').unwrap_or((text, ""));
        let scopes = scopes
            .split('+')
            .filter_map(|scope| Scope::parse(scope).ok());
        let mut claims = Map::new();
        claims.insert("role".to_owned(), Value::from(subject));
        Ok(AccessToken::assert_verified(
            TokenParts::new("https://auth.example.com", subject)
                .client_id("cli")
                .audience([cx.resource().as_str()])
                .scopes(scopes.collect())
                .claims(claims),
        ))
    }
}

pub(crate) fn auth() -> Auth {
    Auth::new(Tokens)
        .base_url(BaseUrl::parse(BASE).unwrap())
        .authorization_server("https://auth.example.com")
}

/// What the server behind saw of one request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A server behind the gateway, on a port of its own.
pub(crate) struct Behind {
    pub(crate) address: SocketAddr,
    script: Script,
}

#[derive(Clone, Default)]
struct Script {
    answers: Arc<Mutex<VecDeque<Response<Body>>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Behind {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Script::default();
        let app = Router::new().fallback(answer).with_state(script.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, script }
    }

    pub(crate) fn url(&self) -> EndpointUrl {
        EndpointUrl::parse(&format!("http://{}/mcp", self.address)).unwrap()
    }

    pub(crate) fn upstream(&self) -> Upstream {
        Upstream::http("behind", self.url())
    }

    /// What it answers next; `{}` with 200 when there is nothing more.
    pub(crate) fn answers(&self, response: Response<Body>) {
        self.script.answers.lock().unwrap().push_back(response);
    }

    pub(crate) fn answers_json(&self, body: &str) {
        self.answers(with_type("application/json", Body::from(body.to_owned())));
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.script.seen.lock().unwrap().clone()
    }
}

pub(crate) fn with_type(kind: &'static str, body: Body) -> Response<Body> {
    let response = Response::builder().header("content-type", kind);
    response.body(body).unwrap()
}

pub(crate) fn with_status(status: u16, body: &'static str) -> Response<Body> {
    let mut response = with_type("text/plain", Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

async fn answer(State(script): State<Script>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    script.seen.lock().unwrap().push(Seen {
        target: parts.uri.to_string(),
        headers: parts.headers,
        body,
    });
    let next = script.answers.lock().unwrap().pop_front();
    next.unwrap_or_else(|| with_type("application/json", Body::from("{}")))
}

/// The gateway in front of one upstream.
pub(crate) fn front(upstream: Upstream) -> Router {
    Gateway::new(auth())
        .unwrap()
        .upstream(upstream)
        .build()
        .unwrap()
        .router()
}

/// A request to the gateway by the holder of `token`.
pub(crate) fn request(
    method: &str,
    target: &str,
    token: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request {
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "mcp.example.com")
        .header("accept", "application/json, text/event-stream");
    if method == "POST" {
        request = request.header("content-type", "application/json");
    }
    if !token.is_empty() {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// The answer as a test reads it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub(crate) async fn send(app: &Router, request: Request) -> Answer {
    let response = app.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

pub(crate) async fn post(app: &Router, token: &str, body: &str) -> Answer {
    send(app, request("POST", "/mcp", token, &[], body)).await
}

/// Opens a session `session-of-<subject>` and says its id.
pub(crate) async fn open(behind: &Behind, app: &Router, subject: &str) -> String {
    let id = format!("session-of-{subject}");
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("mcp-session-id", &id)
        .body(Body::from(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    behind.answers(answer.unwrap());
    let opened = post(app, subject, INITIALIZE).await;
    assert_eq!(opened.header("mcp-session-id"), Some(&*id), "{opened:?}");
    id
}

pub(crate) const INITIALIZE: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;

/// A call of the tool `name`.
pub(crate) fn call(name: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{name}"}}}}"#)
}
