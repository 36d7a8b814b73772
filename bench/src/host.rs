//! Where the servers under test live: each on a thread and a runtime of its own.
//!
//! One thread a server and one for the load generator is what a machine of two cores can give both
//! at once, and it lets the system tell how long a server was at work.

use std::{fs, net::SocketAddr, path::PathBuf, thread, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{net::TcpListener, runtime::Builder, sync::oneshot};

/// A running server. It lives as long as the program.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) meter: Meter,
}

impl Host {
    /// Runs `serve` on a free port of 127.0.0.1.
    pub(crate) async fn start<F, S>(serve: S) -> Result<Self>
    where
        F: Future<Output = Result<()>>,
        S: FnOnce(TcpListener) -> F + Send + 'static,
    {
        let (started, host) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            let served = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await?;
                let host = Self {
                    address: listener.local_addr()?,
                    meter: Meter::of_this_thread(),
                };
                // Nobody waits when the benchmark has ended already.
                let _ = started.send(host);
                serve(listener).await
            });
            if let Err(error) = served {
                eprintln!("a server ended: {error:#}");
            }
        });
        host.await.context("the server did not start")
    }
}

/// How long a thread has been at work.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Option<PathBuf>);

impl Meter {
    fn of_this_thread() -> Self {
        let thread = fs::read_link("/proc/thread-self").ok();
        Self(thread.map(|thread| PathBuf::from("/proc").join(thread).join("schedstat")))
    }

    /// Time on a processor. `None` where the system does not tell (it is Linux that does).
    pub(crate) fn time(&self) -> Option<Duration> {
        let text = fs::read_to_string(self.0.as_ref()?).ok()?;
        let nanos = text.split_whitespace().next()?.parse().ok()?;
        Some(Duration::from_nanos(nanos))
    }
}
