//! A stream of events ends with the token that opened it.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Response};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::policy::{Admitted, Policy};

/// How often a stream asks whether its token would still open it.
const RECHECK: Duration = Duration::from_secs(30);

/// The token that opened an answer, and what decides how long it may go on.
pub(super) struct Opener {
    policy: Arc<Policy>,
    admitted: Admitted,
}

impl Opener {
    pub(super) fn new(policy: &Arc<Policy>, admitted: Admitted) -> Self {
        let policy = Arc::clone(policy);
        Self { policy, admitted }
    }
}

/// Bounds the answer's body if it is a stream of events; any other answer has an end of its own.
pub(super) fn guard<R>(response: Response<R>, opener: Option<Opener>) -> Response<Body>
where
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    match opener {
        // SECURITY: what was opened with a token must not outlive it (RFC 6750 section 5.3);
        // sec_rs_17_a_stream_ends_with_its_token
        Some(opener) if is_event_stream(response.headers()) => {
            response.map(|body| Body::new(Bounded::new(Body::new(body), opener)))
        }
        _ => response.map(Body::new),
    }
}

pub(crate) fn is_event_stream(headers: &HeaderMap) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().get(..EVENTS.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
}

pin_project! {
    struct Bounded {
        #[pin]
        inner: Body,
        end: Option<Pin<Box<Sleep>>>,
        recheck: Option<BoxFuture<'static, ()>>,
    }
}

impl Bounded {
    fn new(inner: Body, opener: Opener) -> Self {
        let Opener { policy, admitted } = opener;
        let life = policy.stream_life(&admitted.token);
        let end = life.map(|wait| Box::pin(sleep(wait)));
        let recheck: BoxFuture<'static, ()> = Box::pin(until_refused(policy, admitted));
        let recheck = Some(recheck);
        Self {
            inner,
            end,
            recheck,
        }
    }
}

/// Resolves when a new request with the token would be refused: its grant or its key was revoked, or
/// nobody can tell. A client that opens its stream again then learns which.
async fn until_refused(policy: Arc<Policy>, admitted: Admitted) {
    // SECURITY: what ends requests ends streams, within a minute (RFC 7009 section 2.1);
    // sec_rs_17_a_stream_ends_when_its_grant_is_revoked, sec_rs_17_a_stream_ends_with_the_key_of_its_token
    loop {
        sleep(RECHECK).await;
        if policy.verify(&admitted.bearer).await.is_err() {
            return;
        }
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut this = self.project();
        let expired = this
            .end
            .as_mut()
            .is_some_and(|end| end.as_mut().poll(cx).is_ready());
        let revoked = this
            .recheck
            .as_mut()
            .is_some_and(|end| end.as_mut().poll(cx).is_ready());
        if expired || revoked {
            this.inner.set(Body::empty());
            *this.end = None;
            *this.recheck = None;
            return Poll::Ready(None);
        }
        this.inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
