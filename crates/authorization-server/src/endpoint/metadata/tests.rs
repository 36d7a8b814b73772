//! The documents, as they are served and as clients find them.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::metadata::server::well_known_urls;
use portcullis_oauth::{Scope, scopes};
use portcullis_resource_server::public_route;
use tower::ServiceExt as _;

use super::*;

fn offer(base: &str) -> Offer {
    Offer {
        issuer: Issuer::parse(base).unwrap(),
        base_url: BaseUrl::parse(base).unwrap(),
        grant_types: vec![
            GrantType::AUTHORIZATION_CODE,
            GrantType::REFRESH_TOKEN,
            GrantType::CLIENT_CREDENTIALS,
        ],
        authentication: AuthenticationMethod::ALL.to_vec(),
        assertion_algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
        registration: true,
        documents: true,
        introspection: true,
    }
}

/// The routes of a server whose issuer has this path, and of resources with others.
fn router(offer: Offer, paths: &[&str]) -> Router {
    let metadata = Arc::new(Metadata::new(offer));
    let mut router = Router::new();
    for (path, dialect) in paths.iter().flat_map(|path| places(path)) {
        let metadata = Arc::clone(&metadata);
        let route = public_route(move || {
            let document = metadata.get(dialect, &scopes!["notes:read", "notes:write"]);
            async move { document }
        });
        router = router.route(&path, route);
    }
    router
}

async fn ask(router: &Router, method: Method, path: &str) -> http::Response<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example;proto=http")
        .header("mcp-protocol-version", "2026-07-28");
    let request = request.body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

async fn read(router: &Router, path: &str) -> Value {
    let response = ask(router, Method::GET, path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    json::value(&body, Limits::METADATA).unwrap()
}

const BASE: &str = "https://mcp.example.com";

#[tokio::test]
async fn the_document_of_a_server_that_offers_everything() {
    let router = router(offer(BASE), &[""]);
    let document = read(&router, "/.well-known/oauth-authorization-server").await;
    insta::assert_snapshot!(format!("{document:#}"));
}

#[tokio::test]
async fn what_is_off_is_not_in_the_document() {
    let little = Offer {
        grant_types: vec![GrantType::AUTHORIZATION_CODE],
        authentication: vec![AuthenticationMethod::None],
        registration: false,
        documents: false,
        introspection: false,
        ..offer(BASE)
    };
    let router = router(little, &[""]);
    let document = read(&router, "/.well-known/oauth-authorization-server").await;
    insta::assert_snapshot!(format!("{document:#}"));
}

#[tokio::test]
async fn d2_the_document_is_where_clients_look_for_it() {
    let tenant = "https://mcp.example.com/tenant";
    let router = router(offer(tenant), &["", "/tenant", "/tenant/mcp"]);
    let mut found = 0;
    for url in well_known_urls(&Issuer::parse(tenant).unwrap()) {
        let path = url.strip_prefix(BASE).unwrap();
        assert_eq!(read(&router, path).await["issuer"], tenant, "{url}");
        found += 1;
    }
    assert_eq!(found, 3);
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-authorization-server/tenant/mcp",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/tenant/mcp",
        "/tenant/mcp/.well-known/openid-configuration",
    ] {
        let document = read(&router, path).await;
        assert_eq!(document["issuer"], tenant, "{path}");
        assert_eq!(
            document["token_endpoint"],
            "https://mcp.example.com/tenant/oauth/token"
        );
    }
}

#[tokio::test]
async fn the_configuration_for_openid_is_the_same_and_two_members() {
    let router = router(offer(BASE), &[""]);
    let oauth = read(&router, "/.well-known/oauth-authorization-server").await;
    let mut openid = read(&router, "/.well-known/openid-configuration").await;
    let members = openid.as_object_mut().unwrap();
    assert!(members.remove("subject_types_supported").is_some());
    assert!(
        members
            .remove("id_token_signing_alg_values_supported")
            .is_some()
    );
    assert_eq!(oauth, openid);
}

