//! Servers behind that speak HTTP+SSE.

use std::time::Duration;

use axum::Router;
use portcullis_gateway::stdio::Isolation;
use portcullis_gateway::{Gateway, HttpServer, HttpSseServer, Identity, Upstream};
use portcullis_oauth::json::{self, Limits, Value, json};

use crate::http_sse_server::{Manner, Old};
use crate::stdio_support::{eventually, messages, tool};
use crate::support::{Answer, auth, front, request, send};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":"init","method":"initialize","params":{
    "protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;

async fn post(app: &Router, token: &str, session: Option<&str>, body: &str) -> Answer {
    let session = session.map(|id| ("mcp-session-id", id));
    send(
        app,
        request("POST", "/mcp", token, session.as_slice(), body),
    )
    .await
}

async fn open(app: &Router, token: &str) -> String {
    let answer = post(app, token, None, INITIALIZE).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.header("mcp-session-id").unwrap().to_owned()
}

async fn call(app: &Router, token: &str, session: &str, name: &str, args: &Value) -> Answer {
    let body = tool(&json!(7), name, args).to_string();
    post(app, token, Some(session), &body).await
}

fn said(answer: &Answer) -> Value {
    let last = messages(&answer.body).pop().unwrap();
    assert_eq!(last["id"], 7, "{answer:?}");
    let text = last["result"]["content"][0]["text"].as_str().unwrap();
    json::value(text.as_bytes(), Limits::MCP).unwrap()
}

#[tokio::test]
async fn each_session_has_a_connection_of_its_own() {
    let old = Old::start(Manner::Good).await;
    let app = front(Upstream::http_sse("old", old.url()));
    let (alice, bob) = (open(&app, "alice").await, open(&app, "bob").await);
    let one = said(&call(&app, "alice", &alice, "echo", &json!({"say": "zoë"})).await);
    let other = said(&call(&app, "bob", &bob, "echo", &json!({"say": 2})).await);
    assert_eq!((&one["said"], &other["said"]), (&json!("zoë"), &json!(2)));
    assert_ne!(one["pid"], other["pid"]);
    assert_eq!(old.connections(), 2);
    // Another's session is none.
    let stolen = call(&app, "bob", &alice, "echo", &json!({})).await;
    assert_eq!(stolen.status, 404);
    let id = [("mcp-session-id", &*alice)];
    let ended = send(&app, request("DELETE", "/mcp", "alice", &id, "")).await;
    assert_eq!(ended.status, 204);
    eventually("its connection closes", async || old.connections() == 1).await;
}

#[tokio::test]
async fn a_connection_is_shared_where_it_is_said() {
    let old = Old::start(Manner::Good).await;
    let server = HttpSseServer::new(old.url()).isolation(Isolation::Shared);
    let app = front(Upstream::http_sse("old", server));
    let (alice, bob) = (open(&app, "alice").await, open(&app, "bob").await);
    let one = said(&call(&app, "alice", &alice, "echo", &json!({})).await);
    let other = said(&call(&app, "bob", &bob, "echo", &json!({})).await);
    assert_eq!(one["pid"], other["pid"]);
    assert_eq!(old.connections(), 1);
}

