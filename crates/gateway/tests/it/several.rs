//! Several servers behind one gateway.

use std::sync::Arc;

use portcullis_gateway::{Gateway, HttpServer, Needs, Rules, Upstream};
use portcullis_oauth::{BaseUrl, scopes};
use portcullis_resource_server::{Auth, JwtVerifier, MultiAuth, StaticToken, StaticTokenVerifier};
use portcullis_testkit::{FakeIdp, MockClock};

use crate::stdio_support::transport;
use crate::support::{BASE, Behind, auth, call, request, send};

#[tokio::test]
async fn sec_mt_05_a_token_for_one_is_refused_by_the_others() {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let idp = FakeIdp::start_at(clock.clone()).await;
    let verifier = JwtVerifier::builder(idp.issuer().as_str())
        .clock(clock)
        .build()
        .unwrap();
    let auth = Auth::new(verifier)
        .base_url(BaseUrl::parse(BASE).unwrap())
        .authorization_server(idp.issuer().as_str());
    let (a, b) = (Behind::start().await, Behind::start().await);
    let app = Gateway::new(auth)
        .unwrap()
        .upstream(named(&a, "a", "/a/mcp"))
        .upstream(named(&b, "b", "/b/mcp"))
        .build()
        .unwrap()
        .router();
    let token = idp.token().audience(format!("{BASE}/a/mcp")).sign();
    let at = |path: &str| request("POST", path, &token, &[], &call("x"));
    assert_eq!(send(&app, at("/a/mcp")).await.status, 200);
    assert_eq!(send(&app, at("/b/mcp")).await.status, 401);
    for path in ["/a/mcp2", "/A/mcp", "/a//mcp", "/a/mcp/x", "/mcp"] {
        assert_ne!(send(&app, at(path)).await.status, 200, "{path}");
    }
    assert_eq!((a.seen().len(), b.seen().len()), (1, 0));
}

#[tokio::test]
async fn m7_an_api_key_and_tokens_of_an_issuer_open_one_endpoint() {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let idp = FakeIdp::start_at(clock.clone()).await;
    let issuer = idp.issuer();
    let jwt = JwtVerifier::builder(issuer.as_str()).clock(clock);
    let key = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let keys = StaticTokenVerifier::builder().token(key.into(), StaticToken::new("ci"));
    let both = MultiAuth::builder()
        .source("keys", keys.build().unwrap())
        .source("issuer", jwt.build().unwrap())
        .build()
        .unwrap();
    let auth = Auth::new(both)
        .base_url(BaseUrl::parse(BASE).unwrap())
        .authorization_server(issuer.as_str());
    let behind = Behind::start().await;
    let app = Gateway::new(auth)
        .unwrap()
        .upstream(behind.upstream())
        .build()
        .unwrap()
        .router();
    let token = idp.token().audience(format!("{BASE}/mcp")).sign();
    let foreign = idp.token().audience(format!("{BASE}/other")).sign();
    for (token, status) in [(key, 200), (&token, 200), (&foreign, 401), ("unknown", 401)] {
        let answer = send(&app, request("POST", "/mcp", token, &[], &call("x"))).await;
        assert_eq!(answer.status, status, "{token}");
    }
}

fn named(behind: &Behind, name: &'static str, path: &str) -> Upstream {
    Upstream::http(name, behind.url()).path(path)
}

