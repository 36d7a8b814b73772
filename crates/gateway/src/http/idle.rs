//! A body that may not pause for ever.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

pin_project! {
    /// Ends with an error once nothing came for too long.
    pub(super) struct Idle {
        #[pin]
        body: Incoming,
        // Made when the body first has to be waited for: most answers are there at once.
        #[pin]
        timer: Option<Sleep>,
        limit: Duration,
    }
}

/// Nothing came for too long.
#[derive(Debug, thiserror::Error)]
#[error("the server behind went silent")]
struct Silent;

impl Idle {
    pub(super) fn new(body: Incoming, limit: Duration) -> Self {
        Self {
            body,
            timer: None,
            limit,
        }
    }
}

impl Body for Idle {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut this = self.project();
        match this.body.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.timer.set(None);
                // SECURITY: a trailer is no part of a message and passed no list;
                // sec_gw_07_trailers_stay_behind
                match frame.into_data() {
                    Ok(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
                    Err(_) => Poll::Ready(None),
                }
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                if this.timer.is_none() {
                    this.timer.set(Some(sleep(*this.limit)));
                }
                match this.timer.as_pin_mut().map(|timer| timer.poll(cx)) {
                    Some(Poll::Ready(())) => Poll::Ready(Some(Err(Silent.into()))),
                    _ => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
