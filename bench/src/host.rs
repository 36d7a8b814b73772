//! Where the servers under test live: each on a thread and a runtime of its own.
//!
//! One thread a server and one for the load generator is what a machine of two cores can give both
//! at once, and it lets the system tell how long a server was at work.

use std::{fs, net::SocketAddr, path::PathBuf, thread, time::Duration};

use anyhow::{Context as _, Result};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// A running server. It lives as long as the program.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) meter: Meter,
    /// Absent where the server is another program.
    runtime: Option<Handle>,
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
                    runtime: Some(Handle::current()),
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

    /// Another program that listens there.
    pub(crate) fn of_program(address: SocketAddr, process: Option<u32>) -> Self {
        Self {
            address,
            meter: Meter::of_process(process),
            runtime: None,
        }
    }

    /// The tasks that are alive on its runtime.
    pub(crate) fn tasks(&self) -> usize {
        let metrics = self.runtime.as_ref().map(Handle::metrics);
        metrics.map_or(0, |metrics| metrics.num_alive_tasks())
    }
}

/// How long a thread has been at work.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Option<PathBuf>);

impl Meter {
    /// The first thread of a process, by its id.
    pub(crate) fn of_process(id: Option<u32>) -> Self {
        Self(id.map(|id| PathBuf::from(format!("/proc/{id}/schedstat"))))
    }

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
