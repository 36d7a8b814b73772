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

use super::policy::{OnRevoked, Policy};
use crate::{AccessToken, GrantStatus};

/// How often a stream asks whether its grant still stands.
const RECHECK: Duration = Duration::from_secs(30);

/// The token that opened an answer, and what decides how long it may go on.
pub(super) struct Opener {
    policy: Arc<Policy>,
    token: AccessToken,
}

impl Opener {
    pub(super) fn new(policy: &Arc<Policy>, token: AccessToken) -> Self {
        let policy = Arc::clone(policy);
        Self { policy, token }
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
        let Opener { policy, token } = opener;
        let end = policy.stream_life(&token).map(|wait| Box::pin(sleep(wait)));
        let recheck: Option<BoxFuture<'static, ()>> = match policy.grant_status.clone() {
            Some(status) => Some(Box::pin(until_revoked(
                status,
                token,
                policy.on_revoked.clone(),
            ))),
            None => None,
        };
        Self {
            inner,
            end,
            recheck,
        }
    }
}

/// Resolves when the grant no longer stands, or when nobody can tell: a client that opens its
/// stream again then learns which.
async fn until_revoked(
    status: Arc<dyn GrantStatus>,
    token: AccessToken,
    on_revoked: Option<OnRevoked>,
) {
    let verdict = loop {
        sleep(RECHECK).await;
        let verdict = match status.known(&token) {
            Some(known) => Ok(known),
            None => status.ask(&token).await,
        };
        if !matches!(verdict, Ok(true)) {
            break verdict;
        }
    };
    if let (Ok(false), Some(on_revoked)) = (verdict, on_revoked) {
        on_revoked(&token);
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
