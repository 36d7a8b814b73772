//! What a provider is told, and the routes that it brings.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::routing::get;
use axum::{Router, response::IntoResponse as _};
use http::{Request, StatusCode};
use portcullis_oauth::{BaseUrl, ScopeSet, scopes};
use portcullis_resource_server::mcp::{AccessPolicy, Deciding, Decision, Operation};
use portcullis_resource_server::{
    AccessToken, Auth, MountedResource, StartError, StaticToken, StaticTokenVerifier,
};
use tower::ServiceExt as _;

struct Writers;

impl AccessPolicy for Writers {
    fn decide<'a>(&'a self, _: Option<&'a AccessToken>, _: &'a Operation<'a>) -> Deciding<'a> {
        Deciding::ready(Decision::Allow)
    }

    fn known_scopes(&self) -> ScopeSet {
        scopes!["write"]
    }
}

fn auth() -> Auth {
    let verifier = StaticTokenVerifier::builder()
        .token("kY3vQ8mN2pX7tR5wB9zL4cF6".into(), StaticToken::new("ci"))
        .build()
        .unwrap();
    Auth::new(verifier).base_url(BaseUrl::parse("https://mcp.example").unwrap())
}

fn mcp() -> Router {
    Router::new()
}

async fn status(app: &Router, host: &str, path: &str) -> StatusCode {
    let request = Request::get(path).header("host", host);
    let request = request.body(Body::empty()).unwrap();
    app.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn sec_rs_10_guarded_routes_have_the_same_hosts() {
    let page = || get(async || "a page".into_response());
    let auth = auth().guarded_route("/page", page()).route("/open", page());
    let alone = auth.protect("/mcp", mcp()).unwrap();
    let shared = auth.shared_routes().unwrap().into_router();
    for app in [alone, shared] {
        let ours = status(&app, "mcp.example", "/page").await;
        assert_eq!(ours, StatusCode::OK);
        let foreign = status(&app, "evil.example", "/page").await;
        assert_eq!(foreign, StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(status(&app, "evil.example", "/open").await, StatusCode::OK);
    }
}

#[test]
fn a_provider_is_told_of_each_resource() {
    let told: Arc<Mutex<Vec<MountedResource>>> = Arc::default();
    let listener = Arc::clone(&told);
    let auth = auth()
        .required_scopes(scopes!["read"])
        .access_policy(Arc::new(Writers))
        .resource_name("Notes")
        .on_mount(move |mounted| listener.lock().unwrap().push(mounted.clone()));
    let _ = auth.protect("/mcp", mcp()).unwrap();
    let told = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].resource.as_str(), "https://mcp.example/mcp");
    assert_eq!(told[0].scopes, scopes!["read", "write"]);
    assert_eq!(told[0].name.as_deref(), Some("Notes"));
    assert!(told[0].is_main);
}

#[tokio::test]
async fn a_provider_that_cannot_start_says_so() {
    auth().start().await.unwrap();
    let broken = auth().on_start(async || Err(StartError::new("the store cannot be opened")));
    let error = broken.start().await.unwrap_err();
    assert_eq!(error.to_string(), "the store cannot be opened");
}
