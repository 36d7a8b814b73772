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

    /// A server whose work is measured otherwise.
    pub(crate) fn metered(address: SocketAddr, meter: Meter) -> Self {
        Self {
            address,
            meter,
            runtime: None,
        }
    }

    /// The tasks that are alive on its runtime.
    pub(crate) fn tasks(&self) -> usize {
        let metrics = self.runtime.as_ref().map(Handle::metrics);
        metrics.map_or(0, |metrics| metrics.num_alive_tasks())
    }
}

/// How long a thread, or a process, has been at work.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Option<Source>);

#[derive(Clone, Debug)]
enum Source {
    /// Nanoseconds of a thread.
    Thread(PathBuf),
    /// Ticks of a process, all threads together, those that have ended too.
    Process(PathBuf),
}

/// The unit of times in `/proc/ID/stat`: `USER_HZ`, which is 100 wherever Linux runs today.
const TICK: Duration = Duration::from_millis(10);

/// The place of the time in user mode after the name; the time of the system follows (proc(5)).
const USER_TIME: usize = 11;

impl Meter {
    /// The first thread of a process, by its id.
    pub(crate) fn of_process(id: Option<u32>) -> Self {
        Self(id.map(|id| Source::Thread(PathBuf::from(format!("/proc/{id}/schedstat")))))
    }

    /// All threads of a process, by its id; to a hundredth of a second.
    pub(crate) fn of_whole_process(id: Option<u32>) -> Self {
        Self(id.map(|id| Source::Process(PathBuf::from(format!("/proc/{id}/stat")))))
    }

    /// The thread that asks.
    pub(crate) fn of_this_thread() -> Self {
        let thread = fs::read_link("/proc/thread-self").ok();
        let file = |thread| PathBuf::from("/proc").join(thread).join("schedstat");
        Self(thread.map(|thread| Source::Thread(file(thread))))
    }

    /// Time on a processor. `None` where the system does not tell (it is Linux that does).
    pub(crate) fn time(&self) -> Option<Duration> {
        match self.0.as_ref()? {
            Source::Thread(file) => {
                let text = fs::read_to_string(file).ok()?;
                let nanos = text.split_whitespace().next()?.parse().ok()?;
                Some(Duration::from_nanos(nanos))
            }
            Source::Process(file) => {
                let text = fs::read_to_string(file).ok()?;
                // `PID (NAME) STATE ..`; a name may hold anything.
                let (_, rest) = text.rsplit_once(')')?;
                let mut times = rest
                    .split_whitespace()
                    .skip(USER_TIME)
                    .map(str::parse::<u32>);
                let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
                Some(TICK * (user + system))
            }
        }
    }
}

/// Bytes of a process that are in memory. Linux only.
pub(crate) fn rss_of(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let kibi: u64 = number.context("no `VmRSS`")?.parse()?;
    Ok(kibi * 1024)
}
