//! How sessions end: for both sides, with all that hangs on them.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderValue, Request, Response, StatusCode};
use portcullis_oauth::{MockClock, SharedClock};
use portcullis_resource_server::mcp::session::SessionLimits;
use portcullis_resource_server::{AccessToken, Auth, GrantStatus, Unavailable};
use portcullis_testkit::CapturedLogs;
use tokio::sync::{Notify, mpsc};
use tower::{ServiceExt as _, service_fn};

use crate::mcp::{INITIALIZE, LIST, auth, bearer};
use crate::support::{request, send, with_required};

/// A server whose sessions are `s0`, `s1`, .. and which tells which of them it was asked to end.
struct Behind {
    app: Router,
    ended: mpsc::UnboundedReceiver<String>,
}

fn behind(auth: &Auth, handshake: Option<Arc<Notify>>) -> Behind {
    let (told, ended) = mpsc::unbounded_channel();
    let next = Arc::new(Mutex::new(0));
    let server = service_fn(move |request: Request<Body>| {
        let (told, next, wait) = (told.clone(), Arc::clone(&next), handshake.clone());
        async move {
            let id = request.headers().get("mcp-session-id").cloned();
            // As servers do that look at it, or know of virtual hosts.
            let host = request.headers().get("host").cloned();
            let answer = match (request.method().as_str(), id) {
                _ if host.is_none_or(|host| host != "mcp.example.com") => {
                    let mut refused = Response::new(Body::empty());
                    *refused.status_mut() = StatusCode::BAD_REQUEST;
                    refused
                }
                ("DELETE", Some(id)) => {
                    let _ = told.send(id.to_str().unwrap().to_owned());
                    Response::new(Body::empty())
                }
                ("GET", Some(_)) => Response::builder()
                    .header("content-type", "text/event-stream")
                    .body(Body::from_stream(
                        stream::once(async { Ok::<_, Infallible>(Bytes::from("data: a\n\n")) })
                            .chain(stream::pending()),
                    ))
                    .unwrap(),
                ("POST", None) => {
                    let id = {
                        let mut next = next.lock().unwrap();
                        *next += 1;
                        format!("s{}", *next - 1)
                    };
                    if let Some(wait) = wait {
                        wait.notified().await;
                    }
                    let response = Response::builder().header("mcp-session-id", id);
                    response.body(Body::empty()).unwrap()
                }
                _ => Response::new(Body::empty()),
            };
            Ok::<_, Infallible>(answer)
        }
    });
    let app = auth.protect("/mcp", server).unwrap();
    Behind { app, ended }
}

/// What comes while nothing else has to happen.
async fn soon<T>(coming: impl Future<Output = T>) -> T {
    let patience = Duration::from_secs(5);
    tokio::time::timeout(patience, coming)
        .await
        .expect("in time")
}

impl Behind {
    async fn open(&self, who: &str) -> String {
        let headers = [("authorization", &*bearer(who))];
        let request = request("POST", "/mcp", &headers, INITIALIZE);
        let answer = send(self.app.clone(), request).await;
        answer.header("mcp-session-id").unwrap().to_owned()
    }

    async fn within(&self, method: &str, who: &str, id: &str) -> Response<Body> {
        let headers = [("authorization", &*bearer(who)), ("mcp-session-id", id)];
        let body = if method == "POST" { LIST } else { "" };
        let request = request(method, "/mcp", &headers, body);
        self.app.clone().oneshot(request).await.unwrap()
    }
}

/// Grants of which one user's can be taken back.
#[derive(Clone, Default)]
struct Grants {
    revoked: Arc<AtomicBool>,
}

impl GrantStatus for Grants {
    fn known(&self, token: &AccessToken) -> Option<bool> {
        let revoked = self.revoked.load(Ordering::SeqCst);
        Some(!(revoked && token.subject() == "alice" && token.has_scope("mcp:read")))
    }

