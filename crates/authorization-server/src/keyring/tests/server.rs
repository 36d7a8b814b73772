//! A whole server while its keys are exchanged.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, Sse};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::{self, BoxStream};
use http::{Request, StatusCode};
use portcullis_oauth::Subject;
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::json::{Limits, value};
use portcullis_resource_server::IntoAuth as _;
use tower::ServiceExt as _;

use super::*;
use crate::{Mint, OAuthProvider};

/// A server, and an operator with its store.
struct Site {
    world: World,
    router: Router,
    records: Records,
    operator: Keyring,
}

impl Site {
    async fn new() -> Self {
        Self::with(false).await
    }

    /// One that asks the store on every request, or not.
    async fn with(is_strict: bool) -> Self {
        let world = World::new();
        let provider = OAuthProvider::builder()
            .base_url("https://mcp.example.com")
            .store(world.process())
            .scopes(scopes!["notes:read"])
            .strict_revocation(is_strict)
            .clock(world.clock.clone())
            .entropy(Arc::new(SeededEntropy::new(3)))
            .build()
            .unwrap();
        provider.start().await.unwrap();
        let said = tower::service_fn(async |request: Request<Body>| {
            Ok(match *request.method() {
                http::Method::GET => ticks().into_response(),
                _ => StatusCode::OK.into_response(),
            })
        });
        let router = provider.into_auth().unwrap().protect("/mcp", said).unwrap();
        let records = world.records().await;
        Self {
            operator: Keyring::open(&records, world.settings()).await.unwrap(),
            world,
            router,
            records,
        }
    }

    /// A token with a grant behind it.
    async fn mint(&self) -> BearerToken {
        let subject = Subject::parse("alice").unwrap();
        let client = ClientId::parse("cli").unwrap();
        let mint = Mint::new(subject, client, ResourceUrl::parse(RESOURCE).unwrap());
        let mint = mint.scope(scopes!["notes:read"]).lifetime(HOUR);
        let issuer = issuer();
        let token = mint.token(&issuer, &self.operator, &self.records);
        token.await.unwrap()
    }

    async fn call(&self, token: &BearerToken) -> StatusCode {
        let request = Request::post("/mcp")
            .header("host", "mcp.example.com")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/list")
            .header("authorization", format!("Bearer {}", token.expose()))
            .body(Body::from(
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#,
            ));
        let response = self.router.clone().oneshot(request.unwrap()).await;
        response.unwrap().status()
    }

    /// A stream of events that this token opens.
    async fn stream(&self, token: &BearerToken) -> Body {
        let request = Request::get("/mcp")
            .header("host", "mcp.example.com")
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {}", token.expose()));
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.into_body()
    }

    /// The ids of the keys that everybody sees.
    async fn published(&self) -> Vec<String> {
        let request = Request::get("/oauth/jwks").header("host", "mcp.example.com");
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1 << 16)
            .await
            .unwrap();
        let document = value(&body, Limits::METADATA).unwrap();
        let keys = document["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// An event a second, for ten minutes.
fn ticks() -> Sse<BoxStream<'static, Result<Event, Infallible>>> {
    let ticks = stream::repeat(()).take(600).then(async |()| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(Event::default().data("tick"))
    });
    Sse::new(ticks.boxed())
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_stream_ends_with_a_key_that_was_revoked_elsewhere() {
    for is_strict in [false, true] {
        let site = Site::with(is_strict).await;
        let token = site.mint().await;
        let kept = site.stream(&token).await;
        let kept = axum::body::to_bytes(kept, 1 << 20).await.unwrap();
        let ticks = |body: &[u8]| body.windows(4).filter(|four| four == b"tick").count();
        assert_eq!(ticks(&kept), 600, "while the key is good it goes on");
        let stream = site.stream(&token).await;
        site.operator.rotate(Rotation::Revoke).await.unwrap();
        let cut = axum::body::to_bytes(stream, 1 << 20).await.unwrap();
        assert!((1..=60).contains(&ticks(&cut)), "strict: {is_strict}");
        assert_eq!(site.call(&token).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_key_15_a_server_under_load_exchanges_its_key_without_one_failure() {
    let site = Site::new().await;
    let old = site.published().await;
    let stolen = site.operator.inner.seen().signing.clone();
    let mut tokens: Vec<(i64, BearerToken)> = Vec::new();
    for minute in 0..100_i64 {
        if minute == 5 {
            site.operator.rotate(Rotation::Overlap).await.unwrap();
        }
        tokens.push((minute, site.mint().await));
        tokens.retain(|(made_at, _)| minute - made_at < 60);
        let calls = tokens.iter().map(|(_, token)| site.call(token));
        for (status, (made_at, _)) in join_all(calls).await.into_iter().zip(&tokens) {
            assert_eq!(
                status,
                StatusCode::OK,
                "of minute {made_at} in minute {minute}"
            );
        }
        site.world.clock.advance(Duration::from_secs(60));
        site.operator.tick().await.unwrap();
    }
    let new = site.published().await;
    assert_eq!(new.len(), 1);
    assert_ne!(new, old);
    // Whoever has the old key says what a token that stands says, and signs it.
    let (_, last) = tokens.last().unwrap();
    assert_eq!(site.call(last).await, StatusCode::OK);
    let Value::Object(said) = claims(last) else {
        unreachable!()
    };
    let forge = |key: &view::Held| {
        let mut token = JwtBuilder::access_token(issuer().as_str()).kid(&key.id);
        for (name, value) in &said {
            token = token.claim(name, value.clone());
        }
        BearerToken::new(token.sign(&key.key).unwrap())
    };
    assert_eq!(site.call(&forge(&stolen)).await, StatusCode::UNAUTHORIZED);
    let current = site.operator.inner.seen().signing.clone();
    assert_eq!(
        site.call(&forge(&current)).await,
        StatusCode::OK,
        "the forgery is a good one"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_key_16_a_revoked_key_ends_every_token_of_a_server() {
    let site = Site::new().await;
    let before = site.mint().await;
    assert_eq!(site.call(&before).await, StatusCode::OK);
    site.operator.rotate(Rotation::Revoke).await.unwrap();
    // What another process did in a store that does not tell of it, is seen after a minute.
    site.world.clock.advance(Duration::from_secs(60));
    assert_eq!(site.call(&before).await, StatusCode::UNAUTHORIZED);
    let after = site.mint().await;
    assert_eq!(site.call(&after).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn sec_jwt_37_a_signing_key_alone_opens_nothing() {
    let site = Site::new().await;
    let token = sign(&site.operator).await;
    assert_eq!(
        site.call(&token).await,
        StatusCode::UNAUTHORIZED,
        "there is no grant"
    );
}
