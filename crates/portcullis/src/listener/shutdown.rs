//! One end for all parts of a server.

use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How a server ends. Clones are the same end, so that several listeners and whatever runs behind
/// them stop together.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Cancelled when no new work is taken.
    pub(super) draining: CancellationToken,
    /// What is waited for before the end.
    pub(super) running: TaskTracker,
    /// Cancelled when streams end too.
    pub(super) stopped: CancellationToken,
}

impl Shutdown {
    /// An end that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn of(
        draining: CancellationToken,
        running: TaskTracker,
        stopped: CancellationToken,
    ) -> Self {
        Self {
            draining,
            running,
            stopped,
        }
    }

    /// Begins to stop, as a signal does.
    pub fn begin(&self) {
        self.draining.cancel();
    }

    /// Whether it has begun.
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until it begins.
    pub async fn begun(&self) {
        self.draining.cancelled().await;
    }

    /// Waits until whatever still runs has had its time, and streams end.
    pub async fn stopped(&self) {
        self.stopped.cancelled().await;
    }
}
