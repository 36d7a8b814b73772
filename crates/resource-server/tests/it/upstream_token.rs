//! The identity provider's token in a handler's hands: who gets it, and what is said where it cannot
//! be had.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use futures_util::future::BoxFuture;
use http::{Request, StatusCode};
use portcullis_oauth::{BearerToken, ResourceUrl, SecretString, Timestamp, scopes};
use portcullis_resource_server::{
    AccessToken, AuthLayer, TokenParts, TokenVerifier, Unavailable, UpstreamToken,
    UpstreamTokenError, UpstreamTokens, VerifyContext, VerifyError, load_upstream_tokens,
};
use portcullis_testkit::CapturedLogs;

use crate::support::{Answer, request, send};

const CANARY: &str = "upstream-canary-7f3a";
const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource";

/// A proxy's store, as its users' names have it.
#[derive(Default)]
struct Kept(AtomicUsize);

impl UpstreamTokens for Kept {
    fn load<'a>(
        &'a self,
        token: &'a AccessToken,
    ) -> BoxFuture<'a, Result<UpstreamToken, UpstreamTokenError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match token.subject() {
                "ended" => Err(UpstreamTokenError::Ended),
                "down" => {
                    let wait = Duration::from_secs(30);
                    Err(Unavailable::new("the provider is out of reach")
                        .retry_after(wait)
                        .into())
                }
                name => {
                    let secret = SecretString::new(format!("{CANARY}-{name}"));
                    let expiry = Some(Timestamp::from_secs(1_800_000_000));
                    Ok(UpstreamToken::new(secret)
                        .with_scopes(Some(scopes!["read:user"]))
                        .with_expiry(expiry))
                }
            }
        })
    }
}

/// Tokens are names; those of `local` come without a provider.
struct Names(Arc<Kept>);

impl TokenVerifier for Names {
    async fn verify(
        &self,
        token: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        let name = token.expose();
        let parts = TokenParts::new("https://auth.example.com", name).client_id("cli");
        let verified = AccessToken::assert_verified(parts);
        Ok(match name {
            "local" => verified,
            _ => verified.with_upstream_tokens(self.0.clone()),
        })
    }
}

struct World {
    kept: Arc<Kept>,
    app: Router,
}

impl World {
    fn new() -> Self {
        let kept = Arc::new(Kept::default());
        let resource = ResourceUrl::parse("https://mcp.example.com/").unwrap();
        let layer = AuthLayer::new(Names(Arc::clone(&kept)), resource).resource_metadata(METADATA);
        let app = Router::new()
            .route(
                "/needs",
                get(async |token: UpstreamToken| token.expose().to_owned()),
            )
            .route(
                "/takes",
                get(async |token: Option<UpstreamToken>| {
                    token.map_or("none".to_owned(), |token| token.expose().to_owned())
                }),
            )
            .route(
                "/asks",
                get(async |token: AccessToken| token.subject().to_owned()),
            )
            .layer(layer)
            .route("/open", get(async |_: UpstreamToken| "open"))
            .route(
                "/open/takes",
                get(async |token: Option<UpstreamToken>| {
                    assert!(token.is_none());
                    "nobody"
                }),
            );
        Self { kept, app }
    }

    async fn get(&self, path: &str, name: &str) -> Answer {
        let value = format!("Bearer {name}");
        let headers = [("authorization", &*value), ("x-token", CANARY)];
        let request: Request<Body> = request("GET", path, &headers, "");
        send(self.app.clone(), request).await
    }

    fn loads(&self) -> usize {
        self.kept.0.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_handler_gets_the_token_of_whoever_called() {
    let world = World::new();
    for path in ["/needs", "/takes"] {
        let answer = world.get(path, "alice").await;
        assert_eq!(answer.body, format!("{CANARY}-alice"), "{path}");
        let answer = world.get(path, "bob").await;
        assert_eq!(answer.body, format!("{CANARY}-bob"), "{path}");
    }
    assert_eq!(world.get("/takes", "local").await.body, "none");
    let token = AccessToken::assert_verified(TokenParts::new("https://i.example", "alice"))
        .with_upstream_tokens(Arc::new(Kept::default()));
    let token = load_upstream_tokens(&token).await.unwrap();
    assert_eq!(token.scopes(), Some(&scopes!["read:user"]));
    assert_eq!(
        token.expires_at(),
        Some(Timestamp::from_secs(1_800_000_000))
    );
}

#[tokio::test]
async fn nothing_is_loaded_for_a_request_that_does_not_ask() {
    let world = World::new();
    assert_eq!(world.get("/asks", "alice").await.body, "alice");
    assert_eq!(world.loads(), 0);
}

#[tokio::test]
async fn sec_px_18_an_upstream_token_is_loaded_for_a_verified_caller_alone() {
    let world = World::new();
    // No layer has verified anybody, whatever the request says.
    let answer = world.get("/open", "alice").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.get("/open/takes", "alice").await.body, "nobody");
    assert_eq!(world.loads(), 0);
    // A verified caller without a provider has none either.
    let answer = world.get("/needs", "local").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!answer.body.contains("provider"), "{answer:?}");
    let parts = TokenParts::new("https://auth.example.com", "alice");
    let token = AccessToken::assert_verified(parts);
    let none = load_upstream_tokens(&token).await.unwrap_err();
    assert!(matches!(none, UpstreamTokenError::Absent));
    assert_eq!(world.loads(), 0);
}

#[tokio::test]
async fn a_sign_in_that_has_ended_is_a_challenge() {
    let world = World::new();
    for path in ["/needs", "/takes"] {
        let answer = world.get(path, "ended").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
        let challenge = answer.challenge();
        assert!(
            challenge.contains(r#"error="invalid_token""#),
            "{challenge}"
        );
        assert!(challenge.contains(METADATA), "{challenge}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn a_provider_out_of_reach_is_no_challenge() {
    let world = World::new();
    let answer = world.get("/needs", "down").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("retry-after"), Some("30"));
    assert_eq!(answer.header("www-authenticate"), None);
    assert!(!answer.body.contains("out of reach"), "{answer:?}");
}

#[tokio::test]
async fn sec_px_05_nothing_prints_an_upstream_token() {
    let logs = CapturedLogs::start();
    let world = World::new();
    for name in ["alice", "ended", "down", "local"] {
        world.get("/takes", name).await;
        world.get("/needs", name).await;
    }
    logs.assert_free_of(CANARY);
    let token = AccessToken::assert_verified(TokenParts::new("https://i.example", "alice"))
        .with_upstream_tokens(Arc::new(Kept::default()));
    let upstream = load_upstream_tokens(&token).await.unwrap();
    for shown in [format!("{upstream:?}"), format!("{:#?}", (token, upstream))] {
        assert!(!shown.contains(CANARY), "{shown}");
    }
}
