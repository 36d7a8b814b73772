//! What the operating system asks of a server.

#[cfg(unix)]
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

use futures_util::FutureExt as _;

use crate::error::Signal;

/// SIGTERM and Ctrl-C, from now on. Where the system has no such thing, nobody asks.
#[derive(Debug)]
pub(super) struct Signals {
    #[cfg(not(unix))]
    heard: bool,
    #[cfg(unix)]
    interrupt: Option<Stream>,
    #[cfg(unix)]
    terminate: Option<Stream>,
}

impl Signals {
    #[cfg(unix)]
    pub(super) fn listen() -> Self {
        Self {
            interrupt: signal(SignalKind::interrupt()).ok(),
            terminate: signal(SignalKind::terminate()).ok(),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn listen() -> Self {
        Self { heard: true }
    }

    /// Signals that somebody else hears.
    pub(super) fn unheard() -> Self {
        Self {
            #[cfg(unix)]
            interrupt: None,
            #[cfg(unix)]
            terminate: None,
            #[cfg(not(unix))]
            heard: false,
        }
    }

    /// Drops what has come so far: it was heard by somebody else, who acted on it.
    pub(super) fn forget(&mut self) {
        while self.next().now_or_never().is_some() {}
    }

    /// The next one.
    #[cfg(unix)]
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            () = recv(&mut self.interrupt) => Signal::Interrupt,
            () = recv(&mut self.terminate) => Signal::Terminate,
        }
    }

    /// The next one.
    #[cfg(not(unix))]
    pub(super) async fn next(&mut self) -> Signal {
        if !self.heard || tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}

#[cfg(unix)]
async fn recv(stream: &mut Option<Stream>) {
    match stream {
        Some(stream) => {
            stream.recv().await;
        }
        None => std::future::pending().await,
    }
}
