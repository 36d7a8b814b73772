//! One connection: how long it may be quiet, and how it ends.

use std::{
    convert::Infallible,
    pin::{Pin, pin},
    sync::Arc,
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
use tokio::{net::TcpStream, sync::watch};
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
pub(super) struct Requests(Arc<watch::Sender<Count>>);

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    running: usize,
    /// Whether there ever was one.
    began: bool,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Count::default())))
    }

    /// Counts one request until the answer's body ends.
    pub(super) fn begin(&self) -> Running {
        self.0.send_modify(|count| {
            count.running += 1;
            count.began = true;
        });
        Running(Arc::clone(&self.0))
    }

    /// Ends once there was no request for too long.
    pub(super) async fn too_quiet(&self, patience: Patience) {
        let mut changes = self.0.subscribe();
        loop {
            let count = *changes.borrow_and_update();
            let limit = if count.began {
                patience.idle
            } else {
                patience.first
            };
            let quiet = async {
                if count.running > 0 {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(limit).await;
            };
            tokio::select! {
                () = quiet => return,
                _ = changes.changed() => {}
            }
        }
    }
}

/// A request that runs.
#[derive(Debug)]
pub(super) struct Running(Arc<watch::Sender<Count>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|count| count.running -= 1);
    }
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
pub(super) async fn serve<S>(
    http: &Builder<TokioExecutor>,
    stream: TcpStream,
    answer: S,
    (requests, patience): (Requests, Patience),
    closing: CancellationToken,
) where
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
