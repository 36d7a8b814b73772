//! One process, or one connection, and what runs in it.

mod call;
mod keep;
mod root;
mod route;
mod tree;

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, Shared};
use portcullis_oauth::{Monotonic, SharedClock, SharedEntropy};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(super) use self::call::{Pending, Request};
pub(super) use self::root::Start;
use self::root::Started;
use super::exchange::Exchange;
use super::fault::Fault;
use super::limits::{Isolation, StdioLimits};
use super::mirrored::{FRESH, Mirrored};
use super::outbox::{Outbox, outbox};
use super::queue::{Event, Queue};
use super::upstream_log::Throttle;

/// What all processes of one upstream have in common.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) name: Arc<str>,
    pub(super) isolation: Isolation,
    pub(super) limits: StdioLimits,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
}

impl Setup {
    pub(super) fn queue_bytes(&self) -> usize {
        self.limits.line_bytes.saturating_mul(2)
    }

    /// A queue in which a session's messages wait for its stream.
    pub(super) fn inbox(&self) -> Arc<Queue> {
        Arc::new(Queue::unread(self.limits.queue, self.queue_bytes()))
    }
}

/// Which revisions of MCP a process is spoken to in. What it learned in one it does not take into
/// the other, so a process has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Era {
    /// Up to 2025-11-25: `initialize`, then sessions.
    Sessions,
    /// From 2026-07-28 on: each request stands alone.
    Stateless,
}

/// How the first exchange with a process went.
#[derive(Debug, Clone)]
pub(super) enum Opening {
    /// The server's answer to `initialize`.
    Initialized(Bytes),
    /// Its answer, where it is an error.
    Refused(Bytes),
    /// The server answers requests of the stateless era.
    Stateless,
    /// It knows sessions only.
    SessionsOnly,
}

type Opened = Result<Opening, Fault>;
type Listed = Option<Arc<Mirrored>>;
type Listing = Shared<BoxFuture<'static, Listed>>;

/// A process that was started, for as long as anything refers to it.
pub(super) struct Process {
    setup: Arc<Setup>,
    era: Era,
    exchange: Mutex<Exchange>,
    outbox: Outbox,
    /// Nothing more begins, and the tree is to end.
    ending: CancellationToken,
    /// Everything that the process wrote was read.
    drained: CancellationToken,
    /// The tree ended.
    gone: CancellationToken,
    was_asked_to_end: AtomicBool,
    opening: Mutex<Option<Shared<BoxFuture<'static, Opened>>>>,
    /// Since when the tools are listed, and what their schemas say.
    tools: Mutex<Option<(Monotonic, Listing)>>,
    garbage: Throttle,
    started: Monotonic,
}

/// What a process needs to start.
pub(super) struct Launch<'a> {
    pub(super) setup: Arc<Setup>,
    pub(super) era: Era,
    pub(super) start: Start,
    pub(super) tasks: &'a TaskTracker,
    pub(super) permit: OwnedSemaphorePermit,
    pub(super) watch: Watch,
}

/// Who hears of a process's end.
pub(super) struct Watch {
    /// Called before those who wait for answers hear of it.
    pub(super) ended: Box<dyn FnOnce(End) + Send>,
    /// Called when nothing is left of the tree.
    pub(super) gone: Box<dyn FnOnce() + Send>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) was_asked: bool,
    pub(super) lived: Duration,
}

impl Process {
    /// Starts a process. Must be called inside a runtime.
    pub(super) fn start(launch: Launch<'_>) -> io::Result<Arc<Self>> {
        let setup = launch.setup;
        let line_bytes = setup.limits.line_bytes;
        let begun = launch.start.begin(&*setup.entropy, line_bytes)?;
        let (outbox, lines) = outbox(line_bytes);
        let started = setup.clock.monotonic();
        let mut exchange = Exchange::default();
        exchange.touch(started);
        let process = Arc::new(Self {
            era: launch.era,
            exchange: Mutex::new(exchange),
            outbox,
            ending: CancellationToken::new(),
            drained: CancellationToken::new(),
            gone: CancellationToken::new(),
            was_asked_to_end: AtomicBool::new(false),
            opening: Mutex::default(),
            tools: Mutex::default(),
            garbage: Throttle::new(Arc::clone(&setup.clock)),
            started,
            setup,
        });
        let tasks = launch.tasks;
        let root = match begun {
            Started::Program { pipes, root } => {
                let (stdin, stdout, stderr) = pipes;
                tasks.spawn(Arc::clone(&process).write(lines, stdin));
                tasks.spawn(Arc::clone(&process).read(stdout));
                tasks.spawn(Arc::clone(&process).log(stderr));
                root
            }
            Started::Connection { pipe, root } => {
                let (read, write) = tokio::io::split(pipe);
                tasks.spawn(Arc::clone(&process).write(lines, write));
                tasks.spawn(Arc::clone(&process).read(read));
                root
            }
        };
        let (Watch { ended, gone }, permit) = (launch.watch, launch.permit);
        let keeper = Arc::clone(&process);
        tasks.spawn(async move {
            keeper.keep(root, ended).await;
            gone();
            drop(permit);
        });
        Ok(process)
    }

