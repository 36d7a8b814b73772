//! What a server answers beside MCP.

use axum::{http::StatusCode, routing::get};
use portcullis::{AccessToken, Server, Tool};
use portcullis_oauth::json::json;

use crate::support::{Mcp, auth, request};

fn server() -> Server {
    Server::new("s").tool(Tool::new("t", async || "ran"))
}

#[tokio::test]
async fn probes_answer_everybody() {
    let mcp = Mcp::new(server().auth(auth()));
    for path in ["/livez", "/readyz", "/healthz"] {
        let request = axum::http::Request::get(path).header("host", "10.0.0.7:8000");
        let answer = mcp
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::OK, "ok"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn both_spellings_of_the_path_answer() {
    let mcp = Mcp::new(server().auth(auth()));
    for path in ["/mcp", "/mcp/"] {
        let draft = request(Some("alice"), "tools/call", json!({"name": "t"}));
        let mut request = draft.body_of("tools/call");
        *request.uri_mut() = path.parse().unwrap();
        let answer = mcp.send(request).await;
        assert_eq!(
            answer.json()["result"]["content"][0]["text"],
            "ran",
            "{path}"
        );
    }
}

#[tokio::test]
async fn sec_rs_10_a_foreign_host_is_refused() {
    let mcp = Mcp::new(server().auth(auth()));
    let draft = request(Some("alice"), "tools/call", json!({"name": "t"}));
    let answer = mcp
        .send(
            draft
                .header("host", "evil.example.com")
                .body_of("tools/call"),
        )
        .await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    let open = Mcp::new(server());
    let draft = request(None, "tools/call", json!({"name": "t"}));
    let answer = open
        .send(
            draft
                .header("host", "evil.example.com")
                .body_of("tools/call"),
        )
        .await;
    assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST);
    let draft = request(None, "tools/call", json!({"name": "t"}));
    let answer = open
        .send(draft.header("host", "localhost:8000").body_of("tools/call"))
        .await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_protected_route_needs_auth() {
    async fn me(token: AccessToken) -> String {
        token.subject().to_owned()
    }
    let mcp = Mcp::new(
        server()
            .route("/about", get(async || "a server"))
            .protected_route("/me/{name}", get(me))
            .auth(auth()),
    );
    assert_eq!(mcp.get("/about", None).await.body, "a server");
    let refused = mcp.get("/me/x", None).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(
        refused.challenge().starts_with("Bearer"),
        "{}",
        refused.challenge()
    );
    assert_eq!(mcp.get("/me/x", Some("alice")).await.body, "alice");
    assert_eq!(mcp.get("/me", None).await.status, StatusCode::NOT_FOUND);

    let open = server().protected_route("/me", get(me));
    let fault = open.into_router().unwrap_err().to_string();
    assert!(fault.contains("no auth"), "{fault}");
}

#[tokio::test]
async fn nobody_shadows_what_is_ours() {
    for path in [
        "/mcp",
        "/mcp/",
        "/livez",
        "/.well-known/x",
        "nothing",
        "/:id",
        "/{",
        "/a/*b",
    ] {
        let server = server().route(path, get(async || "mine"));
        assert!(server.into_router().is_err(), "{path}");
    }
    let twice = server()
        .route("/a", get(async || ""))
        .route("/a/", get(async || ""));
    assert!(twice.into_router().is_err());
}

#[tokio::test]
async fn a_panicking_route_is_500_without_its_message() {
    async fn bug() -> &'static str {
        panic!("canary")
    }
    let mcp = Mcp::new(
        server()
            .base_url(crate::support::BASE)
            .route("/bug", get(bug)),
    );
    let answer = mcp.get("/bug", None).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.body.contains("canary"));
}

#[tokio::test]
async fn malformed_messages_are_named_as_such() {
    let mcp = Mcp::new(server().base_url(crate::support::BASE));
    for (body, code) in [
        ("{", -32700),
        ("[]", -32600),
        (r#"{"id":1}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
            -32602,
        ),
    ] {
        let request = request(None, "tools/call", json!({})).body_of("tools/call");
        let request = request.map(|_| axum::body::Body::from(body));
        let answer = mcp.send(request).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.json()["error"]["code"], code, "{body}");
    }
    let answer = mcp
        .post(
            None,
            "tools/call",
            json!({"name": "t", "arguments": "text"}),
        )
        .await;
    assert_eq!(answer.json()["error"]["code"], -32602, "{}", answer.body);
}
