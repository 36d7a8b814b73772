//! Events that follow one another at once go out as one piece.
//!
//! The SDK answers a call in a session with a stream: an event that names the stream, then what the tool
//! says. Written as they come, each is a packet to send, and one that wakes up the client. Most tools
//! answer as soon as they are let; so an answer first waits for what else can run just now, and a stream
//! that has ended by then is a body like any other.

use std::convert::Infallible;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use http_body_util::{BodyExt as _, BodyStream, StreamBody, combinators::BoxBody};
use hyper::body::Frame;
use tokio::task::yield_now;

/// How often others may run meanwhile. Workers take tasks from one another, so once is not enough.
const TURNS: usize = 4;
/// After so many bytes nothing is waited for.
const MOST: usize = 64 * 1024;

/// The same answer. What comes of it at once is one piece.
pub(super) async fn together(answer: Response<BoxBody<Bytes, Infallible>>) -> Response {
    let (parts, mut rest) = answer.into_parts();
    let mut begun = Vec::new();
    for _ in 0..TURNS {
        while begun.len() < MOST {
            match rest.frame().now_or_never() {
                Some(Some(Ok(frame))) => {
                    // Events have no trailers.
                    begun.extend_from_slice(&frame.into_data().unwrap_or_default());
                }
                Some(None) => return Response::from_parts(parts, Body::from(begun)),
                None => break,
            }
        }
        if begun.len() >= MOST {
            break;
        }
        yield_now().await;
    }
    let begun = stream::iter((!begun.is_empty()).then(|| Ok(Frame::data(begun.into()))));
    let body = StreamBody::new(begun.chain(BodyStream::new(rest)));
    Response::from_parts(parts, Body::new(body))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use hyper::body::Body as _;
    use tokio::sync::mpsc;

    use super::*;

    /// An answer to which events can be added until the sender is dropped.
    fn answer() -> (
        mpsc::UnboundedSender<String>,
        Response<BoxBody<Bytes, Infallible>>,
    ) {
        let (sender, mut events) = mpsc::unbounded_channel::<String>();
        let events = stream::poll_fn(move |cx| events.poll_recv(cx));
        let frames = events.map(|event| Ok(Frame::data(Bytes::from(event))));
        (sender, Response::new(BoxBody::new(StreamBody::new(frames))))
    }

    #[tokio::test]
    async fn what_has_ended_is_a_body_with_a_length() {
        let (events, answer) = answer();
        // By a task that another one starts, as a tool is called.
        tokio::spawn(async move {
            events.send("one ".to_owned()).unwrap();
            tokio::spawn(async move { events.send("two".to_owned()).unwrap() });
        });
        let answer = together(answer).await;
        assert_eq!(answer.body().size_hint().exact(), Some(7));
        assert_eq!(to_bytes(answer.into_body(), 7).await.unwrap(), "one two");
    }

    #[tokio::test]
    async fn what_goes_on_is_a_stream() {
        let (events, answer) = answer();
        events.send("one ".to_owned()).unwrap();
        events.send("two ".to_owned()).unwrap();
        let mut body = together(answer).await.into_body();
        assert_eq!(body.size_hint().exact(), None);
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "one two ");
        events.send("three".to_owned()).unwrap();
        drop(events);
        assert_eq!(to_bytes(body, 5).await.unwrap(), "three");
    }

    #[tokio::test]
    async fn a_flood_is_sent_as_it_comes() {
        let (events, answer) = answer();
        for _ in 0..8 {
            events.send("x".repeat(MOST / 2)).unwrap();
        }
        drop(events);
        let mut body = together(answer).await.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), MOST);
        assert_eq!(to_bytes(body, 8 * MOST).await.unwrap().len(), 3 * MOST);
    }

    #[tokio::test]
    async fn an_answer_that_says_nothing_yet_begins_all_the_same() {
        let (events, answer) = answer();
        let body = together(answer).await.into_body();
        events.send("late".to_owned()).unwrap();
        drop(events);
        assert_eq!(to_bytes(body, 4).await.unwrap(), "late");
    }
}