    pub(super) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The first exchange with the process: made once, by whoever comes first, for all.
    pub(super) async fn open(
        self: &Arc<Self>,
        make: impl FnOnce(Arc<Self>) -> BoxFuture<'static, Opened>,
    ) -> Opened {
        let opening = {
            let mut slot = lock(&self.opening);
            if self.is_closed() {
                return Err(Fault::Gone);
            }
            slot.get_or_insert_with(|| make(Arc::clone(self)).shared())
                .clone()
        };
        opening.await
    }

    /// Which parameters of tools are repeated in headers, listed anew now and then.
    pub(super) async fn mirrored(
        self: &Arc<Self>,
        load: impl FnOnce(Arc<Self>) -> BoxFuture<'static, Listed>,
    ) -> Arc<Mirrored> {
        let loading = {
            let now = self.now();
            let mut slot = lock(&self.tools);
            let is_fresh = |(since, _): &(Monotonic, _)| now.saturating_since(*since) < FRESH;
            if self.is_closed() {
                return Arc::default();
            }
            if !slot.as_ref().is_some_and(is_fresh) {
                *slot = None;
            }
            let new = || (now, load(Arc::clone(self)).shared());
            slot.get_or_insert_with(new).1.clone()
        };
        loading.await.unwrap_or_else(|| {
            self.forget_tools();
            Arc::default()
        })
    }

    /// The tools are others than before.
    fn forget_tools(&self) {
        drop(lock(&self.tools).take());
    }

    /// Whether it is no fault of the server's if it ends now.
    pub(super) fn forgive(&self, is_forgiven: bool) {
        self.was_asked_to_end.store(is_forgiven, Ordering::Relaxed);
    }

    /// Ends the process and all that it started.
    pub(super) fn end(&self) {
        self.was_asked_to_end.store(true, Ordering::Relaxed);
        self.close();
    }

    /// Ends the process if nothing happened in it for as long as it may rest.
    pub(super) fn end_if_idle(&self, now: Monotonic) {
        let idle = self.setup.limits.idle;
        let exchange = self.exchange();
        let last = exchange.last_used().unwrap_or(self.started);
        let is_idle = !exchange.is_busy() && now.saturating_since(last) >= idle;
        drop(exchange);
        if is_idle {
            self.end();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.exchange().is_closed()
    }

    /// Whether nothing runs here and nobody listens, and when it was last used.
    pub(super) fn resting(&self) -> Option<Monotonic> {
        let exchange = self.exchange();
        let last = exchange.last_used().unwrap_or(self.started);
        (!exchange.is_busy()).then_some(last)
    }

    /// Fails what runs, and lets nothing more begin.
    fn close(&self) {
        let (calls, inboxes) = self.exchange().close();
        self.outbox.close();
        self.ending.cancel();
        // What is opening refers to the process; what runs in it has just failed.
        drop(lock(&self.opening).take());
        self.forget_tools();
        for call in calls.into_values() {
            let _ = call.queue.push(Event::Failed(Fault::Gone));
        }
        for inbox in inboxes {
            inbox.close();
        }
    }

    fn epitaph(&self) -> End {
        End {
            was_asked: self.was_asked_to_end.load(Ordering::Relaxed),
            lived: self.now().saturating_since(self.started),
        }
    }

    fn exchange(&self) -> MutexGuard<'_, Exchange> {
        lock(&self.exchange)
    }

    fn now(&self) -> Monotonic {
        self.setup.clock.monotonic()
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("upstream", &self.setup.name)
            .field("era", &self.era)
            .finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
