//! From what a process says to an HTTP answer: plain JSON, or a stream of events.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body::Frame as BodyFrame;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::fault::Fault;
use super::process::{Era, Pending};
use super::queue::{Event, Queue};
use crate::json_rpc::json_response;

/// Answers a request: as JSON if nothing but the answer comes, and that soon; else as a stream.
pub(super) async fn reply(mut pending: Pending, era: Era) -> Response<Body> {
    let quiet = pending.process().setup().limits.quiet;
    match timeout(quiet, pending.next()).await {
        Ok(Some(Event::Answer { message, error })) => json_response(status(era, error), message),
        Ok(Some(Event::Failed(fault))) => failed(fault, &pending),
        Ok(Some(Event::Message(message))) => stream(Source::Call(pending), Some(&message)),
        // The client took the request back, so nothing is left to say.
        Ok(Some(Event::Ended) | None) | Err(_) => stream(Source::Call(pending), None),
    }
}

fn failed(fault: Fault, pending: &Pending) -> Response<Body> {
    fault.response(&pending.process().setup().name, pending.client_id())
}

/// The status of an answer. Sessions know 200 alone (MCP 2026-07-28, Streamable HTTP, for the
/// others).
fn status(era: Era, error: Option<i64>) -> StatusCode {
    match (era, error) {
        (Era::Stateless, Some(-32601)) => StatusCode::NOT_FOUND,
        (Era::Stateless, Some(-32022..=-32020)) => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

/// A session's stream: what the server says by itself.
pub(super) fn listen(inbox: Arc<Queue>) -> Response<Body> {
    let reader = inbox.attach();
    stream(Source::Inbox { inbox, reader }, None)
}

fn stream(source: Source, first: Option<&Bytes>) -> Response<Body> {
    let mut ready = BytesMut::new();
    if let Some(first) = first {
        put_event(&mut ready, first);
    }
    let mut alive = interval(KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let body = Body::new(EventStream {
        source: Some(source),
        ready,
        alive,
        is_fresh: true,
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, no-transform"),
    );
    // Some proxies would collect events before they pass them on.
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}

/// Where events come from.
enum Source {
    Call(Pending),
    Inbox { inbox: Arc<Queue>, reader: u64 },
}

impl Source {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        match self {
            Self::Call(pending) => pending.poll_next(cx),
            Self::Inbox { inbox, reader } => inbox.poll_next(*reader, cx),
        }
    }

    fn failure(&self, fault: Fault) -> Option<Bytes> {
        match self {
            Self::Call(pending) => {
                Some(fault.body(&pending.process().setup().name, pending.client_id()))
            }
            Self::Inbox { .. } => None,
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Self::Inbox { inbox, reader } = self {
            inbox.detach(*reader);
        }
    }
}

/// A body of server-sent events.
struct EventStream {
    /// Gone when the stream is over.
    source: Option<Source>,
    ready: BytesMut,
    alive: Interval,
    /// The interval's first tick comes at once, and means nothing.
    is_fresh: bool,
}

impl EventStream {
    /// Takes all that waits, up to a bound. Whether more may come.
    fn collect(&mut self, cx: &mut Context<'_>) {
        while let Some(source) = &mut self.source
            && self.ready.len() < MOST_AT_ONCE
        {
            match source.poll_next(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Event::Message(message))) => put_event(&mut self.ready, &message),
                Poll::Ready(Some(Event::Answer { message, .. })) => {
                    put_event(&mut self.ready, &message);
                    self.source = None;
                }
                Poll::Ready(Some(Event::Failed(fault))) => {
                    if let Some(message) = source.failure(fault) {
                        put_event(&mut self.ready, &message);
                    }
                    self.source = None;
                }
                Poll::Ready(Some(Event::Ended) | None) => self.source = None,
            }
        }
    }

    fn keep_alive(&mut self, cx: &mut Context<'_>) {
        while self.alive.poll_tick(cx).is_ready() {
            if !std::mem::take(&mut self.is_fresh) && self.ready.is_empty() {
                self.ready.put_slice(b":\n\n");
            }
        }
    }
}

impl http_body::Body for EventStream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<BodyFrame<Bytes>, Infallible>>> {
        self.collect(cx);
        self.keep_alive(cx);
        if !self.ready.is_empty() {
            let ready = self.ready.split().freeze();
            return Poll::Ready(Some(Ok(BodyFrame::data(ready))));
        }
        match self.source {
            Some(_) => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

/// One event; a message is one line.
fn put_event(ready: &mut BytesMut, message: &[u8]) {
    ready.reserve(message.len() + 32);
    ready.put_slice(b"event: message\ndata: ");
    ready.put_slice(message);
    ready.put_slice(b"\n\n");
}

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const MOST_AT_ONCE: usize = 64 * 1024;
