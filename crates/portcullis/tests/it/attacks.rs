//! What one caller tries to learn about another, or to make the server do, without a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use portcullis::auth::SessionLimits;
use portcullis::{AccessToken, Args, Resource, Server, Tool, access::require_role};
use portcullis_oauth::json::json;

use crate::support::{Mcp, auth};

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Word {
    word: String,
}

/// Says who called, after some other calls had their turn.
async fn whoami(token: AccessToken, Args(Word { word }): Args<Word>) -> String {
    for _ in 0..word.len() % 5 {
        tokio::task::yield_now().await;
    }
    format!("{} {word}", token.subject())
}

pub(crate) fn whoami_server() -> Server {
    Server::new("s")
        .auth(auth())
        .tool(Tool::new("whoami", whoami))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_rs_18_two_users_and_one_id_stay_apart() {
    let mut limits = SessionLimits::default();
    limits.streams_per_principal = 2000;
    let server = whoami_server().auth(auth().session_limits(limits));
    let mcp = Arc::new(Mcp::new(server));
    let calls = (0..2000).map(|i| {
        let mcp = Arc::clone(&mcp);
        tokio::spawn(async move {
            let who = if i % 2 == 0 { "alice" } else { "bob" };
            // Every request has the same JSON-RPC id.
            let word = format!("w{i}");
            let answer = mcp.call(Some(who), "whoami", json!({"word": word})).await;
            let text = &answer.json()["result"]["content"][0]["text"];
            assert_eq!(*text, format!("{who} {word}"), "{}", answer.body);
        })
    });
    for done in futures_util::future::join_all(calls).await {
        done.unwrap();
    }
}

#[tokio::test]
async fn sec_rs_22_lists_are_private_to_their_caller() {
    let day = std::time::Duration::from_secs(86_400);
    let server = whoami_server()
        .tool(Tool::new("admin", async || "").authorize(require_role("admin")))
        .resource(Resource::new("x://mine", async || ""))
        .cache_lists(day);
    let mcp = Mcp::new(server);
    for list in ["tools/list", "resources/list", "resources/templates/list"] {
        let answer = mcp.post(Some("alice"), list, json!({})).await;
        assert_eq!(answer.json()["result"]["cacheScope"], "private", "{list}");
    }
    let read = mcp
        .post(Some("alice"), "resources/read", json!({"uri": "x://mine"}))
        .await;
    assert_ne!(read.json()["result"]["cacheScope"], "public", "{read:?}");
    // Lists that were made for one caller are not given to the next.
    assert_eq!(mcp.names(Some("root"), "tools").await, ["whoami", "admin"]);
    assert_eq!(mcp.names(Some("alice"), "tools").await, ["whoami"]);
}

#[tokio::test]
async fn sec_rs_28_probes_tell_nothing() {
    let mcp = Mcp::new(whoami_server());
    for path in ["/livez", "/readyz", "/healthz"] {
        let nobody = mcp.get(path, None).await;
        assert_eq!((nobody.status, &*nobody.body), (StatusCode::OK, "ok"));
        assert_eq!(mcp.get(path, Some("alice")).await, nobody);
        assert_eq!(mcp.get(path, Some("canary")).await, nobody);
    }
    for path in ["/metrics", "/debug", "/health", "/status"] {
        assert_eq!(
            mcp.get(path, None).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn sec_ds_11_a_panic_ends_one_request_alone() {
    async fn bug() -> &'static str {
        panic!("canary")
    }
    let server = whoami_server()
        .tool(Tool::new("bug", async || -> &'static str {
            panic!("canary")
        }))
        .route("/bug", get(bug));
    let mcp = Mcp::new(server);
    for _ in 0..3 {
        let route = mcp.get("/bug", None).await;
        assert_eq!(route.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(route.body.contains(r#""incident":"#), "{route:?}");
        let tool = mcp.call(Some("alice"), "bug", json!({})).await;
        assert!(tool.status == StatusCode::OK, "{tool:?}");
        assert!(!format!("{route:?}{tool:?}").contains("canary"));
        let answer = mcp
            .call(Some("alice"), "whoami", json!({"word": "still"}))
            .await;
        assert!(answer.body.contains("alice still"), "{answer:?}");
    }
}

/// A server with `n` tools whose rule counts how often it is asked.
fn counted(n: usize) -> (Mcp, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut server = Server::new("s").auth(auth());
    for i in 0..n {
        let asked = Arc::clone(&asked);
        let tool = Tool::new(format!("tool_{i}"), async || "ran").allow_if(move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
            true
        });
        server = server.tool(tool);
    }
    (Mcp::new(server), asked)
}

#[tokio::test]
async fn sec_ds_06_rules_are_asked_once_for_each_tool_that_is_shown() {
    let (mut calls, mut lists) = (Vec::new(), Vec::new());
    for n in [50, 100, 200] {
        let (mcp, asked) = counted(n);
        mcp.call(Some("alice"), "tool_0", json!({})).await;
        calls.push(asked.swap(0, Ordering::SeqCst));
        assert_eq!(mcp.names(Some("alice"), "tools").await.len(), n);
        lists.push(asked.load(Ordering::SeqCst));
    }
    assert!(calls.iter().all(|steps| *steps == calls[0]), "{calls:?}");
    assert_eq!(lists, [50, 100, 200]);
}

#[tokio::test]
async fn sec_rs_10_routes_beside_mcp_have_the_same_hosts() {
    let server = Server::new("s").base_url("http://localhost:8000");
    let server = server.route("/notes", get(async || "all notes"));
    let mcp = Mcp::new(server);
    for (host, status) in [
        ("localhost", StatusCode::OK),
        ("127.0.0.1:8000", StatusCode::OK),
        ("rebound.example", StatusCode::MISDIRECTED_REQUEST),
    ] {
        let request = Request::get("/notes").header("host", host);
        let answer = mcp.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, status, "{host}");
    }
    // Probes are asked by address.
    let request = Request::get("/livez").header("host", "10.0.0.1");
    let answer = mcp.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
}
