//! How long what was read of the store is known to be all there is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portcullis_oauth::{Monotonic, SharedClock};

/// However quiet the store is.
const LONGEST: Duration = Duration::from_secs(60);

/// Whether anything may have changed since the last look. Asked on every request.
pub(super) struct Sure {
    clock: SharedClock,
    /// What the store counted then.
    foreign: AtomicU64,
    /// Until when, in milliseconds of the monotonic clock; 0 if nothing was read yet.
    until: AtomicU64,
}

impl Sure {
    /// Nothing was read yet.
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            foreign: AtomicU64::new(0),
            until: AtomicU64::new(0),
        }
    }

    /// Something was read, after the store had counted so many changes of others.
    pub(super) fn is(&self, foreign: u64) {
        let until = self.clock.monotonic().saturating_add(LONGEST);
        self.foreign.store(foreign, Ordering::Release);
        self.until.store(millis(until), Ordering::Release);
    }

    /// Whether that was not long ago.
    pub(super) fn is_recent(&self) -> bool {
        millis(self.clock.monotonic()) < self.until.load(Ordering::Acquire)
    }

    /// Whether it still holds, now that the store counts so many.
    pub(super) fn holds(&self, foreign: u64) -> bool {
        // SECURITY: what others revoked is gone (RFC 7517 section 5);
        // sec_key_16_a_key_that_another_process_revoked_is_gone_on_the_next_request
        self.foreign.load(Ordering::Acquire) == foreign && self.is_recent()
    }
}

fn millis(at: Monotonic) -> u64 {
    let since_start = at.saturating_since(Monotonic::from_start(Duration::ZERO));
    u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX)
}
