//! Clients that are pages: what a browser asks before it lets them, and what it shows them.

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::{Method, StatusCode};
use portcullis_authorization_server::{Client as Known, ClientRegistry};
use portcullis_oauth::json::json;
use portcullis_oauth::{ClientId, scopes};
use portcullis_resource_server::Unavailable;
use portcullis_testkit::{Page, Visit};

use crate::client::{Client, Dialect, back_channel, plain, text};
use crate::world::World;

const PAGE: &str = "https://inspector.example";

fn world() -> World {
    World::mounted(
        |builder| builder,
        |auth| {
            let mcp: Router = Router::new().fallback(any(async || "{}"));
            auth.allow_origin(PAGE).protect("/mcp", mcp).unwrap()
        },
    )
}

async fn from_page(world: &World, visit: Visit) -> Page {
    let visit = visit
        .header("origin", PAGE)
        .header("sec-fetch-site", "cross-site")
        .header("sec-fetch-mode", "cors");
    world.browser.visit(visit.without_cookies().stay()).await
}

fn names(header: &str) -> Vec<String> {
    let names = header.split(',').map(|name| name.trim().to_lowercase());
    names.collect()
}

#[tokio::test]
async fn b1_a_page_may_do_what_a_client_does() {
    let world = world();
    for (path, method, headers) in [
        (
            "/mcp",
            "POST",
            "authorization, content-type, accept, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, last-event-id",
        ),
        ("/mcp", "GET", "authorization, last-event-id"),
        ("/mcp", "DELETE", "authorization, mcp-session-id"),
        (
            "/.well-known/oauth-protected-resource",
            "GET",
            "mcp-protocol-version",
        ),
        (
            "/.well-known/oauth-protected-resource/mcp",
            "GET",
            "mcp-protocol-version",
        ),
        (
            "/.well-known/oauth-authorization-server",
            "GET",
            "mcp-protocol-version",
        ),
        (
            "/.well-known/openid-configuration",
            "GET",
            "mcp-protocol-version",
        ),
        ("/oauth/jwks", "GET", "mcp-protocol-version"),
        (
            "/oauth/register",
            "POST",
            "content-type, mcp-protocol-version",
        ),
        (
            "/oauth/token",
            "POST",
            "authorization, content-type, mcp-protocol-version",
        ),
        (
            "/oauth/revoke",
            "POST",
            "authorization, content-type, mcp-protocol-version",
        ),
        ("/token", "POST", "content-type"),
        ("/register", "POST", "content-type"),
    ] {
        let asks = Visit::get(path)
            .method(Method::OPTIONS)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", headers);
        let page = from_page(&world, asks).await;
        assert!(page.status.is_success(), "{path} {page:?}");
        let origin = page.header("access-control-allow-origin");
        assert!(
            origin == PAGE || (origin == "*" && path != "/mcp"),
            "{path} {origin}"
        );
        assert_eq!(
            page.header("access-control-allow-credentials"),
            "",
            "{path}"
        );
        let allowed = names(page.header("access-control-allow-headers"));
        for name in names(headers) {
            assert!(allowed.contains(&name), "{path} {name} {allowed:?}");
        }
        // `GET` and `POST` need no permission of their own.
        let methods = names(page.header("access-control-allow-methods"));
        assert!(
            method != "DELETE" || methods.contains(&"delete".to_owned()),
            "{methods:?}"
        );
    }
}

#[tokio::test]
async fn b1_a_page_that_nobody_named_may_not() {
    let world = world();
    let stranger = Visit::get("/mcp")
        .method(Method::OPTIONS)
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST");
    let page = world.browser.visit(stranger).await;
    assert_eq!(page.header("access-control-allow-origin"), "");
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}

/// A registry with a bug.
struct Broken;

impl ClientRegistry for Broken {
    async fn find(&self, _: &ClientId) -> Result<Option<Known>, Unavailable> {
        panic!("a bug")
    }
}

#[tokio::test]
async fn b2_a_page_reads_challenges_and_errors_and_no_login() {
    let world = World::mounted(
        |builder| builder.required_scopes(scopes!["notes:write"]),
        |auth| {
            let mcp: Router = Router::new().fallback(any(async || -> Response {
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }));
            auth.allow_origin(PAGE).protect("/mcp", mcp).unwrap()
        },
    );
    let tokens = |query| {
        let dialect = Dialect {
            registration: json!({"redirect_uris": ["http://127.0.0.1/cb"]}),
            redirect_uri: "http://127.0.0.1:7000/cb",
            query,
            ..plain()
        };
        let browser = world.browser.another();
        async move {
            let client = Client::register(browser, dialect).await;
            let tokens = client.tokens(client.code().await).await;
            text(&tokens, "access_token").to_owned()
        }
    };
    let (little, much) = (
        tokens("scope=notes%3Aread&state=abc").await,
        tokens("scope=notes%3Awrite&state=abc").await,
    );
    for (token, status) in [("", 401), ("junk", 401), (&*little, 403), (&*much, 500)] {
        let call = Visit::get("/mcp")
            .method(Method::POST)
            .header("content-type", "application/json");
        let call = call.body(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#);
        let call = match token {
            "" => call,
            token => call.header("authorization", &format!("Bearer {token}")),
        };
        let page = from_page(&world, call).await;
        assert_eq!(page.status.as_u16(), status, "{page:?}");
        assert_eq!(page.header("access-control-allow-origin"), PAGE);
        let exposed = names(page.header("access-control-expose-headers"));
        for name in ["www-authenticate", "mcp-session-id", "mcp-protocol-version"] {
            assert!(exposed.contains(&name.to_owned()), "{exposed:?}");
        }
    }
    let broken = World::with(|builder| builder.registry(Broken));
    for (world, fields, status) in [
        (&world, &[("client_id", "nobody")][..], 401),
        (&world, &[], 401),
        (
            &broken,
            &[("client_id", "nobody"), ("grant_type", "refresh_token")],
            500,
        ),
    ] {
        let page = from_page(world, Visit::post("/oauth/token", fields)).await;
        assert_eq!(page.status.as_u16(), status, "{page:?}");
        assert_eq!(page.header("access-control-allow-origin"), "*");
        let exposed = names(page.header("access-control-expose-headers"));
        assert!(
            exposed.contains(&"www-authenticate".to_owned()),
            "{exposed:?}"
        );
    }
    // No page reads what is shown to a user.
    for path in [
        "/oauth/authorize?client_id=x",
        "/authorize?client_id=x",
        "/oauth/login",
        "/oauth/consent",
        "/account",
    ] {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            let visit = Visit::get(path).method(method);
            let visit = visit.header("access-control-request-method", "GET");
            let page = from_page(&world, visit).await;
            assert_eq!(page.header("access-control-allow-origin"), "", "{path}");
        }
    }
    let plain = back_channel(&world.browser, Visit::get("/mcp")).await;
    assert_eq!(plain.header("access-control-allow-origin"), "");
}
