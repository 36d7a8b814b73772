//! The listener: how bytes of strangers become requests, and how a server ends.
//!
//! It serves any axum router. [`Server`](crate::Server) uses it by itself; it is public for
//! programs whose routes come from elsewhere, such as a gateway.
//!
//! # Rules
//!
//! * TCP without delay; HTTP/1.1 and HTTP/2; HTTPS with [`Tls`].
//! * Bounds on connections, on requests at a time, on the size and number of headers, on the time
//!   for a head and between requests. Probes and metadata keep places of their own.
//! * A request that two readers could divide differently is refused, and its connection ends.
//! * SIGTERM or Ctrl-C: no new connections, ten seconds (or [`Listener::drain`]) for what runs,
//!   then streams end. A second one ends at once.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use portcullis::listener::Listener;
//!
//! # async fn serve() -> portcullis::Result<()> {
//! let listener = Listener::bind("127.0.0.1:8000").await?;
//! let app = Router::new().route("/", get(async || "hello"));
//! listener.serve(app).await
//! # }
//! ```
//!
//! # Sources
//!
//! RFC 9112 sections 3, 6 and 11, RFC 9113, RFC 6585.

mod accept;
mod connection;
mod head;
mod leftover;
mod listen;
mod proxies;
mod shutdown;
mod signals;
mod tls;

use std::{fmt, time::Duration};

use axum::{
    Router,
    http::StatusCode,
    routing::{MethodRouter, get},
};
pub use portcullis_resource_server::{ClientAddress, Network, NetworkError};
use tokio::net::TcpListener;

pub(crate) use self::accept::Limits;
use self::{accept::Terms, listen::Listening, proxies::Proxies, signals::Signals};
pub use self::{
    proxies::is_forwarded,
    shutdown::Shutdown,
    tls::{Tls, TlsError},
};
use crate::Result;

/// Sockets that are bound, and how they will be served.
#[derive(Debug)]
#[must_use = "nothing is served before `serve`"]
pub struct Listener {
    listening: Listening,
    terms: Terms,
    /// From the start on, so that none is lost before there is something to end.
    signals: Signals,
}

/// How long the requests that run may go on, unless it is said.
const DRAIN: Duration = Duration::from_secs(10);

impl Listener {
    /// Binds an address such as `127.0.0.1:8000` or `localhost:0`.
    ///
    /// A loopback IPv4 address or `localhost` is also bound on `[::1]`, as browsers and clients
    /// try either.
    ///
    /// # Errors
    /// [`Error::Listen`](crate::Error::Listen) when it cannot be bound.
    pub async fn bind(address: &str) -> Result<Self> {
        Ok(Self::of(Listening::bind(address).await?))
    }

    /// Takes a socket that is bound already.
    ///
    /// # Errors
    /// When the system does not tell its address.
    pub fn on(socket: TcpListener) -> Result<Self> {
        Ok(Self::of(Listening::on(socket)?))
    }

    fn of(listening: Listening) -> Self {
        Self {
            listening,
            terms: Terms {
                limits: Limits::default(),
                drain: DRAIN,
                shutdown: Shutdown::new(),
                proxies: Proxies::default(),
                tls: None,
            },
            signals: Signals::listen(),
        }
    }

    /// How many connections, and how many requests at a time. Default: 10 000 and 1 000. More
    /// connections wait, more requests are answered with 503.
    pub fn max_connections(mut self, connections: usize, requests: usize) -> Self {
        self.terms.limits.connections = connections;
        self.terms.limits.requests = requests;
        self
    }

    pub(crate) fn limited(mut self, limits: Limits) -> Self {
        self.terms.limits = limits;
        self
    }

    /// How long the requests that run may go on once the server stops. Default: 10 s.
    pub fn drain(mut self, within: Duration) -> Self {
        self.terms.drain = within;
        self
    }

    /// Proxies that may say for whom they call, by `X-Forwarded-For` or `Forwarded` (RFC 7239).
    /// Default: none.
    ///
    /// Each request has its [`ClientAddress`] in its extensions: the address that connected, or,
    /// where that is one of these, the last one in the field that is none of these. A field that
    /// cannot be read, or two that disagree, leave the proxy's. Nothing else is taken from such
    /// fields: neither the scheme nor the host of a URL ever is.
    ///
    /// ```no_run
    /// use portcullis::listener::Listener;
    ///
    /// # async fn listen() -> Result<Listener, Box<dyn std::error::Error>> {
    /// let proxies = ["10.0.0.0/8".parse()?, "2001:db8::7".parse()?];
    /// let listener = Listener::bind("0.0.0.0:8000").await?.trusted_proxies(proxies);
    /// # Ok(listener)
    /// # }
    /// ```
    pub fn trusted_proxies(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.terms.proxies = Proxies::new(networks);
        self
    }

    /// Speaks HTTPS, with this certificate, and nothing else. Default: plain HTTP.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.terms.tls = Some(tls);
        self
    }

    /// The public URL of a server that only this machine can connect to; `None` for others.
    pub(crate) fn local_url(&self) -> Option<String> {
        let (scheme, usual) = match self.terms.tls {
            Some(_) => ("https", 443),
            None => ("http", 80),
        };
        match self.port() {
            _ if !self.is_local() => None,
            port if port == usual => Some(format!("{scheme}://localhost")),
            port => Some(format!("{scheme}://localhost:{port}")),
        }
    }

    /// Ends together with others that have the same end.
    pub fn with_shutdown(mut self, shutdown: Shutdown) -> Self {
        self.terms.shutdown = shutdown;
        self
    }

    /// Ends by its [`Shutdown`] alone: signals are for somebody else, such as another listener of
    /// the same program.
    pub fn without_signals(mut self) -> Self {
        self.signals = Signals::unheard();
        self
    }

    /// How this listener ends.
    pub fn shutdown(&self) -> Shutdown {
        self.terms.shutdown.clone()
    }

    /// Whether only this machine can connect.
    pub fn is_local(&self) -> bool {
        self.listening.is_local()
    }

    /// The port, also where the system picked it.
    pub fn port(&self) -> u16 {
        self.listening.port()
    }

    /// Serves until it is told to stop.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted) when it was told twice.
    pub async fn serve(mut self, router: Router) -> Result<()> {
        accept::run(self.listening, router, self.terms, &mut self.signals).await
    }
}

impl fmt::Display for Listener {
    /// The address: `127.0.0.1:8000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listening.fmt(f)
    }
}

/// The page about deployment compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/deployment.md")]
struct Deployment;

/// Paths that stay ours on every server.
pub const PROBES: [&str; 3] = ["/livez", "/readyz", "/healthz"];

const OK: (StatusCode, &str) = (StatusCode::OK, "ok");

/// The probes, with their paths: `/livez` answers as long as the process runs, `/readyz` and
/// `/healthz` as long as it takes requests.
pub fn probes(shutdown: &Shutdown) -> [(&'static str, MethodRouter); 3] {
    let shutdown = shutdown.clone();
    let ready = move || {
        let draining = shutdown.is_draining();
        async move {
            if draining {
                (StatusCode::SERVICE_UNAVAILABLE, "draining")
            } else {
                OK
            }
        }
    };
    let [live, readiness, health] = PROBES;
    [
        (live, get(async || OK)),
        (readiness, get(ready.clone())),
        (health, get(ready)),
    ]
}