#[tokio::test]
async fn sec_mt_08_several_resources_have_no_root_metadata() {
    let (a, b) = (Behind::start().await, Behind::start().await);
    let gateway = Gateway::new(auth())
        .unwrap()
        .upstream(named(&a, "a", "/a/mcp"));
    let document = |path: &'static str| request("GET", path, "", &[], "");
    let root = "/.well-known/oauth-protected-resource";
    let one = gateway.clone().build().unwrap().router();
    assert_eq!(send(&one, document(root)).await.status, 200);
    let both = gateway
        .upstream(named(&b, "b", "/b/mcp"))
        .build()
        .unwrap()
        .router();
    assert_eq!(send(&both, document(root)).await.status, 404);
    for path in ["/a/mcp", "/b/mcp"] {
        let target = format!("{root}{path}");
        let answer = send(&both, request("GET", &target, "", &[], "")).await;
        assert!(
            answer
                .body
                .contains(&format!(r#""resource":"{BASE}{path}""#)),
            "{answer:?}"
        );
        let challenge = send(&both, request("POST", path, "", &[], "{}")).await;
        let challenge = challenge.header("www-authenticate").unwrap();
        assert!(
            challenge.contains(&format!("{BASE}{target}")),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn each_upstream_has_its_own_scopes_and_sessions() {
    let (a, b) = (Behind::start().await, Behind::start().await);
    let app = Gateway::new(auth())
        .unwrap()
        .upstream(named(&a, "a", "/a").required_scopes(scopes!["a"]))
        .upstream(named(&b, "b", "/b"))
        .build()
        .unwrap()
        .router();
    let open = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#;
    assert_eq!(
        send(&app, request("POST", "/a", "alice", &[], open))
            .await
            .status,
        403
    );
    let answer = http::Response::builder()
        .header("content-type", "application/json")
        .header("mcp-session-id", "one");
    a.answers(answer.body("{}".into()).unwrap());
    assert_eq!(
        send(&app, request("POST", "/a", "alice.a", &[], open))
            .await
            .status,
        200
    );
    let session = [("mcp-session-id", "one")];
    let elsewhere = request("POST", "/b", "alice.a", &session, &call("x"));
    assert_eq!(send(&app, elsewhere).await.status, 404);
}

#[tokio::test]
async fn sec_mt_05_mistakes_are_found_before_the_start() {
    let behind = Behind::start().await;
    let gateway = || Gateway::new(auth()).unwrap();
    let open = Auth::dangerous()
        .allow_anonymous()
        .base_url(BaseUrl::parse(BASE).unwrap());
    let ruled = Rules::new().tool("*", Needs::roles(["admin"])).unwrap();
    for (gateway, fault) in [
        (gateway(), "`upstream`: there is none"),
        (
            gateway()
                .upstream(named(&behind, "a", "/a"))
                .upstream(named(&behind, "a", "/b")),
            "upstream `a`: another upstream has this name",
        ),
        (
            gateway()
                .upstream(named(&behind, "a", "/a"))
                .upstream(named(&behind, "b", "/A/")),
            "upstream `b`: another upstream has the path `/A/`",
        ),
        (
            Gateway::new(open)
                .unwrap()
                .upstream(behind.upstream().rules(ruled)),
            "upstream `behind`: has rules, and nobody says who is calling",
        ),
        (
            gateway().upstream(Upstream::http(
                "behind",
                HttpServer::new(behind.url()).forward_header("Authorization"),
            )),
            "forwarded header `Authorization`: cannot go on to the server behind",
        ),
    ] {
        assert_eq!(gateway.build().unwrap_err().to_string(), fault);
    }
}

#[tokio::test]
async fn sec_mt_08_no_upstream_stands_where_something_else_is() {
    let behind = Behind::start().await;
    let gateway = || Gateway::new(auth()).unwrap();
    for path in [
        "/.well-known",
        "/.well-known/oauth-protected-resource/mcp",
        "/.WELL-KNOWN/x",
        "/livez",
        "/readyz/",
        "/healthz",
        "mcp",
        "/a b",
    ] {
        let built = gateway().upstream(named(&behind, "a", path)).build();
        assert!(built.is_err(), "{path}");
    }
    let route = axum::routing::get(async || "");
    let with_route = auth().route("/b", route);
    let gateway = Gateway::new(with_route)
        .unwrap()
        .upstream(named(&behind, "a", "/a"))
        .upstream(named(&behind, "b", "/b"));
    let error = gateway.build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "upstream `b`: route `/b`: is defined twice"
    );
}

#[tokio::test]
async fn sec_mt_03_no_header_chooses_the_upstream() {
    let (a, b) = (Behind::start().await, Behind::start().await);
    let app = Gateway::new(auth())
        .unwrap()
        .upstream(named(&a, "a", "/a"))
        .upstream(named(&b, "b", "/b"))
        .build()
        .unwrap()
        .router();
    for header in [
        "x-forwarded-host",
        "x-forwarded-prefix",
        "x-upstream",
        "mcp-name",
    ] {
        for value in ["b", "/b"] {
            let sent = request("POST", "/a", "alice", &[(header, value)], &call("b"));
            send(&app, sent).await;
        }
    }
    let mut spoofed = request("POST", "/a", "alice", &[], &call("b"));
    let host = "b.example.com".parse().unwrap();
    spoofed.headers_mut().insert("host", host);
    assert_ne!(send(&app, spoofed).await.status, 200);
    assert!(b.seen().is_empty());
}

#[tokio::test]
async fn a_server_on_stdio_stands_behind_the_same_auth_and_ends_with_the_gateway() {
    let rules = Rules::new().tool("pid", Needs::roles(["admin"])).unwrap();
    let rules = rules.tool("echo", Needs::scopes(scopes!["echo"])).unwrap();
    let notes = Upstream::stdio(transport(&["mirrors"])).rules(rules);
    let gateway = Gateway::new(auth())
        .unwrap()
        .upstream(notes)
        .build()
        .unwrap();
    let app = gateway.router();
    let open = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    assert_eq!(
        send(&app, request("POST", "/mcp", "", &[], open))
            .await
            .status,
        401
    );
    let opened = send(&app, request("POST", "/mcp", "alice", &[], open)).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    let session = opened.header("mcp-session-id").unwrap().to_owned();
    let inside = |token: &str, body: &str| {
        request("POST", "/mcp", token, &[("mcp-session-id", &session)], body)
    };
    let called = send(&app, inside("alice", &call("echo"))).await;
    assert_eq!(called.status, 403, "{called:?}");
    let hidden = send(&app, inside("alice", &call("pid"))).await;
    assert!(hidden.body.contains("-32602"), "{hidden:?}");
    assert_eq!(
        send(&app, inside("mallory", &call("echo"))).await.status,
        404
    );
    let listed = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}"#;
    let listed = send(&app, inside("alice", listed)).await;
    assert!(listed.body.contains("echo"), "{listed:?}");

    gateway.stop().await;
    let late = send(&app, inside("alice", listed_again())).await;
    assert!(matches!(late.status, 404 | 503), "{late:?}");
}

fn listed_again() -> &'static str {
    r#"{"jsonrpc":"2.0","id":3,"method":"tools/list","params":{}}"#
}
