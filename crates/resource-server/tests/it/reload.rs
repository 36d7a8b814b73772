//! Streams under rules that change while they run.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use axum::response::sse::{Event, Sse};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use portcullis_oauth::{BaseUrl, BearerToken, scopes};
use portcullis_resource_server::observe::{Exchange, Observer};
use portcullis_resource_server::{
    AccessToken, Auth, GrantStatus, Rejection, Reloadable, TokenVerifier, Unavailable,
    VerifyContext, VerifyError,
};
use tower::{ServiceExt as _, service_fn};

use crate::mcp::{LIST, auth};
use crate::support::{BASE, request, with_required};

/// An endpoint that sends for ten minutes, whatever it is asked, so that a stream that should have
/// ended does end.
fn mount(auth: &Auth, path: &str, calls: &Arc<AtomicUsize>) -> Router {
    let calls = Arc::clone(calls);
    let server = service_fn(move |_: Request<Body>| {
        calls.fetch_add(1, Ordering::SeqCst);
        let ticks = stream::repeat(()).take(600).then(async |()| {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, Infallible>(Event::default().data("tick"))
        });
        async { Ok::<_, Infallible>(Sse::new(ticks.boxed()).into_response()) }
    });
    auth.protect(path, server).unwrap()
}

fn closed() -> Auth {
    auth(with_required())
}

fn open() -> Auth {
    let auth = Auth::dangerous().allow_anonymous();
    auth.base_url(BaseUrl::parse(BASE).unwrap())
}

/// Lets callers without a token in.
fn per_tool() -> Auth {
    closed().anonymous_per_component()
}

/// How many seconds a stream that was opened by `method` goes on after `next` took the place of the
/// routes that opened it.
async fn seconds(method: &str, token: Option<&str>, (first, next): (&Auth, Router)) -> usize {
    let calls = Arc::default();
    let routes = Reloadable::new(mount(first, "/mcp", &calls));
    let app = Router::new().fallback_service(routes.clone());
    let authorization = token.map(|token| format!("Bearer {token}"));
    let headers: Vec<(&str, &str)> = authorization
        .iter()
        .map(|value| ("authorization", value.as_str()))
        .collect();
    let body = if method == "POST" { LIST } else { "" };
    let request = request(method, "/mcp", &headers, body);
    let response: Response<Body> = app.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    routes.replace(next);
    let body = tokio::time::timeout(Duration::from_secs(3600), response.into_body().collect());
    let body = body.await.expect("it ends").unwrap().to_bytes();
    assert_eq!(calls.load(Ordering::SeqCst), 1, "nobody is called again");
    String::from_utf8_lossy(&body).matches("tick").count()
}

const READER: Option<&str> = Some("alice.mcp~read");

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_stream_ends_with_the_rules_that_opened_it() {
    let elsewhere = BaseUrl::parse("https://other.example.com").unwrap();
    let again = Arc::default();
    for method in ["GET", "POST"] {
        for (next, what) in [
            (
                mount(
                    &closed().required_scopes(scopes!["mcp:write"]),
                    "/mcp",
                    &again,
                ),
                "scopes",
            ),
            (
                mount(&closed().grant_status(Nobody), "/mcp", &again),
                "a list of users",
            ),
            (
                mount(
                    &Auth::new(NoKey).base_url(BaseUrl::parse(BASE).unwrap()),
                    "/mcp",
                    &again,
                ),
                "its key",
            ),
            (mount(&closed(), "/moved", &again), "its path"),
            (
                mount(&closed().base_url(elsewhere.clone()), "/mcp", &again),
                "its host",
            ),
            (Router::new(), "everything"),
            (
                Router::new().fallback(axum::routing::any(async || "me")),
                "somebody else",
            ),
        ] {
            let lasted = seconds(method, READER, (&closed(), next)).await;
            assert!((1..=60).contains(&lasted), "{method} {what}: {lasted}");
        }
        for (next, what) in [
            (mount(&closed(), "/mcp", &again), "the same"),
            (
                mount(
                    &closed().required_scopes(scopes!["mcp:read"]),
                    "/mcp",
                    &again,
                ),
                "what it has",
            ),
            (mount(&per_tool(), "/mcp", &again), "more for all"),
            (mount(&open(), "/mcp", &again), "no tokens"),
        ] {
            let lasted = seconds(method, READER, (&closed(), next)).await;
            assert_eq!(lasted, 600, "{method} {what}");
        }
    }
    assert_eq!(again.load(Ordering::SeqCst), 0, "no server behind is asked");
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_stream_without_a_token_ends_where_one_is_asked_for() {
    let again = Arc::default();
    for first in [per_tool(), open()] {
        let closed = mount(&closed(), "/mcp", &again);
        let lasted = seconds("GET", None, (&first, closed)).await;
        assert!((1..=60).contains(&lasted), "{lasted}");
        let gone = seconds("GET", None, (&first, Router::new())).await;
        assert!((1..=60).contains(&gone), "{gone}");
        for next in [per_tool(), open()] {
            let next = mount(&next, "/mcp", &again);
            assert_eq!(seconds("GET", None, (&first, next)).await, 600);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_asks_again_is_no_request() {
    #[derive(Clone, Default)]
    struct Count(Arc<AtomicUsize>);
    impl Observer for Count {
        fn answered(&self, _: &Exchange) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let count = Count::default();
    let observed = closed().observer(count.clone());
    let next = mount(&observed, "/mcp", &Arc::default());
    assert_eq!(seconds("GET", READER, (&observed, next)).await, 600);
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
}

/// Nobody may come.
struct Nobody;

impl GrantStatus for Nobody {
    fn known(&self, _: &AccessToken) -> Option<bool> {
        Some(false)
    }

    fn ask<'a>(&'a self, _: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>> {
        async { Ok(false) }.boxed()
    }
}

/// Knows no key any more.
struct NoKey;

impl TokenVerifier for NoKey {
    async fn verify(
        &self,
        _: &BearerToken,
        _: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        Err(Rejection::UnknownKey.into())
    }
}