#[tokio::test]
async fn sec_md_04_the_only_method_of_pkce_is_s256() {
    let router = router(offer(BASE), &[""]);
    for (path, _) in places("") {
        let document = read(&router, &path).await;
        let methods = &document["code_challenge_methods_supported"];
        assert_eq!(*methods, json::json!(["S256"]), "{path}");
    }
}

#[tokio::test]
async fn d5_what_a_request_says_of_its_host_is_in_no_document() {
    let router = router(offer(BASE), &[""]);
    for (path, _) in places("") {
        let document = read(&router, &path).await.to_string();
        assert!(!document.contains("evil"), "{document}");
    }
}

#[tokio::test]
async fn d9_nothing_is_null_or_empty() {
    fn check(value: &Value, at: &str) {
        match value {
            Value::Null => panic!("null at {at}"),
            Value::String(text) => assert!(!text.is_empty(), "{at}"),
            Value::Array(items) => {
                assert!(!items.is_empty(), "{at}");
                for item in items {
                    check(item, at);
                }
            }
            Value::Object(members) => members.iter().for_each(|(name, value)| check(value, name)),
            _ => {}
        }
    }
    for little in [true, false] {
        let mut offer = offer(BASE);
        if little {
            offer.authentication = vec![AuthenticationMethod::None];
            offer.introspection = false;
        }
        let router = router(offer, &[""]);
        for (path, _) in places("") {
            check(&read(&router, &path).await, "the document");
        }
    }
}

#[tokio::test]
async fn d8_sec_md_07_every_page_may_read_it_without_credentials() {
    let router = router(offer(BASE), &[""]);
    for (path, _) in places("") {
        for method in [Method::GET, Method::HEAD] {
            let response = ask(&router, method.clone(), &path).await;
            assert_eq!(response.status(), StatusCode::OK);
            let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
            assert_eq!(header("cache-control"), "public, max-age=3600");
            assert_eq!(header("content-type"), "application/json");
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(header("access-control-allow-origin"), "*");
            let credentials = "access-control-allow-credentials";
            assert!(!response.headers().contains_key(credentials));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(body.is_empty(), method == Method::HEAD);
        }
    }
}

#[tokio::test]
async fn d8_a_preflight_is_answered() {
    let router = router(offer(BASE), &[""]);
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/.well-known/oauth-authorization-server")
        .header("origin", "https://inspector.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "mcp-protocol-version");
    let request = request.body(Body::empty()).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert!(response.status().is_success());
    let headers = response.headers();
    assert_eq!(headers["access-control-allow-origin"], "*");
    let allowed = headers["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("mcp-protocol-version"), "{allowed}");
}

#[tokio::test]
async fn sec_md_09_it_is_read_and_nothing_else() {
    let router = router(offer(BASE), &[""]);
    for (path, _) in places("") {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let response = ask(&router, method, &path).await;
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
            let allowed = response.headers()["allow"].to_str().unwrap();
            for method in ["GET", "HEAD", "OPTIONS"] {
                assert!(allowed.contains(method), "{allowed}");
            }
            assert!(!allowed.contains("POST"), "{allowed}");
        }
    }
}

#[tokio::test]
async fn the_scopes_are_those_of_now() {
    let metadata = Metadata::new(offer(BASE));
    for scopes in [
        scopes!["a"],
        scopes!["a", "b"],
        scopes!["a", "b"],
        scopes![],
    ] {
        let response = metadata.get(Dialect::OAuth, &scopes).into_response();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let document = json::value(&body, Limits::METADATA).unwrap();
        let said = document["scopes_supported"].as_array().unwrap();
        let said: Vec<&str> = said.iter().filter_map(Value::as_str).collect();
        let wanted = scopes.iter().map(Scope::as_str).chain(["offline_access"]);
        assert_eq!(said, wanted.collect::<Vec<_>>());
    }
}
