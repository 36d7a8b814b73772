//! How many events of one kind a second may bring.
//!
//! Strangers cause most security events, and as many as they like. So each kind, an event's name
//! with its reason, has [`PER_SECOND`] lines in a second; the next one after that second is
//! preceded by `events_left_out`, which says how many there were besides. Kinds are words of our
//! own, so their number has a bound, and a flood of one hides no other.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portcullis_oauth::{Monotonic, SharedClock};

/// Lines of one kind in a second.
const PER_SECOND: u32 = 20;

const SECOND: Duration = Duration::from_secs(1);

/// An event's name and its reason.
type Kind = (&'static str, &'static str);

#[derive(Debug)]
pub(super) struct Limiter {
    clock: SharedClock,
    seconds: Mutex<BTreeMap<Kind, Second>>,
}

/// What one kind has brought since its second began.
#[derive(Debug)]
struct Second {
    began: Monotonic,
    written: u32,
    left_out: u64,
}

impl Limiter {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            seconds: Mutex::default(),
        }
    }

    /// Whether an event may be written. Says first how many of its kind were not.
    pub(super) fn allows(&self, event: &'static str, reason: &'static str) -> bool {
        let (allowed, left_out) = self.count((event, reason));
        if left_out > 0 {
            tracing::warn!(
                target: super::TARGET,
                event = "events_left_out",
                of = event,
                reason,
                count = left_out,
                "too many events of one kind",
            );
        }
        allowed
    }

    /// Counts one event: whether it may be written, and how many were left out before it.
    fn count(&self, kind: Kind) -> (bool, u64) {
        let now = self.clock.monotonic();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let second = seconds.entry(kind).or_insert(Second {
            began: now,
            written: 0,
            left_out: 0,
        });
        let mut left_out = 0;
        if now.saturating_since(second.began) >= SECOND {
            left_out = second.left_out;
            *second = Second {
                began: now,
                written: 0,
                left_out: 0,
            };
        }
        // SECURITY: a flood of refusals fills no disk, and hides no other event (CWE-400, CWE-779);
        // sec_ds_12_a_flood_of_events_is_counted_and_not_written
        if second.written >= PER_SECOND {
            second.left_out += 1;
            return (false, left_out);
        }
        second.written += 1;
        (true, left_out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_oauth::MockClock;

    use super::*;

    #[test]
    fn sec_ds_12_a_flood_of_events_is_counted_and_not_written() {
        let clock = Arc::new(MockClock::at(1_700_000_000));
        let limiter = Limiter::new(clock.clone());
        let flood = ("denied", "malformed");
        for n in 0..1000 {
            assert_eq!(limiter.count(flood), (n < PER_SECOND, 0), "{n}");
        }
        let other = ("denied", "revoked");
        assert_eq!(limiter.count(other), (true, 0), "another kind has its own");
        clock.advance(Duration::from_millis(999));
        assert_eq!(limiter.count(flood), (false, 0));
        clock.advance(Duration::from_millis(1));
        let left_out = 1001 - u64::from(PER_SECOND);
        assert_eq!(limiter.count(flood), (true, left_out));
        assert_eq!(limiter.count(flood), (true, 0), "it is said once");
        assert_eq!(limiter.seconds.lock().unwrap().len(), 2);
    }
}
