//! Request bodies that nobody read.
//!
//! A refusal comes before the body: often before the client has sent it. hyper then closes the
//! connection behind the answer, and a client that keeps connections loses its next request on it,
//! such as the one for the metadata that a 401 names. So the rest of a small body is read first, and
//! an answer in front of a large or slow one says that the connection ends.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, Version, header::CONNECTION},
};
use http_body_util::BodyExt as _;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::sync::oneshot;

/// More than this is not read for the sake of a connection.
const MOST: usize = 64 * 1024;

/// Nor longer than this.
const WITHIN: Duration = Duration::from_secs(1);

/// A body that comes back when it is dropped before its end.
#[derive(Debug)]
struct OnLoan {
    body: Option<Incoming>,
    owner: Option<oneshot::Sender<Incoming>>,
}

/// Where an unread body comes back.
#[derive(Debug)]
pub(super) struct Leftover(Option<oneshot::Receiver<Incoming>>);

impl Leftover {
    /// HTTP/2 ends a stream and keeps its connection: nothing has to come back.
    pub(super) fn watch(request: Request<Incoming>) -> (Request<Body>, Self) {
        if request.version() >= Version::HTTP_2 {
            return (request.map(Body::new), Self(None));
        }
        let (owner, back) = oneshot::channel();
        let lend = |body| {
            Body::new(OnLoan {
                body: Some(body),
                owner: Some(owner),
            })
        };
        (request.map(lend), Self(Some(back)))
    }

    /// Reads what is left, or says in the answer that the connection ends.
    pub(super) async fn settle(self, response: &mut Response<Body>) {
        let Some(body) = self.0.and_then(|mut back| back.try_recv().ok()) else {
            return;
        };
        if !tokio::time::timeout(WITHIN, drained(body))
            .await
            .unwrap_or(false)
        {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

async fn drained(mut body: Incoming) -> bool {
    let mut read = 0;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return false;
        };
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MOST {
            return false;
        }
    }
    true
}

impl HttpBody for OnLoan {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for OnLoan {
    fn drop(&mut self) {
        let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        if let Some(owner) = self.owner.take() {
            // Nobody waits once the answer is on its way.
            let _ = owner.send(body);
        }
    }
}
