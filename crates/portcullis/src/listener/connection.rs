//! One connection: how long it may be quiet, and how it ends.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{Request, Response},
};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    service::Service,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// How long a connection may be without a request before it is closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// From its start to its first whole head of a request.
    pub(super) first: Duration,
    /// Between requests. HTTP/1.1 gives the next head no longer than the first one.
    pub(super) idle: Duration,
    /// From then to the end of the connection.
    pub(super) close: Duration,
}

/// The requests of one connection.
#[derive(Clone, Debug)]
pub(super) struct Requests(Arc<Activity>);

/// Counted without waking anybody: a timer that runs out looks at it, so a request costs no timer.
#[derive(Debug)]
struct Activity {
    start: Instant,
    running: AtomicUsize,
    /// When the last one ended, in milliseconds from the start.
    ended: AtomicU64,
    began: AtomicBool,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self(Arc::new(Activity {
            start: now(),
            running: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
            began: AtomicBool::new(false),
        }))
    }

    /// Counts one request until the answer's body ends.
    pub(super) fn begin(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::AcqRel);
        self.0.began.store(true, Ordering::Release);
        Running(Arc::clone(&self.0))
    }

    /// Ends once there was no request for too long.
    pub(super) async fn too_quiet(&self, patience: Patience) {
        let activity = &self.0;
        let mut deadline = activity.start + patience.first;
        loop {
            tokio::time::sleep_until(deadline).await;
            // Whoever sees none running sees when the last one ended: it is written first.
            let running = activity.running.load(Ordering::Acquire);
            deadline = if running > 0 {
                now() + patience.idle
            } else if activity.began.load(Ordering::Acquire) {
                let ended = Duration::from_millis(activity.ended.load(Ordering::Acquire));
                activity.start + ended + patience.idle
            } else {
                activity.start + patience.first
            };
            if deadline <= now() {
                return;
            }
        }
    }
}

/// A request that runs.
#[derive(Debug)]
pub(super) struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        let ended = now().duration_since(self.0.start).as_millis();
        let ended = u64::try_from(ended).unwrap_or(u64::MAX);
        self.0.ended.store(ended, Ordering::Release);
        self.0.running.fetch_sub(1, Ordering::AcqRel);
    }
}

/// By the clock of the timers that it is compared with.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline is a moment of the runtime's own clock"
)]
fn now() -> Instant {
    Instant::now()
}

/// A body that keeps something until it has ended.
struct Keeping<T> {
    body: Body,
    kept: Option<T>,
}

/// Keeps `what` until the answer's body has ended, or nobody wants it any more.
pub(super) fn keep_until_sent<T>(response: Response<Body>, what: T) -> Response<Body>
where
    T: Send + Unpin + 'static,
{
    response.map(|body| {
        Body::new(Keeping {
            body,
            kept: Some(what),
        })
    })
}

impl<T: Unpin> HttpBody for Keeping<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() {
            self.kept = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Serves one connection until it ends, is too quiet, or the server closes.
pub(super) async fn serve<I, S>(
    http: &Builder<TokioExecutor>,
    stream: I,
    answer: S,
    (requests, patience): (Requests, Patience),
    closing: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(stream), answer));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        // SECURITY: whoever sends nothing gives the place back, also before hyper knows which
        // version is spoken and runs timers of its own (CWE-400);
        // sec_ds_02_a_silent_connection_is_closed
        () = requests.too_quiet(patience) => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(patience.close, connection).await.ok()
        }
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            Some(connection.await)
        }
    };
    match ended {
        Some(Ok(())) => {}
        Some(Err(error)) => tracing::trace!(%error, "a connection ended early"),
        None => tracing::trace!("a quiet connection was cut"),
    }
}
