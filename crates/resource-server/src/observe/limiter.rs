//! How many events of one kind a second may bring.
//!
//! Strangers cause most security events, and as many as they like. So each kind, two words of ours,
//! has [`PER_SECOND`] lines in a second; those besides are counted, and the count is written with
//! the next line after that second. The number of kinds has a bound, as the words are ours, and a
//! flood of one hides no other.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_oauth::{Monotonic, SharedClock};

/// Lines of one kind in a second.
const PER_SECOND: u32 = 20;

const SECOND: Duration = Duration::from_secs(1);

/// An event's name and its reason.
type Kind = (&'static str, &'static str);

/// Counts events by their kind, and says which of them are too many to be written.
#[derive(Debug)]
pub struct Limiter {
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
    /// Nothing is counted yet.
    pub fn new(clock: SharedClock) -> Self {
        Self {
            clock,
            seconds: Mutex::default(),
        }
    }

    /// Counts one event: whether it may be written, and how many of its kind were left out before
    /// it and have not been told. `kind` is the event's name and its reason.
    pub fn count(&self, kind: (&'static str, &'static str)) -> (bool, u64) {
        let now = self.clock.monotonic();
        let mut seconds = self.seconds();
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

    /// What was left out and has not been told, by kind. It is told by this.
    pub fn take_left_out(&self) -> Vec<((&'static str, &'static str), u64)> {
        let mut seconds = self.seconds();
        let untold = seconds.iter_mut().filter(|(_, second)| second.left_out > 0);
        untold
            .map(|(kind, second)| (*kind, std::mem::take(&mut second.left_out)))
            .collect()
    }

    fn seconds(&self) -> MutexGuard<'_, BTreeMap<Kind, Second>> {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[test]
    fn what_was_left_out_can_be_asked_for() {
        let limiter = Limiter::new(Arc::new(MockClock::at(1_700_000_000)));
        for _ in 0..PER_SECOND + 3 {
            limiter.count(("denied", "malformed"));
        }
        limiter.count(("denied", "revoked"));
        assert_eq!(limiter.take_left_out(), [(("denied", "malformed"), 3)]);
        assert_eq!(limiter.take_left_out(), [], "it is said once");
    }
}
