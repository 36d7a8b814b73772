//! Accepting connections, and ending well.
//!
//! Stopping goes in three steps: no new connections and a failing `/readyz`; some time for
//! the calls that run; then the connections close once their answers are out, and every
//! session and stream that is left ends. Whoever asks a second time waits for none of it.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{
        Request, Response, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER},
    },
    response::IntoResponse as _,
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{
    PROBES,
    connection::{self, Patience, Requests, keep_until_sent},
    head::{self, HEADER_COUNT},
    leftover::Leftover,
    listen::Listening,
    proxies::Proxies,
    shutdown::Shutdown,
    signals::Signals,
    tls::{self, Tls},
};
use crate::{Error, Result};

/// How much one server takes on at a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    pub(super) patience: Patience,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            requests: 1000,
            patience: Patience {
                first: HEADERS_WITHIN,
                idle: IDLE,
                close: CLOSE,
            },
        }
    }
}

/// A client that has not sent its headers by then is slow on purpose.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);

/// A connection without a request for so long is closed.
const IDLE: Duration = Duration::from_secs(75);

/// How often an HTTP/2 peer shows that it is still there, and how long its answer may take.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(20);

/// Bytes of one request's headers.
const HEADER_BYTES: u32 = 32 * 1024;

/// Places for what operators and clients need to see also on a busy server: probes and metadata.
const RESERVE: usize = 64;

/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 100;

/// How long the last answers may take to reach their clients, before idle streams are ended.
const FLUSH: Duration = Duration::from_millis(500);

/// How long connections may take to close after that.
const CLOSE: Duration = Duration::from_secs(1);

/// How long connections may take to be dropped when nothing is waited for.
const LETTING_GO: Duration = Duration::from_millis(100);

/// After an error such as too many open files.
const BREATHER: Duration = Duration::from_millis(50);

/// How a listener serves, and ends.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) limits: Limits,
    /// How long the calls that run may go on once the server stops.
    pub(super) drain: Duration,
    pub(super) shutdown: Shutdown,
    pub(super) proxies: Proxies,
    pub(super) tls: Option<Tls>,
}

pub(super) async fn run(
    listening: Listening,
    router: Router,
    terms: Terms,
    signals: &mut Signals,
) -> Result<()> {
    let Terms {
        limits,
        drain,
        shutdown,
        proxies,
        tls,
    } = terms;
    let door = Arc::new(Door {
        router,
        connections: Arc::new(places(limits.connections)),
        places: Arc::new(Places {
            requests: places(limits.requests),
            reserve: Semaphore::new(RESERVE),
        }),
        running: shutdown.running.clone(),
        open: TaskTracker::new(),
        closing: CancellationToken::new(),
        cut: CancellationToken::new(),
        patience: limits.patience,
        proxies,
        tls,
        http: protocol(),
    });
    tracing::info!(address = %listening, "listening");
    let mut listeners = JoinSet::new();
    for socket in listening.sockets {
        let (door, draining) = (Arc::clone(&door), shutdown.draining.clone());
        listeners.spawn(async move {
            tokio::select! {
                () = draining.cancelled() => {}
                () = door.accept(socket) => {}
            }
        });
    }
    if let Some(tls) = door.tls.clone() {
        let draining = shutdown.draining.clone();
        listeners.spawn(async move {
            tokio::select! {
                () = draining.cancelled() => {}
                () = tls.watch() => {}
            }
        });
    }
    tokio::select! {
        _ = signals.next() => {}
        // The signal that another listener heard first is not a second one.
        () = shutdown.draining.cancelled() => signals.forget(),
    }
    tracing::info!("stopping");
    shutdown.draining.cancel();
    shutdown.running.close();
    listeners.join_all().await;
    tokio::select! {
        () = door.drain(drain, &shutdown.stopped) => Ok(()),
        signal = signals.next() => {
            tracing::warn!("asked again: ending at once");
            door.cut(&shutdown.stopped).await;
            Err(Error::Interrupted { signal })
        }
    }
}

/// A semaphore takes no more than this, and panics.
fn places(limit: usize) -> Semaphore {
    Semaphore::new(limit.min(Semaphore::MAX_PERMITS))
}

/// What every connection needs.
struct Door {
    router: Router,
    connections: Arc<Semaphore>,
    places: Arc<Places>,
    /// What is waited for before the server ends.
    running: TaskTracker,
    /// The connections that are open.
    open: TaskTracker,
    closing: CancellationToken,
    /// Cancelled when nothing is waited for any more.
    cut: CancellationToken,
    patience: Patience,
    proxies: Proxies,
    tls: Option<Tls>,
    http: Builder<TokioExecutor>,
}

