//! How much a stdio upstream may take, and who shares a process of it.

use std::time::Duration;

/// Who shares a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Isolation {
    /// A process for each session; one for each principal where requests have no session
    /// (revision 2026-07-28). Nobody shares anything.
    #[default]
    Session,
    /// A process for each principal: issuer, subject and client. The sessions of one principal
    /// share what the server keeps in memory.
    User,
    /// One process for everybody. What the server keeps is common to all callers; answers and
    /// progress still reach only whoever asked, and what the server asks of clients is refused.
    Shared,
}

/// Bounds on the processes of one upstream.
///
/// ```
/// use std::time::Duration;
/// use portcullis_gateway::stdio::StdioLimits;
///
/// let limits = StdioLimits::default()
///     .processes(16)
///     .request_timeout(Duration::from_secs(60));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct StdioLimits {
    pub(super) line_bytes: usize,
    pub(super) queue: usize,
    pub(super) calls: usize,
    pub(super) processes: usize,
    pub(super) processes_per_user: usize,
    pub(super) sessions: usize,
    pub(super) start_timeout: Duration,
    pub(super) request_timeout: Duration,
    pub(super) idle: Duration,
    pub(super) quiet: Duration,
    pub(super) backoff: (Duration, Duration),
    pub(super) grace: (Duration, Duration),
}

impl Default for StdioLimits {
    fn default() -> Self {
        Self {
            line_bytes: 4 * 1024 * 1024,
            queue: 256,
            calls: 1024,
            processes: 64,
            processes_per_user: 16,
            sessions: 10_000,
            start_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(300),
            idle: Duration::from_secs(600),
            quiet: Duration::from_secs(2),
            backoff: (Duration::from_secs(1), Duration::from_secs(30)),
            grace: (Duration::from_secs(2), Duration::from_secs(5)),
        }
    }
}

impl StdioLimits {
    /// The longest message that a process may write, in bytes; 4 MiB unless set. A longer one ends
    /// the process, because nobody can tell where the next begins.
    pub fn line_bytes(mut self, bytes: usize) -> Self {
        self.line_bytes = bytes;
        self
    }

    /// How many messages wait for one client's stream; 256 unless set, and never more bytes than
    /// two of the longest messages. A client that falls further behind loses the stream.
    pub fn queue(mut self, messages: usize) -> Self {
        self.queue = messages;
        self
    }

    /// Requests that run in one process at a time; 1024 unless set. One more is answered 503.
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// Processes at a time, those that are ending included; 64 unless set. Whoever needs one more
    /// is answered 503.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes;
        self
    }

    /// Processes of one user at a time, through all clients; 16 unless set. One more ends the one
    /// that the user left alone for longest.
    pub fn processes_per_user(mut self, processes: usize) -> Self {
        self.processes_per_user = processes;
        self
    }

    /// Sessions at a time; 10 000 unless set. One more is answered 503.
    pub fn sessions(mut self, sessions: usize) -> Self {
        self.sessions = sessions;
        self
    }

    /// How long a process may take for its first answer; 30 seconds unless set.
    pub fn start_timeout(mut self, time: Duration) -> Self {
        self.start_timeout = time;
        self
    }

    /// How long a request may take; 300 seconds unless set. Subscriptions have no end.
    pub fn request_timeout(mut self, time: Duration) -> Self {
        self.request_timeout = time;
        self
    }

    /// After so long without a request or an open stream, a process or session ends; 10 minutes
    /// unless set.
    pub fn idle(mut self, time: Duration) -> Self {
        self.idle = time;
        self
    }

    /// After so long without an answer, a stream is opened and kept alive; 2 seconds unless set. An
    /// answer that comes sooner, with nothing before it, is plain JSON.
    pub fn quiet(mut self, time: Duration) -> Self {
        self.quiet = time;
        self
    }

    /// The wait before a process that keeps ending is started again: none after the first time,
    /// then `first`, doubled each time up to `longest`; 1 and 30 seconds unless set. A process
    /// that lives as long as `longest` starts afresh.
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.backoff = (first, longest);
        self
    }

    /// How a process tree is ended: `close` after its input was closed it is asked to terminate
    /// (`SIGTERM`), `terminate` later it is killed (`SIGKILL`); 2 and 5 seconds unless set.
    pub fn grace(mut self, close: Duration, terminate: Duration) -> Self {
        self.grace = (close, terminate);
        self
    }
}
