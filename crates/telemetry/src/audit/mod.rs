//! [`AuditLog`]: one line of JSON for each request.
//!
//! # Rules
//!
//! 1. A request, or a grant, that cannot be written down is not served: while the disk does not take lines, or
//!    more of them wait than there is room for, the answer is 503. Requests that were already on
//!    their way keep their room.
//! 2. Lines are whole. They are appended by one thread, in the order in which requests were
//!    answered. Where a file ends within a line, the next one begins on a line of its own.
//! 3. Refusals of callers whom nobody knows are at most 20 a second for each reason; besides, they
//!    are counted, and the count is a line too. Everything that a known caller does is written, and
//!    everything that reached a server.
//!
//! # What failure looks like
//!
//! A line that the disk refused is tried again each second, and nothing is lost meanwhile. What the
//! operating system has taken survives the end of this process, but not of the machine: lines are
//! synced when the file is reopened and at the end. A process that is killed loses the lines of the
//! requests that it had not answered, and the few that were just being written.

mod file;
mod line;
mod writer;

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};

use portcullis_fetch::system::SystemClock;
use portcullis_oauth::SharedClock;
use portcullis_resource_server::observe::{AuthorizationEvent, Exchange, Limiter, Observer};
use tokio::sync::oneshot;

use self::line::{EventLine, LeftOut, Line};
use self::writer::{Message, Sink, Writer};

/// Lines that may wait, those of requests that are under way among them.
const CAPACITY: usize = 16_384;

/// One line of JSON for each request. Cloning shares the file.
///
/// What is in a line is described in the operator's manual, `docs/operations.md`; the names of its
/// fields are stable.
#[derive(Clone)]
pub struct AuditLog(Arc<Shared>);

struct Shared {
    lines: Sender<Message>,
    state: Arc<State>,
    limiter: Limiter,
    clock: SharedClock,
    capacity: usize,
    is_lossy: bool,
}

/// What both sides of the queue know.
#[derive(Debug, Default)]
struct State {
    /// Places that are taken: by requests under way and by lines that wait.
    taken: AtomicUsize,
    /// The disk does not take lines now.
    is_stuck: AtomicBool,
    written: AtomicU64,
    lost: AtomicU64,
}

