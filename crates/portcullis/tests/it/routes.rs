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
    let open = Mcp::new(server().base_url("http://localhost:8000"));
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

    let open = server()
        .base_url("http://localhost")
        .protected_route("/me", get(me));
    let fault = open.into_router().unwrap_err().to_string();
    assert!(fault.contains("no auth"), "{fault}");
}

#[tokio::test]
async fn nobody_shadows_what_is_ours() {
    for path in [
        "/mcp",
        "/mcp/",
        "/livez",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/a/{}",
        "nothing",
        "/:id",
        "/{",
        "/a/*b",
    ] {
        let server = server().route(path, get(async || "mine"));
        let server = server.base_url(crate::support::BASE);
        assert!(is_config_error(server), "{path}");
    }
    let other = server().route("/.well-known/security.txt", get(async || "mine"));
    assert!(other.auth(auth()).into_router().is_ok());
    let twice = server()
        .route("/a", get(async || ""))
        .route("/a/", get(async || ""));
    assert!(is_config_error(twice));
}

/// Whether a definition is at fault, where nothing else is.
fn is_config_error(server: Server) -> bool {
    let refused = server.dangerous().allow_anonymous().into_router();
    matches!(refused, Err(portcullis::Error::Config(_)))
}

#[test]
fn routes_that_cannot_stand_together_are_an_error() {
    for (one, other) in [("/a/{x}", "/a/{y}"), ("/a/{*x}", "/a/{*y}/")] {
        let open = server()
            .auth(auth())
            .route(one, get(async || ""))
            .route(other, get(async || ""));
        assert!(is_config_error(open), "{one} {other}");
        let mixed = server()
            .auth(auth())
            .route(one, get(async || ""))
            .protected_route(other, get(async || ""));
        assert!(is_config_error(mixed), "{one} {other}");
    }
    for path in ["/livez", "/readyz/", "/healthz"] {
        assert!(
            is_config_error(server().auth(auth()).mcp_path(path)),
            "{path}"
        );
    }
    assert!(is_config_error(
        server().auth(auth().route("/livez", get(async || "")))
    ));
}

#[test]
fn two_public_urls_are_an_error() {
    let twice = server().auth(auth()).base_url("https://other.example.com");
    assert!(is_config_error(twice));
    let same = server().auth(auth()).base_url(crate::support::BASE);
    assert!(same.into_router().is_ok());
}

#[test]
fn sec_a_router_without_auth_says_so() {
    let refused = |server: Server| {
        let error = server.into_router().err();
        matches!(error, Some(portcullis::Error::OpenRouter))
    };
    assert!(refused(server()));
    assert!(refused(server().base_url(crate::support::BASE)));
    assert!(!refused(server().base_url("http://localhost:8000")));
    assert!(!refused(server().dangerous().allow_anonymous()));
    assert!(!refused(server().auth(auth())));
}

#[tokio::test]
async fn a_panicking_route_is_500_without_its_message() {
    async fn bug() -> &'static str {
        panic!("canary")
    }
    let mcp = Mcp::new(
        server()
            .base_url(crate::support::BASE)
            .route("/bug", get(bug))
            .dangerous()
            .allow_anonymous(),
    );
    let answer = mcp.get("/bug", None).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.body.contains("canary"));
}

#[tokio::test]
async fn malformed_messages_are_named_as_such() {
    let open = server().base_url(crate::support::BASE);
    let mcp = Mcp::new(open.dangerous().allow_anonymous());
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

#[tokio::test]
async fn sec_rs_11_routes_beside_mcp_refuse_foreign_pages() {
    let route = || get(async || "seen").post(async || "done");
    let server = server()
        .auth(auth())
        .allow_origin("https://app.example.com");
    let mcp = Mcp::new(
        server
            .route("/form", route())
            .protected_route("/own", route()),
    );
    let ask = async |method: &str, path: &str, origin: Option<&str>| {
        let mut request = axum::http::Request::builder()
            .method(method)
            .uri(path)
            .header("host", "mcp.example.com")
            .header("authorization", "Bearer alice");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if method == "OPTIONS" {
            request = request.header("access-control-request-method", "POST");
        }
        mcp.send(request.body(axum::body::Body::empty()).unwrap())
            .await
    };
    for path in ["/form", "/own"] {
        for origin in [
            "https://evil.example",
            "null",
            "https://mcp.example.com:8443",
        ] {
            let refused = ask("POST", path, Some(origin)).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path} {origin}");
            assert_ne!(refused.body, "done");
            let looked = ask("GET", path, Some(origin)).await;
            assert_eq!(looked.body, "seen");
            assert!(!looked.headers.contains_key("access-control-allow-origin"));
            let asked = ask("OPTIONS", path, Some(origin)).await;
            assert_eq!(asked.status, StatusCode::METHOD_NOT_ALLOWED);
        }
        for origin in [
            None,
            Some("https://mcp.example.com"),
            Some("https://app.example.com"),
        ] {
            let answer = ask("POST", path, origin).await;
            assert_eq!(answer.body, "done", "{path} {origin:?}");
            let allowed = answer.headers.get("access-control-allow-origin");
            assert_eq!(allowed.map(|value| value.to_str().unwrap()), origin);
        }
    }
    let preflight = ask("OPTIONS", "/form", Some("https://app.example.com")).await;
    assert_eq!(preflight.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_base_url_with_a_path_serves_mcp_at_its_root() {
    let base = "https://mcp.example.com/team";
    let auth = portcullis::auth::Auth::new(crate::support::Names)
        .base_url(portcullis::auth::BaseUrl::parse(base).unwrap())
        .authorization_server("https://auth.example.com");
    // A proxy in front takes `/team` away, but for the well-known places, which are the origin's.
    let mcp = Mcp::new(server().auth(auth).mcp_path("/").legacy_sse(true));
    let mut call = request(Some("alice"), "tools/call", json!({"name": "t"})).body_of("tools/call");
    *call.uri_mut() = "/".parse().unwrap();
    let answer = mcp.send(call).await;
    assert_eq!(answer.json()["result"]["content"][0]["text"], "ran");

    let metadata = "https://mcp.example.com/.well-known/oauth-protected-resource";
    for (path, document) in [
        ("/", "/team"),
        ("/sse", "/team/sse"),
        ("/messages", "/team/sse"),
    ] {
        let refused = mcp.get(path, None).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{path}");
        let wanted = format!(r#"resource_metadata="{metadata}{document}""#);
        assert!(
            refused.challenge().contains(&wanted),
            "{}",
            refused.challenge()
        );
    }
    for (document, resource) in [
        ("/team", base.to_owned()),
        ("/team/", format!("{base}/")),
        ("", base.to_owned()),
        ("/team/sse", format!("{base}/sse")),
    ] {
        let path = format!("/.well-known/oauth-protected-resource{document}");
        let answer = mcp.get(&path, None).await;
        assert_eq!(answer.json()["resource"], resource, "{path}");
    }
    assert_eq!(mcp.get("/livez", None).await.body, "ok");
}
