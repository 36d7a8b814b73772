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
use portcullis_oauth::BearerToken;
use tokio::time::{Sleep, sleep};

use super::policy::{Admitted, Policy};
use super::sign_in::SignInAgain;
use crate::AccessToken;
use crate::reload::Way;

/// How often a stream asks whether its token would still open it.
const RECHECK: Duration = Duration::from_secs(30);

/// Who opened an answer, and what decides how long it may go on.
pub(crate) struct Opener {
    /// Until nobody accepts the token any more, by this policy.
    until: Option<(Arc<Policy>, AccessToken)>,
    door: Door,
}

/// Where a stream asks whether it would be opened again.
enum Door {
    /// At the policy that opened it.
    Policy(Arc<Policy>, BearerToken),
    /// At the routes of then: there may be others by then, with another policy or none.
    Routes(Way, Option<Arc<BearerToken>>),
}

impl Opener {
    /// What may go on for as long as its token is accepted, where it was asked for one, and its way
    /// is open, where that can change. Nothing has a bound where neither is so.
    pub(crate) fn new(
        policy: Option<&Arc<Policy>>,
        admitted: Option<Admitted>,
        way: Option<Way>,
    ) -> Option<Self> {
        let (token, bearer) = match admitted {
            Some(Admitted { token, bearer }) => (Some(token), Some(bearer)),
            None => (None, None),
        };
        let door = match (way, policy, bearer) {
            (Some(way), _, bearer) => Door::Routes(way, bearer.map(Arc::new)),
            (None, Some(policy), Some(bearer)) => Door::Policy(Arc::clone(policy), bearer),
            (None, _, _) => return None,
        };
        let until = policy.cloned().zip(token);
        Some(Self { until, door })
    }
}

/// Bounds the answer's body if it is a stream of events; any other answer has an end of its own. Puts
/// a refusal in the place of one that sends its caller to sign in again.
pub(crate) fn guard<R>(response: Response<R>, opener: Option<Opener>) -> Response<Body>
where
    R: HttpBody<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    if let Some((policy, token)) = opener.as_ref().and_then(|opener| opener.until.as_ref())
        && SignInAgain::is_asked_by(&response)
    {
        return policy.ended(token).into_response();
    }
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
        let Opener { until, door } = opener;
        let life = until.and_then(|(policy, token)| policy.stream_life(&token));
        let recheck: BoxFuture<'static, ()> = Box::pin(until_refused(door));
        Self {
            inner,
            end: life.map(|wait| Box::pin(sleep(wait))),
            recheck: Some(recheck),
        }
    }
}

/// Resolves when a new request of the same caller would be refused: its grant or its key was revoked,
/// its token does not suffice any more, the server is gone, or nobody can tell. A client that opens its
/// stream again then learns which.
async fn until_refused(door: Door) {
    // SECURITY: what ends requests ends streams, within a minute (RFC 7009 section 2.1);
    // sec_rs_17_a_stream_ends_when_its_grant_is_revoked, sec_rs_17_a_stream_ends_with_the_key_of_its_token
    loop {
        sleep(RECHECK).await;
        let is_open = match &door {
            Door::Policy(policy, bearer) => policy.verify(bearer).await.is_ok(),
            // SECURITY: by the rules of now, not by those that opened it (RFC 6750 section 3.1);
            // sec_rs_17_a_stream_ends_with_the_rules_that_opened_it
            Door::Routes(way, bearer) => way.is_open(bearer.as_ref()).await,
        };
        if !is_open {
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