/// The audit log does not work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The file cannot be opened or made.
    #[error("the audit log `{}` cannot be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is a link, a directory or a device.
    #[error("the audit log `{}` is no regular file", path.display())]
    NoFile {
        /// What it is called.
        path: PathBuf,
    },
    /// Lines cannot be written.
    #[error("the audit log cannot be written")]
    Write(#[source] io::Error),
    /// There is no thread for it.
    #[error("the audit log cannot be started")]
    Start(#[source] io::Error),
}

/// Settings of an [`AuditLog`].
#[derive(Debug)]
#[must_use]
pub struct AuditLogBuilder {
    clock: SharedClock,
    capacity: usize,
    is_lossy: bool,
}

impl AuditLog {
    /// Appends to a file, which is made (mode 0600) where there is none. A link is refused.
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be opened, or is no regular file.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, AuditError> {
        Self::builder().open(path)
    }

    /// An audit log with settings.
    pub fn builder() -> AuditLogBuilder {
        AuditLogBuilder {
            clock: Arc::new(SystemClock::new()),
            capacity: CAPACITY,
            is_lossy: false,
        }
    }

    /// Opens the file anew, by its name: after it was moved away, the next line goes to a new one.
    /// Lines before are in the old one, and synced.
    ///
    /// # Errors
    /// [`AuditError`]; the old file is then kept, but with [`AuditError::Write`], which says that the
    /// old file could not be synced, or that the new one takes no lines.
    pub async fn reopen(&self) -> Result<(), AuditError> {
        self.ask(Message::Reopen).await
    }

    /// Waits until all lines so far are written and synced.
    ///
    /// # Errors
    /// [`AuditError::Write`] when they cannot be written now.
    pub async fn flush(&self) -> Result<(), AuditError> {
        self.write_left_out();
        self.ask(Message::Flush).await
    }

    /// How many lines were written.
    pub fn written(&self) -> u64 {
        self.0.state.written.load(Ordering::Relaxed)
    }

    /// How many requests are in no line: none, unless it is
    /// [lossy](AuditLogBuilder::dangerous_drop_when_full).
    pub fn lost(&self) -> u64 {
        self.0.state.lost.load(Ordering::Relaxed)
    }

    /// How many lines wait to be written, with a place for each request that is under way.
    pub fn waiting(&self) -> usize {
        self.0.state.taken.load(Ordering::Relaxed)
    }

    /// Whether lines cannot be written now.
    pub fn is_stuck(&self) -> bool {
        self.0.state.is_stuck.load(Ordering::Relaxed)
    }

    async fn ask(
        &self,
        message: impl FnOnce(oneshot::Sender<Result<(), AuditError>>) -> Message,
    ) -> Result<(), AuditError> {
        let gone = || AuditError::Write(io::Error::from(io::ErrorKind::BrokenPipe));
        let (answer, answered) = oneshot::channel();
        self.0.lines.send(message(answer)).map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Whether a place was to be had.
    fn take_place(&self) -> bool {
        let state = &self.0.state;
        let within = |taken: usize| (taken < self.0.capacity).then_some(taken + 1);
        // SECURITY: while nothing can be written, nothing happens that would have to be (fail
        // closed); sec_gw_25_what_cannot_be_written_is_not_served
        !self.is_stuck()
            && state
                .taken
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, within)
                .is_ok()
    }

    fn give_back(&self) {
        self.0.state.taken.fetch_sub(1, Ordering::Relaxed);
    }

    fn send(&self, line: String) {
        if self.0.lines.send(Message::Line(line)).is_err() {
            self.give_back();
            self.0.state.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that say how many were left out.
    fn write_left_out(&self) {
        for (kind, count) in self.0.limiter.take_left_out() {
            self.count_left_out(kind, count);
        }
    }

    fn count_left_out(&self, (outcome, reason): (&'static str, &'static str), count: u64) {
        let now = self.0.clock.since_epoch();
        self.send_beyond(LeftOut::new(now, outcome, reason, count).to_json(), count);
    }

    /// Such a line takes a place beyond the bound: there are few while no request goes on without
    /// a place. Where requests do, one that has none is lost with what it counts.
    fn send_beyond(&self, line: String, count: u64) {
        if self.0.is_lossy {
            if !self.take_place() {
                self.0.state.lost.fetch_add(count, Ordering::Relaxed);
                return;
            }
        } else {
            self.0.state.taken.fetch_add(1, Ordering::Relaxed);
        }
        self.send(line);
    }

    /// Whether a line is to be written, of whatever many there are like it.
    fn is_wanted(&self, exchange: &Exchange) -> bool {
        if exchange.reached_server() || exchange.subject().is_some() {
            return true;
        }
        let outcome = exchange.outcome();
        let kind = (outcome.word(), outcome.reason().unwrap_or_default());
        // SECURITY: whoever is nobody must not fill the disk, after which nobody is served
        // (CWE-400, CWE-779); sec_ds_12_strangers_do_not_fill_the_audit_log
        let (is_wanted, left_out) = self.0.limiter.count(kind);
        if left_out > 0 {
            self.count_left_out(kind, left_out);
        }
        is_wanted
    }
}

impl Observer for AuditLog {
    fn reserve(&self) -> bool {
        self.0.is_lossy || self.take_place()
    }

    fn answered(&self, exchange: &Exchange) {
        let is_wanted = self.is_wanted(exchange);
        if self.0.is_lossy && is_wanted && !self.take_place() {
            self.0.state.lost.fetch_add(1, Ordering::Relaxed);
        } else if is_wanted {
            self.send(Line::of(exchange).to_json());
        } else if !self.0.is_lossy {
            self.give_back();
        }
    }

    fn reserve_event(&self) -> bool {
        self.0.is_lossy || self.take_place()
    }

    fn release_event(&self) {
        if !self.0.is_lossy {
            self.give_back();
        }
    }

    fn authorization(&self, event: &AuthorizationEvent) {
        if event.is_of_strangers() {
            let kind = (event.kind().word(), event.reason().unwrap_or_default());
            // SECURITY: whoever tries passwords and codes must not fill the disk (CWE-400, CWE-779);
            // sec_ds_12_events_of_strangers_do_not_fill_the_audit_log
            let (is_wanted, left_out) = self.0.limiter.count(kind);
            if left_out > 0 {
                self.count_left_out(kind, left_out);
            }
            if !is_wanted {
                return;
            }
        }
        self.send_beyond(EventLine::of(event).to_json(), 1);
    }
}

impl AuditLogBuilder {
    /// The clock; the system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// How many requests may be under way or wait to be written; 16 384 unless set, and at least
    /// one. It should be more than the listener takes on at a time.
    pub fn capacity(mut self, lines: usize) -> Self {
        self.capacity = lines.max(1);
        self
    }

    /// Serves requests also while they cannot be written down.
    ///
    /// What breaks: there are requests of which no line tells; their number alone is known. Who is
    /// hurt: whoever has to find out later what was done. When it is right: where a server that does
    /// not answer is worse than one that nobody can account for.
    pub fn dangerous_drop_when_full(mut self) -> Self {
        self.is_lossy = true;
        self
    }

    /// Appends to a file. See [`AuditLog::open`].
    ///
    /// # Errors
    /// [`AuditError`] when it cannot be opened, or is no regular file.
    pub fn open(self, path: impl Into<PathBuf>) -> Result<AuditLog, AuditError> {
        let path = path.into();
        let file = file::open(&path)?;
        self.start(Sink::File { file, path })
    }

    /// Writes to anything else. Nothing of it is reopened.
    ///
    /// # Errors
    /// [`AuditError::Start`].
    pub fn write_to(self, writer: impl Write + Send + 'static) -> Result<AuditLog, AuditError> {
        self.start(Sink::Writer(Box::new(writer)))
    }

    fn start(self, sink: Sink) -> Result<AuditLog, AuditError> {
        let (lines, waiting) = mpsc::channel();
        let state = Arc::new(State::default());
        let writer = Writer::new(sink, waiting, Arc::clone(&state));
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || writer.run())
            .map_err(AuditError::Start)?;
        if self.is_lossy {
            tracing::warn!(
                target: "portcullis::security",
                event = "dangerous_setting",
                setting = "drop_when_full",
                "requests are served also while the audit log cannot take them",
            );
        }
        Ok(AuditLog(Arc::new(Shared {
            lines,
            state,
            limiter: Limiter::new(Arc::clone(&self.clock)),
            clock: self.clock,
            capacity: self.capacity,
            is_lossy: self.is_lossy,
        })))
    }
}

impl fmt::Debug for AuditLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("state", &self.0.state)
            .finish_non_exhaustive()
    }
}
