//! The well-known documents.

use axum::Router;
use http::StatusCode;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{BaseUrl, scopes};
use portcullis_resource_server::{Auth, ConfigError, IntoAuth as _, RemoteAuthProvider};

use crate::support::{Answer, BASE, request, send, with_required};

fn app(path: &str) -> Router {
    provider()
        .into_auth()
        .unwrap()
        .protect(path, Router::new())
        .unwrap()
}

fn provider() -> RemoteAuthProvider {
    RemoteAuthProvider::new(with_required(), BASE)
        .unwrap()
        .authorization_server("https://auth.example.com")
        .scopes_supported(scopes!["mcp:read", "mcp:write", "offline_access"])
        .resource_name("Example")
}

async fn get(app: &Router, path: &str) -> Answer {
    send(app.clone(), request("GET", path, &[], "")).await
}

fn document(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    json::from_str(&answer.body, Limits::METADATA).unwrap()
}

#[tokio::test]
async fn sec_md_01_each_spelling_has_a_document_that_says_it() {
    let app = app("/mcp");
    for (path, resource) in [
        (
            "/.well-known/oauth-protected-resource",
            "https://mcp.example.com/mcp",
        ),
        (
            "/.well-known/oauth-protected-resource/mcp",
            "https://mcp.example.com/mcp",
        ),
        (
            "/.well-known/oauth-protected-resource/mcp/",
            "https://mcp.example.com/mcp/",
        ),
    ] {
        let document = document(&get(&app, path).await);
        assert_eq!(document["resource"], resource, "{path}");
        assert_eq!(
            document["authorization_servers"][0],
            "https://auth.example.com"
        );
        assert_eq!(
            document["scopes_supported"].to_string(),
            r#"["mcp:read","mcp:write"]"#
        );
        assert_eq!(
            document["bearer_methods_supported"].to_string(),
            r#"["header"]"#
        );
        assert_eq!(document["resource_name"], "Example");
    }
    let elsewhere = get(&app, "/.well-known/oauth-protected-resource/other").await;
    assert_eq!(elsewhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sec_rs_26_a_request_cannot_change_the_documents() {
    let app = app("/mcp");
    let hostile = [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("forwarded", "host=evil.example"),
    ];
    let path = "/.well-known/oauth-protected-resource/mcp";
    let poisoned = send(app.clone(), request("GET", path, &hostile, "")).await;
    assert!(!poisoned.body.contains("evil"), "{}", poisoned.body);
    let challenged = send(app, request("POST", "/mcp", &hostile[1..], "{}")).await;
    assert_eq!(challenged.status, StatusCode::UNAUTHORIZED);
    assert!(!challenged.challenge().contains("evil"), "{challenged:?}");
}

#[tokio::test]
async fn the_challenge_leads_to_the_document_of_the_same_spelling() {
    let app = app("/mcp");
    for path in ["/mcp", "/mcp/"] {
        let answer = get(&app, path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        let url = format!("{BASE}/.well-known/oauth-protected-resource{path}");
        assert!(
            answer
                .challenge()
                .contains(&format!(r#"resource_metadata="{url}""#)),
            "{answer:?}"
        );
        let found = document(
            &get(
                &app,
                &format!("/.well-known/oauth-protected-resource{path}"),
            )
            .await,
        );
        assert_eq!(found["resource"], format!("{BASE}{path}"));
    }
}

#[tokio::test]
async fn sec_md_07_documents_are_public_and_may_be_kept() {
    let headers = [
        ("origin", "https://inspector.example"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    let path = "/.well-known/oauth-protected-resource/mcp";
    let answer = send(app("/mcp"), request("GET", path, &headers, "")).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn sec_md_09_documents_are_read_only() {
    let app = app("/mcp");
    let path = "/.well-known/oauth-protected-resource";
    for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE"] {
        let answer = send(app.clone(), request(method, path, &[], "")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert!(
            answer
                .header("allow")
                .is_some_and(|allow| allow.contains("GET") && allow.contains("OPTIONS")),
            "{method}"
        );
    }
    let head = send(app, request("HEAD", path, &[], "")).await;
    assert_eq!((head.status, head.body.as_str()), (StatusCode::OK, ""));
}

#[tokio::test]
async fn sec_md_10_a_document_holds_what_was_configured_and_nothing_else() {
    let document = document(&get(&app("/mcp"), "/.well-known/oauth-protected-resource").await);
    let members: Vec<_> = document
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expected = [
        "resource",
        "authorization_servers",
        "scopes_supported",
        "bearer_methods_supported",
        "resource_name",
    ];
    expected.sort_unstable();
    let mut members = members;
    members.sort_unstable();
    assert_eq!(members, expected);
}

#[tokio::test]
async fn a_server_at_the_root_has_one_document() {
    let document = document(&get(&app("/"), "/.well-known/oauth-protected-resource").await);
    assert_eq!(document["resource"], BASE);
}

#[test]
fn sec_md_06_a_provider_names_what_is_wrong_with_its_urls() {
    fn error<T>(result: Result<T, ConfigError>) -> ConfigError {
        result.map(|_| ()).unwrap_err()
    }
    let base = error(RemoteAuthProvider::new(
        with_required(),
        "http://mcp.example.com",
    ));
    assert_eq!(base.field(), "base_url");
    assert!(base.hint().is_some_and(|hint| hint.contains("https://")));
    let server = provider().authorization_server("https://auth.example.com/?x=1");
    assert_eq!(error(server.into_auth()).field(), "authorization_server");
    let none = RemoteAuthProvider::new(with_required(), BASE).unwrap();
    assert_eq!(error(none.into_auth()).field(), "authorization_server");
    let secret = provider().authorization_server("https://me:canary@auth.example.com");
    let shown = format!("{:?}", error(secret.into_auth()));
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn sec_md_06_no_broken_document_is_served() {
    let mount = |change: fn(Auth) -> Auth| {
        let auth = Auth::new(with_required())
            .base_url(BaseUrl::parse(BASE).unwrap())
            .authorization_server("https://auth.example.com");
        let mounted = change(auth).protect("/mcp", Router::new());
        mounted
            .map(|_| ())
            .map_err(|error| error.field().to_owned())
    };
    let server = Err("authorization_server".to_owned());
    assert_eq!(mount(|auth| auth.authorization_server("auth")), server);
    assert_eq!(mount(|auth| auth.authorization_server("")), server);
    let query = mount(|auth| auth.authorization_server("https://a.example/?x=1"));
    assert_eq!(query, server);
    let page = Err("resource_documentation".to_owned());
    assert_eq!(mount(|auth| auth.resource_documentation("docs")), page);
    assert_eq!(mount(|auth| auth.resource_documentation("")), page);
    let script = mount(|auth| auth.resource_documentation("javascript:alert(1)"));
    assert_eq!(script, page);
    let spaced = mount(|auth| auth.resource_documentation("https://d.example/#a b"));
    assert_eq!(spaced, page);
    let good = mount(|auth| auth.resource_documentation("https://d.example/a?b=c#d"));
    assert_eq!(good, Ok(()));
}
