//! Sessions that end in front end in the SDK too.

use std::sync::Arc;

use axum::{Router, body::Body, http::Request, response::Response};
use http_body_util::BodyExt as _;
use portcullis_oauth::{BaseUrl, SecretString};
use portcullis_resource_server::{
    Auth, StaticToken, StaticTokenVerifier, mcp::session::SessionLimits,
};
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService,
        session::local::{LocalSessionManager, SessionConfig},
    },
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    http::{http_service, service},
    sessions::Sessions,
};
use crate::Server;

const TOKEN: &str = "alice-with-a-token-0123456789abcdef0123456789";
const HANDSHAKE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{
    "protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const NEWER_HANDSHAKE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{
    "protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

const CALL: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"hi"}}"#;

/// Alice may have three sessions.
fn auth() -> Auth {
    let token = SecretString::from(TOKEN);
    let verifier = StaticTokenVerifier::builder().token(token, StaticToken::new("alice"));
    let mut limits = SessionLimits::default();
    limits.per_principal = 3;
    Auth::new(verifier.build().unwrap())
        .base_url(BaseUrl::parse("http://localhost:8000").unwrap())
        .session_limits(limits)
}

async fn post(app: &Router, session: Option<&str>, body: &'static str) -> Option<String> {
    let answer = send(app, session, body).await;
    let id = answer.headers().get("mcp-session-id")?;
    Some(id.to_str().unwrap().to_owned())
}

async fn send(app: &Router, session: Option<&str>, body: &'static str) -> Response {
    let mut request = Request::post("/mcp")
        .header("host", "localhost:8000")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    let request = request.body(Body::from(body)).unwrap();
    let answer = app.clone().oneshot(request).await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    answer
}

#[tokio::test]
async fn a_call_in_a_session_is_answered_in_one_piece() {
    let server = Server::new("s").tool(crate::Tool::new("hi", async || "hello"));
    let core = server.finish().unwrap();
    let mcp = http_service(core, CancellationToken::new());
    let app = auth().protect("/mcp", mcp).unwrap();
    let session = post(&app, None, NEWER_HANDSHAKE).await.unwrap();
    post(&app, Some(&session), INITIALIZED).await;
    let answer = send(&app, Some(&session), CALL).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let first = str::from_utf8(&first).unwrap();
    // The event that names the stream, and the answer.
    assert_eq!(first.matches("id: ").count(), 2, "{first}");
    assert!(first.contains("hello"), "{first}");
    assert!(body.frame().await.is_none());
}

/// Opens many more sessions than there may be, of clients that go on and of others that do not.
async fn open_many(app: &Router) {
    for n in 0..30 {
        let id = post(app, None, HANDSHAKE).await.unwrap();
        if n % 2 == 0 {
            post(app, Some(&id), INITIALIZED).await;
        }
    }
}

/// What is left once nothing moves any more.
async fn settled<F: Future<Output = usize>>(count: impl Fn() -> F) -> usize {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    count().await
}

#[tokio::test]
async fn sec_ds_08_sessions_that_make_room_end_in_the_server_too() {
    let core = Server::new("s").finish().unwrap();
    let entropy = Arc::clone(&core.entropy);
    let sessions = Arc::new(Sessions::new(SessionConfig::default(), entropy));
    let stop = CancellationToken::new();
    let mcp = service(Arc::clone(&core), Arc::clone(&sessions), stop);
    let app = auth().protect("/mcp", mcp).unwrap();
    let without = Arc::strong_count(&core);
    open_many(&app).await;
    assert_eq!(settled(|| sessions.count()).await, 3, "known");
    // The one that goes on has a task that tells it of changes.
    assert_eq!(Arc::strong_count(&core) - without, 3 + 1, "running");
}

/// An rmcp server as its users write it.
#[derive(Clone)]
struct Existing(#[expect(dead_code, reason = "it is counted, not read")] Arc<()>);

impl ServerHandler for Existing {}

#[tokio::test]
async fn sec_ds_08_sessions_that_make_room_end_in_an_existing_server_too() {
    let alive = Arc::new(());
    let sessions = Arc::new(LocalSessionManager::default());
    let made = Arc::clone(&alive);
    let mcp = StreamableHttpService::new(
        move || Ok(Existing(Arc::clone(&made))),
        Arc::clone(&sessions),
        StreamableHttpServerConfig::default(),
    );
    let app = auth().protect("/mcp", mcp).unwrap();
    let without = Arc::strong_count(&alive);
    open_many(&app).await;
    let known = settled(|| async { sessions.sessions.read().await.len() }).await;
    assert_eq!(known, 3, "known");
    assert_eq!(Arc::strong_count(&alive) - without, 3, "running");
}