    fn ask<'a>(&'a self, _: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>> {
        async { Ok(true) }.boxed()
    }
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_revoked_grant_ends_its_sessions() {
    let grants = Grants::default();
    let auth = auth(crate::support::Tokens::default()).grant_status(grants.clone());
    let mut behind = behind(&auth, None);
    let alices = behind.open("alice").await;
    let bobs = behind.open("bob").await;
    // The same user and client by another grant.
    let headers = [("authorization", "Bearer alice.other")];
    let other = request("POST", "/mcp", &headers, INITIALIZE);
    let other = send(behind.app.clone(), other).await;
    let others = other.header("mcp-session-id").unwrap().to_owned();
    let stream = behind.within("GET", "alice", &alices).await;
    let mut stream = stream.into_body().into_data_stream();
    assert!(soon(stream.next()).await.is_some());

    grants.revoked.store(true, Ordering::SeqCst);
    let refused = behind.within("POST", "alice", &alices).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(soon(stream.next()).await.is_none(), "its stream is over");
    assert_eq!(soon(behind.ended.recv()).await.unwrap(), alices);
    assert!(behind.ended.try_recv().is_err(), "and nothing else ended");
    let answer = behind.within("POST", "bob", &bobs).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let headers = [
        ("authorization", "Bearer alice.other"),
        ("mcp-session-id", &*others),
    ];
    let answer = send(behind.app.clone(), request("POST", "/mcp", &headers, LIST)).await;
    assert_eq!(
        answer.status,
        StatusCode::OK,
        "another grant's session stays"
    );
}

#[tokio::test(start_paused = true)]
async fn sec_rs_17_a_session_that_ends_takes_its_streams() {
    let mut limits = SessionLimits::default();
    limits.per_principal = 1;
    let mut behind = behind(&auth(with_required()).session_limits(limits), None);
    let first = behind.open("alice").await;
    let stream = behind.within("GET", "alice", &first).await;
    let mut stream = stream.into_body().into_data_stream();
    assert!(soon(stream.next()).await.is_some());
    let second = behind.open("alice").await;
    assert!(soon(stream.next()).await.is_none());
    assert_eq!(
        soon(behind.ended.recv()).await.unwrap(),
        first,
        "in the server behind too"
    );

    let stream = behind.within("GET", "alice", &second).await;
    let mut stream = stream.into_body().into_data_stream();
    assert!(soon(stream.next()).await.is_some());
    behind.within("DELETE", "alice", &second).await;
    assert_eq!(soon(behind.ended.recv()).await.unwrap(), second);
    assert!(soon(stream.next()).await.is_none());
    tokio::task::yield_now().await;
    assert!(
        behind.ended.try_recv().is_err(),
        "its client has ended it, once"
    );
}

#[tokio::test(start_paused = true)]
async fn sec_ds_08_who_opens_sessions_in_a_loop_has_to_wait() {
    let clock = Arc::new(MockClock::at(0));
    let mut limits = SessionLimits::default();
    limits.per_principal = 1;
    limits.replaced_per_minute = 2;
    let auth = auth(with_required()).session_limits(limits);
    let mut behind = behind(&auth.clock(Arc::clone(&clock) as SharedClock), None);
    for id in ["s0", "s1", "s2"] {
        assert_eq!(behind.open("alice").await, id);
    }
    for ended in ["s0", "s1"] {
        assert_eq!(soon(behind.ended.recv()).await.unwrap(), ended);
    }
    clock.advance(Duration::from_millis(500));
    let headers = [("authorization", &*bearer("alice"))];
    let again = request("POST", "/mcp", &headers, INITIALIZE);
    let refused = send(behind.app.clone(), again).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("retry-after"), Some("30"), "rounded up");
    assert!(refused.body.contains(r#""id":0"#), "{}", refused.body);
    let working = behind.within("POST", "alice", "s2").await;
    assert_eq!(working.status(), StatusCode::OK, "the last one goes on");
    assert_eq!(behind.open("bob").await, "s3", "hers went no further");
    clock.advance(Duration::from_secs(30));
    assert_eq!(behind.open("alice").await, "s4");
    assert_eq!(soon(behind.ended.recv()).await.unwrap(), "s2");
}

#[tokio::test]
async fn a_server_that_keeps_a_session_is_reported() {
    for (status, is_reported) in [
        (StatusCode::BAD_REQUEST, true),
        (StatusCode::FORBIDDEN, true),
        (StatusCode::BAD_GATEWAY, true),
        (StatusCode::NOT_FOUND, false),
        (StatusCode::METHOD_NOT_ALLOWED, false),
        (StatusCode::ACCEPTED, false),
    ] {
        let logs = CapturedLogs::start();
        let server = service_fn(move |request: Request<Body>| async move {
            let mut answer = Response::new(Body::empty());
            if request.method() == "DELETE" {
                *answer.status_mut() = status;
            } else {
                let id = HeaderValue::from_static("s");
                answer.headers_mut().insert("mcp-session-id", id);
            }
            Ok::<_, Infallible>(answer)
        });
        let mut limits = SessionLimits::default();
        limits.per_principal = 1;
        let auth = auth(with_required()).session_limits(limits);
        let app = auth.protect("/mcp", server).unwrap();
        for _ in 0..2 {
            let headers = [("authorization", &*bearer("alice"))];
            let request = request("POST", "/mcp", &headers, INITIALIZE);
            assert_eq!(send(app.clone(), request).await.status, StatusCode::OK);
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let events = logs.security_events();
        let reported = events
            .iter()
            .any(|event| event.contains("session_not_ended"));
        assert_eq!(reported, is_reported, "{status}: {events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn sec_ds_08_a_handshake_without_its_client_leaves_no_session() {
    let answer = Arc::new(Notify::new());
    let mut behind = behind(&auth(with_required()), Some(Arc::clone(&answer)));
    let headers = [("authorization", &*bearer("alice"))];
    let request = request("POST", "/mcp", &headers, INITIALIZE);
    let mut leaving = behind.app.clone().oneshot(request).boxed();
    for _ in 0..10 {
        poll_fn(|cx| {
            assert!(leaving.poll_unpin(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        tokio::task::yield_now().await;
    }
    drop(leaving);
    answer.notify_one();
    assert_eq!(soon(behind.ended.recv()).await.unwrap(), "s0");
    let lost = behind.within("POST", "alice", "s0").await;
    assert_eq!(lost.status(), StatusCode::NOT_FOUND);
}
