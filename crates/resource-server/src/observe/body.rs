//! A stream of events whose end is told.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use portcullis_oauth::Monotonic;

use super::exchange::Exchange;

/// Tells when it is dropped: that is when a stream ended, whoever ended it.
pub(super) struct Watched {
    inner: Body,
    exchange: Exchange,
    began: Monotonic,
}

impl Watched {
    pub(super) fn wrap(inner: Body, exchange: Exchange, began: Monotonic) -> Body {
        Body::new(Self {
            inner,
            exchange,
            began,
        })
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let observation = &self.exchange.observation;
        let lasted = observation.clock.monotonic().saturating_since(self.began);
        observation.tell(|observer| observer.ended(&self.exchange, lasted));
    }
}
