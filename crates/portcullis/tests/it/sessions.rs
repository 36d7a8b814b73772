//! Sessions of revisions up to 2025-11-25.

use axum::http::{Request, StatusCode};
use portcullis::auth::Auth;
use portcullis::{Server, Tool, scopes};
use portcullis_oauth::json::json;

use crate::support::{Answer, Mcp, auth};

fn server(auth: Auth) -> Server {
    Server::new("s")
        .tool(Tool::new("reader", async || "read"))
        .tool(Tool::new("writer", async || "written").require_scopes(scopes!["write"]))
        .tool(Tool::new("auditor", async || "audited").require_scopes(scopes!["audit"]))
        .auth(auth)
}

async fn post(mcp: &Mcp, session: Option<&str>, method: &str) -> Answer {
    let mut request = Request::post("/mcp")
        .header("host", "mcp.example.com")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("authorization", "Bearer alice");
    if let Some(session) = session {
        request = request.header("mcp-session-id", session);
    }
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "c", "version": "1"}});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    mcp.send(request.body(message.to_string().into()).unwrap())
        .await
}

async fn open(mcp: &Mcp) -> String {
    let answer = post(mcp, None, "initialize").await;
    let id = answer.headers["mcp-session-id"].to_str().unwrap();
    id.to_owned()
}

#[tokio::test]
async fn sec_rs_15_a_session_id_has_128_random_bits() {
    let mcp = Mcp::new(server(auth()));
    let ids = [open(&mcp).await, open(&mcp).await];
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        let bytes = portcullis_oauth::crypto::base64url::decode_strict(&id).unwrap();
        assert_eq!(bytes.len(), 16, "{id}");
        assert_eq!(post(&mcp, Some(&id), "ping").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn sec_rs_07_what_nobody_grants_is_hidden_in_lists_and_calls_alike() {
    let supported = scopes!["read", "write"];
    let closed = auth().scopes_supported(supported).only_supported_scopes();
    let mcp = Mcp::new(server(closed));
    let names = mcp.names(Some("alice"), "tools").await;
    assert_eq!(names, ["reader", "writer"]);
    let stepped = mcp.call(Some("alice"), "writer", json!({})).await;
    assert_eq!(stepped.status, StatusCode::FORBIDDEN);
    let shape = |answer: &Answer, name: &str| (answer.status, answer.body.replace(name, "X"));
    let denied = mcp.call(Some("alice"), "auditor", json!({})).await;
    let nobodys = mcp.call(Some("alice"), "nothing", json!({})).await;
    assert_eq!(shape(&denied, "auditor"), shape(&nobodys, "nothing"));

    let by_role = auth().grantable(|token| match token.claim::<&str>("role") {
        Some("admin") => scopes!["audit"],
        _ => scopes![],
    });
    let mcp = Mcp::new(server(by_role));
    assert_eq!(mcp.names(Some("alice"), "tools").await, ["reader"]);
    let admins = mcp.names(Some("root"), "tools").await;
    assert_eq!(admins, ["reader", "writer", "auditor"]);
}
