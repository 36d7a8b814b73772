//! How often a user's sessions may end each other.

use std::time::Duration;

use portcullis_oauth::Monotonic;

const MINUTE: Duration = Duration::from_secs(60);

/// What one user has done of something that is allowed so many times a minute: all of them at
/// once, then one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// Each time takes its share of a minute; those so far last until here.
    until: Option<Monotonic>,
}

impl Pace {
    /// Counts one more, or says how long it has to wait.
    pub(super) fn take(&mut self, now: Monotonic, per_minute: usize) -> Result<(), Duration> {
        let share = MINUTE.checked_div(u32::try_from(per_minute).unwrap_or(u32::MAX));
        let share = share.ok_or(MINUTE)?;
        let start = self.until.map_or(now, |until| until.max(now));
        let until = start.saturating_add(share);
        let wait = until.saturating_since(now).saturating_sub(MINUTE);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.until = Some(until);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn as_many_at_once_then_one_after_the_other() {
        let mut pace = Pace::default();
        for n in 0..4 {
            assert_eq!(pace.take(at(1_000), 4), Ok(()), "{n}");
        }
        let wait = Duration::from_secs(15);
        assert_eq!(pace.take(at(1_000), 4), Err(wait));
        assert_eq!(pace.take(at(1_000), 4), Err(wait), "asking costs nothing");
        let last = Duration::from_millis(1);
        assert_eq!(pace.take(at(15_999), 4), Err(last));
        assert_eq!(pace.take(at(16_000), 4), Ok(()));
        assert_eq!(pace.take(at(16_000), 4), Err(wait));
        for n in 0..4 {
            assert_eq!(pace.take(at(600_000), 4), Ok(()), "rested, {n}");
        }
        assert!(pace.take(at(600_000), 4).is_err(), "no more than that");
    }

    #[test]
    fn nothing_and_everything() {
        assert_eq!(Pace::default().take(at(0), 0), Err(MINUTE));
        let mut pace = Pace::default();
        for _ in 0..10_000 {
            assert_eq!(pace.take(at(0), usize::MAX), Ok(()));
        }
    }
}