/// Places for requests at a time.
struct Places {
    requests: Semaphore,
    reserve: Semaphore,
}

impl Door {
    async fn accept(self: &Arc<Self>, socket: TcpListener) {
        loop {
            // A connection that has no place yet waits in the system's queue.
            let Ok(place) = Arc::clone(&self.connections).acquire_owned().await else {
                return;
            };
            let (stream, peer) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(BREATHER).await;
                    continue;
                }
            };
            self.serve(stream, peer, place);
        }
    }

    fn serve(
        self: &Arc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        place: tokio::sync::OwnedSemaphorePermit,
    ) {
        // Without it, an event stream waits some 40 ms for the client's delayed acknowledgement.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let door = Arc::clone(self);
        self.open.spawn(async move {
            tokio::select! {
                () = door.open(stream, peer) => {}
                () = door.cut.cancelled() => {}
            }
            drop(place);
        });
    }

    /// One connection, to its end.
    async fn open(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let Some(tls) = &self.tls else {
            return self.talk(stream, peer).await;
        };
        tokio::select! {
            encrypted = tls::handshake(tls, stream) => {
                if let Some(stream) = encrypted {
                    self.talk(stream, peer).await;
                }
            }
            () = self.closing.cancelled() => {}
        }
    }

    /// HTTP on one connection.
    async fn talk<I>(self: &Arc<Self>, stream: I, peer: SocketAddr)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let requests = Requests::new();
        let (counted, door) = (requests.clone(), Arc::clone(self));
        let answer = service_fn(move |mut request: Request<Incoming>| {
            let (running, unanswered) = (counted.begin(), door.running.token());
            let client = door.proxies.client(peer.ip(), request.headers());
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(client);
            let (router, places) = (door.router.clone(), Arc::clone(&door.places));
            // The way of a request is long, and hyper would move all of it.
            Box::pin(async move {
                let response = respond(router, places, request).await?;
                // A stream is not waited for: it may never end.
                let unanswered = (!is_stream(&response)).then_some(unanswered);
                Ok(keep_until_sent(response, (running, unanswered)))
            })
        });
        let quiet = (requests, self.patience);
        connection::serve(&self.http, stream, answer, quiet, self.closing.clone()).await;
    }

    /// Waits for the calls that run, then closes.
    async fn drain(&self, within: Duration, stop: &CancellationToken) {
        let finished = tokio::time::timeout(within, self.running.wait()).await;
        if finished.is_err() {
            tracing::warn!("some calls did not finish in time");
        }
        self.close(stop).await;
    }

    /// Ends everything where it stands.
    async fn cut(&self, stop: &CancellationToken) {
        self.cut.cancel();
        stop.cancel();
        self.open.close();
        if tokio::time::timeout(LETTING_GO, self.open.wait())
            .await
            .is_err()
        {
            tracing::debug!("some connections did not let go in time");
        }
    }

    /// Closes connections: first those whose answers are on their way, then those that only
    /// listen.
    async fn close(&self, stop: &CancellationToken) {
        self.closing.cancel();
        self.open.close();
        let flushed = tokio::time::timeout(FLUSH, self.open.wait()).await.is_ok();
        stop.cancel();
        let closed = flushed || tokio::time::timeout(CLOSE, self.open.wait()).await.is_ok();
        if !closed {
            tracing::debug!("some connections did not close in time");
        }
    }
}

async fn respond(
    router: Router,
    places: Arc<Places>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (request, leftover) = Leftover::watch(request);
    let mut response = match head::refusal(&request) {
        Some(refusal) => {
            drop(request);
            refusal
        }
        None => answer(router, &places, request).await?,
    };
    leftover.settle(&mut response).await;
    Ok(response)
}

async fn answer(
    router: Router,
    places: &Places,
    request: Request<Body>,
) -> Result<Response<Body>, Infallible> {
    // SECURITY: a flood of calls neither piles up nor keeps a probe from its answer, which would
    // get the process killed; sec_ds_09_overload_is_503_and_probes_still_answer
    let room = if is_vital(request.uri().path()) {
        &places.reserve
    } else {
        &places.requests
    };
    // The place is free again once the answer begins; a stream does not hold it.
    let Ok(_place) = room.try_acquire() else {
        return Ok((StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]).into_response());
    };
    router.oneshot(request).await
}

fn is_stream(response: &Response<Body>) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"))
}

fn is_vital(path: &str) -> bool {
    PROBES.contains(&path) || path.starts_with("/.well-known/")
}

fn protocol() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(HEADER_COUNT)
        .max_buf_size(HEADER_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .max_header_list_size(HEADER_BYTES)
        .max_concurrent_streams(STREAMS);
    builder
}
