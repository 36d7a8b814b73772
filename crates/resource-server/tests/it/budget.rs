//! Large bodies, many of them at once.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{Request, Response, StatusCode};
use portcullis_resource_server::mcp::session::SessionLimits;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::{ServiceExt as _, service_fn};

use crate::mcp::{LIST, auth, bearer, call};
use crate::support::{Answer, request, send, with_required};

const LARGE: usize = 256 * 1024;

/// A message of `LARGE` bytes.
fn large() -> String {
    let message = call("x");
    format!("{message}{}", " ".repeat(LARGE - message.len()))
}

/// A server whose calls wait for the gate, and an endpoint with room for four large bodies: of one
/// user, of all, or both.
fn endpoint(per_principal: usize, all: usize) -> (Router, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let waiting = Arc::clone(&gate);
    let server = service_fn(move |request: Request<Body>| {
        let gate = Arc::clone(&waiting);
        async move {
            let _ = gate.acquire().await.unwrap();
            drop(request);
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let mut limits = SessionLimits::default();
    limits.body_bytes_per_principal = per_principal * LARGE;
    limits.body_bytes = all * LARGE;
    let auth = auth(with_required()).session_limits(limits);
    (auth.protect("/mcp", server).unwrap(), gate)
}

fn post(who: &str, body: &str) -> Request<Body> {
    let authorization = bearer(who);
    let length = body.len().to_string();
    let headers = [
        ("authorization", &*authorization),
        ("content-length", &*length),
    ];
    request("POST", "/mcp", &headers, body)
}

/// All that was refused while the gate was shut, then all that came after it was opened.
async fn race(
    app: &Router,
    gate: &Semaphore,
    requests: Vec<Request<Body>>,
    admitted: usize,
) -> (Vec<Answer>, Vec<Answer>) {
    let mut running = JoinSet::new();
    let refused = requests.len() - admitted;
    for request in requests {
        running.spawn(send(app.clone(), request));
    }
    let mut early = Vec::new();
    while early.len() < refused {
        // Whoever should be refused and is not waits for the gate.
        let next = tokio::time::timeout(Duration::from_secs(20), running.join_next()).await;
        early.push(next.expect("too many pass").unwrap().unwrap());
    }
    gate.add_permits(1);
    (early, running.join_all().await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_ds_09_large_bodies_of_one_user_have_a_budget() {
    let (app, gate) = endpoint(4, 100);
    let mut requests: Vec<_> = (0..150).map(|_| post("alice", &large())).collect();
    requests.extend((0..4).map(|_| post("bob", &large())));
    requests.extend((0..50).map(|_| post("alice", LIST)));
    let (refused, done) = race(&app, &gate, requests, 4 + 4 + 50).await;
    for answer in &refused {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
    assert_eq!(refused.len(), 146);
    assert!(done.iter().all(|answer| answer.status == StatusCode::OK));
    for _ in 0..10 {
        let again = send(app.clone(), post("alice", &large())).await;
        assert_eq!(again.status, StatusCode::OK, "answers give it back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_ds_09_large_bodies_of_all_have_a_budget() {
    let (app, gate) = endpoint(2, 4);
    let users: Vec<String> = (0..50).map(|n| format!("user{n}")).collect();
    let mut requests: Vec<_> = users.iter().map(|user| post(user, &large())).collect();
    requests.extend(users.iter().map(|user| post(user, LIST)));
    let (refused, done) = race(&app, &gate, requests, 4 + 50).await;
    for answer in &refused {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!(refused.len(), 46);
    assert!(done.iter().all(|answer| answer.status == StatusCode::OK));
    let again = send(app, post("user7", &large())).await;
    assert_eq!(again.status, StatusCode::OK, "answers give it back");
}

#[tokio::test]
async fn sec_ds_09_a_body_counts_however_it_comes() {
    let (app, gate) = endpoint(4, 100);
    gate.add_permits(1);
    let pieces = |count: usize| {
        let piece = Bytes::from(vec![b' '; LARGE / 8]);
        stream::iter(vec![Ok::<_, Infallible>(piece); count])
    };
    let unannounced = |body: Body| {
        let mut request = post("alice", "");
        request.headers_mut().remove("content-length");
        *request.body_mut() = body;
        request
    };
    // Sent, and never ended: three of four.
    let slow = Body::from_stream(pieces(24).chain(stream::pending()));
    let mut slow = Box::pin(app.clone().oneshot(unannounced(slow)));
    // Announced, and never sent: the fourth.
    let mut announced = post("alice", "");
    let length = LARGE.to_string().parse().unwrap();
    announced.headers_mut().insert("content-length", length);
    *announced.body_mut() = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let mut announced = Box::pin(app.clone().oneshot(announced));
    assert!((&mut slow).now_or_never().is_none());
    assert!((&mut announced).now_or_never().is_none());

    let more = unannounced(Body::from_stream(pieces(3)));
    let refused = send(app.clone(), more).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    let small = unannounced(Body::from(LIST));
    assert_eq!(send(app.clone(), small).await.status, StatusCode::OK);
    drop(announced);
    let last = send(app.clone(), post("alice", &large())).await;
    assert_eq!(last.status, StatusCode::OK, "who hangs up gives it back");
}

#[tokio::test]
async fn sec_ds_09_a_stream_keeps_what_its_request_brought() {
    let server = service_fn(|_: Request<Body>| async {
        let events = stream::pending::<Result<Bytes, Infallible>>();
        let response = Response::builder().header("content-type", "text/event-stream");
        Ok::<_, Infallible>(response.body(Body::from_stream(events)).unwrap())
    });
    let mut limits = SessionLimits::default();
    limits.body_bytes_per_principal = LARGE;
    let auth = auth(with_required()).session_limits(limits);
    let app = auth.protect("/mcp", server).unwrap();
    let open = || app.clone().oneshot(post("alice", &large()));
    let first = open().await.unwrap();
    let second = open().await.unwrap();
    assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(first);
    assert_eq!(open().await.unwrap().status(), StatusCode::OK);
}
