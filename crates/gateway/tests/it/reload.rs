//! Routes that are exchanged while they are used.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use http::Response;
use portcullis_gateway::{Gateway, MountedGateway, Needs, Reloadable, Rules, Upstream};
use portcullis_oauth::scopes;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::support::{Behind, auth, call, front, post, request, send, with_type};

#[tokio::test]
async fn a_request_ends_where_it_began_and_the_next_one_sees_the_new_routes() {
    let (old, new) = (Behind::start().await, Behind::start().await);
    let routes = Reloadable::new(front(old.upstream()));
    let app = Router::new().fallback_service(routes.clone());
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let events = futures_util::stream::unfold(receiver, |mut receiver| async move {
        Some((Ok::<_, std::io::Error>(receiver.recv().await?), receiver))
    });
    old.answers(with_type("text/event-stream", Body::from_stream(events)));
    let response = app
        .clone()
        .oneshot(request("GET", "/mcp", "alice", &[], ""))
        .await;
    let mut stream = response.unwrap().into_body().into_data_stream();

    routes.replace(front(new.upstream()));
    assert_eq!(post(&app, "alice", &call("a")).await.status, 200);
    assert_eq!((old.seen().len(), new.seen().len()), (1, 1));
    sender
        .send(Bytes::from_static(b"data: 1\n\n"))
        .await
        .unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "data: 1\n\n");
}

/// The gateway with these rules in front of one upstream, in the place of another one.
fn after(before: &MountedGateway, upstream: Upstream) -> MountedGateway {
    let gateway = Gateway::new(auth()).unwrap().upstream(upstream);
    gateway.build_after(before).unwrap()
}

async fn open_session(behind: &Behind, app: &Router) {
    let open = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#;
    let answer = Response::builder()
        .header("content-type", "application/json")
        .header("mcp-session-id", "session-of-alice")
        .body(Body::from(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    behind.answers(answer.unwrap());
    assert_eq!(post(app, "alice", open).await.status, 200);
}

/// What a call in the session is answered with.
async fn in_session(app: &Router, token: &str) -> u16 {
    let session = [("mcp-session-id", "session-of-alice")];
    let answer = send(app, request("POST", "/mcp", token, &session, &call("a"))).await;
    answer.status
}

#[tokio::test]
async fn sec_rs_15_sessions_stay_with_their_owners_under_new_rules() {
    let behind = Behind::start().await;
    let before = after(&MountedGateway::default(), behind.upstream());
    open_session(&behind, &before.router()).await;

    let rules = Rules::new().tool("a", Needs::scopes(scopes!["write"]));
    let same = behind.upstream().rules(rules.unwrap());
    let next = after(&before, same).router();
    assert_eq!(in_session(&next, "alice.write").await, 200);
    assert_eq!(in_session(&next, "alice").await, 403, "the new rules hold");
    assert_eq!(in_session(&next, "mallory.write").await, 404);
}

#[tokio::test]
async fn another_server_knows_no_session() {
    let (behind, other) = (Behind::start().await, Behind::start().await);
    let before = after(&MountedGateway::default(), behind.upstream());
    open_session(&behind, &before.router()).await;
    for (upstream, what) in [
        (other.upstream(), "another URL"),
        (Upstream::http("other", behind.url()), "another name"),
    ] {
        let app = after(&before, upstream).router();
        assert_eq!(in_session(&app, "alice").await, 404, "{what}");
    }
    let moved = after(&before, behind.upstream().path("/other")).router();
    let session = [("mcp-session-id", "session-of-alice")];
    let answer = send(
        &moved,
        request("POST", "/other", "alice", &session, &call("a")),
    )
    .await;
    assert_eq!(answer.status, 404);
    // Nothing was changed by building what was never served.
    assert_eq!(in_session(&before.router(), "alice").await, 200);
}

/// Whether a stream of events from `behind` ends within two minutes of being served by `next`.
async fn ends_under(
    behind: &Behind,
    first: &MountedGateway,
    next: impl FnOnce(&MountedGateway) -> MountedGateway,
) -> bool {
    let routes = Reloadable::new(first.router());
    let app = Router::new().fallback_service(routes.clone());
    let silence = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
    behind.answers(with_type("text/event-stream", Body::from_stream(silence)));
    let opened = app.oneshot(request("GET", "/mcp", "alice", &[], "")).await;
    let opened = opened.unwrap();
    assert_eq!(opened.status(), 200);
    let mut stream = opened.into_body().into_data_stream();
    routes.replace(next(first).router());
    tokio::time::pause();
    let ended = tokio::time::timeout(Duration::from_secs(120), stream.next()).await;
    tokio::time::resume();
    matches!(ended, Ok(None))
}

#[tokio::test]
async fn sec_rs_17_a_stream_ends_with_the_upstream_that_it_came_from() {
    let (behind, other) = (Behind::start().await, Behind::start().await);
    let first = after(&MountedGateway::default(), behind.upstream());
    let stays = ends_under(&behind, &first, |first| after(first, behind.upstream()));
    assert!(!stays.await, "under the same rules it goes on");
    let rules = Rules::new().tool("a", Needs::scopes(scopes!["write"]));
    let rules = behind.upstream().rules(rules.unwrap());
    let stays = ends_under(&behind, &first, |first| after(first, rules));
    assert!(!stays.await, "a tool's rule is none of a stream's");
    for (upstream, what) in [
        (behind.upstream().path("/other"), "its path is gone"),
        (other.upstream().path("/b"), "its server is gone"),
        (
            behind.upstream().required_scopes(scopes!["write"]),
            "it needs a scope that the token lacks",
        ),
    ] {
        let ended = ends_under(&behind, &first, |first| after(first, upstream));
        assert!(ended.await, "{what}");
    }
}
