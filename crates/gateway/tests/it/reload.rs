//! Routes that are exchanged while they are used.

use axum::Router;
use axum::body::{Body, Bytes};
use futures_util::StreamExt as _;
use portcullis_gateway::Reloadable;
use tokio::sync::mpsc;
use tower::ServiceExt as _;

use crate::support::{Behind, call, front, post, request, with_type};

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