#[tokio::test]
async fn sec_gw_02_a_connection_tells_who_its_caller_is() {
    let old = Old::start(Manner::Good).await;
    let identity = Identity::new().header("X-User", "{sub}").unwrap();
    let server = HttpServer::new(old.url()).identity(identity);
    let app = front(Upstream::http_sse("old", HttpSseServer::new(server)));
    for user in ["alice", "bob"] {
        let session = open(&app, user).await;
        let claimed = [("mcp-session-id", &*session), ("x-user", "mallory")];
        let body = tool(&json!(7), "echo", &json!({})).to_string();
        let answer = send(&app, request("POST", "/mcp", user, &claimed, &body)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let seen = old.seen();
    assert!(seen.len() >= 6, "{seen:?}");
    for headers in &seen {
        assert!(!headers.contains_key("authorization"), "{headers:?}");
        assert_eq!(headers.get_all("x-user").iter().count(), 1);
    }
    let users: Vec<_> = seen.iter().map(|headers| &headers["x-user"]).collect();
    assert!(users.iter().any(|user| *user == "alice"), "{users:?}");
    assert!(users.iter().any(|user| *user == "bob"), "{users:?}");
    assert!(!users.iter().any(|user| *user == "mallory"), "{users:?}");
}

#[tokio::test]
async fn sec_gw_19_a_shared_connection_tells_nothing() {
    let old = Old::start(Manner::Good).await;
    let identity = Identity::new().header("X-User", "{sub}").unwrap();
    let server = HttpServer::new(old.url()).identity(identity);
    let server = HttpSseServer::new(server).isolation(Isolation::Shared);
    let gateway = Gateway::new(auth()).unwrap();
    let error = gateway.upstream(Upstream::http_sse("old", server)).build();
    assert!(error.unwrap_err().to_string().contains("tells who calls"));
    let server = HttpSseServer::new(HttpServer::new(old.url()).forward_header("x-team"));
    let gateway = Gateway::new(auth()).unwrap();
    let error = gateway.upstream(Upstream::http_sse("old", server)).build();
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("differs from request")
    );
}

#[tokio::test]
async fn sec_gw_05_messages_stay_on_the_origin_of_the_stream() {
    let elsewhere = Old::start(Manner::Good).await;
    let old = Old::start(Manner::Elsewhere(elsewhere.address.port())).await;
    let app = front(Upstream::http_sse("old", old.url()));
    let answer = post(&app, "alice", None, INITIALIZE).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn messages_of_any_spelling_are_one_line() {
    let old = Old::start(Manner::Pretty).await;
    let app = front(Upstream::http_sse("old", old.url()));
    let session = open(&app, "alice").await;
    let answer = call(&app, "alice", &session, "echo", &json!({"say": "a\nb"})).await;
    assert_eq!(said(&answer)["said"], "a\nb");
}

#[tokio::test]
async fn a_server_that_thanks_late_keeps_nobody_waiting() {
    let old = Old::start(Manner::ThanksWhenDone).await;
    let app = front(Upstream::http_sse("old", old.url()));
    let session = open(&app, "alice").await;
    let (none, to) = (json!({}), (app.clone(), session.clone()));
    let held = tokio::spawn(async move { call(&to.0, "alice", &to.1, "hold", &json!({})).await });
    eventually("the held call is there", async || old.messages() >= 2).await;
    let released = call(&app, "alice", &session, "release", &none).await;
    assert_eq!(released.status, 200, "{released:?}");
    assert_eq!(said(&held.await.unwrap()), "released");
}

#[tokio::test]
async fn sec_gw_17_what_is_no_such_server_is_a_clear_error() {
    for (manner, status) in [
        (Manner::Status(405), 502),
        (Manner::Status(302), 502),
        (Manner::Status(500), 502),
        (Manner::Json, 502),
        (Manner::Silent, 504),
        (Manner::Closing, 502),
        (Manner::RefusingMessages, 502),
        (Manner::Flooding, 502),
    ] {
        let old = Old::start(manner).await;
        let patience = Duration::from_millis(if status == 504 { 700 } else { 60_000 });
        let server = HttpServer::new(old.url()).answer_within(patience);
        let app = front(Upstream::http_sse("old", HttpSseServer::new(server)));
        let answer = post(&app, "alice", None, INITIALIZE).await;
        assert_eq!(answer.status, status, "{manner:?}: {answer:?}");
        let body = &messages(&answer.body)[0];
        assert_eq!(body["id"], "init", "{manner:?}");
        let incident = body["error"]["data"]["incident"].as_str().unwrap();
        assert_eq!(incident.len(), 16, "{manner:?}");
        eventually("nothing is left", async || old.connections() == 0).await;
    }
}

#[tokio::test]
async fn a_server_that_is_down_is_a_clear_error() {
    let old = Old::start(Manner::Good).await;
    let url = old.url();
    drop(old);
    let app = front(Upstream::http_sse("old", url));
    eventually("it is down", async || {
        post(&app, "alice", None, INITIALIZE).await.status == 502
    })
    .await;
}

#[tokio::test]
async fn a_server_that_leaves_ends_its_sessions() {
    let old = Old::start(Manner::Good).await;
    let app = front(Upstream::http_sse("old", old.url()));
    let session = open(&app, "alice").await;
    let answer = call(&app, "alice", &session, "exit", &json!({})).await;
    assert_eq!(answer.status, 502, "{answer:?}");
    let after = call(&app, "alice", &session, "echo", &json!({})).await;
    assert_eq!(after.status, 404, "{after:?}");
    let again = open(&app, "alice").await;
    let answer = call(&app, "alice", &again, "echo", &json!({})).await;
    assert_eq!(answer.status, 200);
}
