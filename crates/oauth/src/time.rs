//! Time is an argument.
//!
//! A [`Clock`] tells two times: the wall clock, which tokens and records speak of, and a monotonic
//! one, which never goes back and by which caches and limits count. A wall clock that jumps can so
//! never bring back what a cache has let go.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Seconds since 1970-01-01T00:00:00Z, as `NumericDate` of RFC 7519 counts them (whole seconds).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time `seconds` after the epoch.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn as_secs(self) -> i64 {
        self.0
    }

    /// The time `duration` later; the end of time where that is beyond it.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(duration.as_secs()))
    }

    /// The time `duration` earlier.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(duration.as_secs()))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A point on a clock that never goes back. It means something only beside another point of the
/// same clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Monotonic(Duration);

impl Monotonic {
    /// The point `duration` after the clock's start.
    pub const fn from_start(duration: Duration) -> Self {
        Self(duration)
    }

    /// The point `duration` later.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What time it is.
///
/// Production uses `portcullis_fetch::system::SystemClock`, a test [`MockClock`].
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The wall clock. It can jump, in both directions.
    fn now(&self) -> Timestamp;

    /// The clock that never goes back.
    fn monotonic(&self) -> Monotonic;

    /// The wall clock as time since 1970-01-01T00:00:00Z, as fine as this clock is: for logs and
    /// traces. Zero before that year.
    fn since_epoch(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.now().as_secs()).unwrap_or(0))
    }
}

/// A clock that is handed around.
pub type SharedClock = Arc<dyn Clock>;

/// A clock that stands still until a test moves it.
#[cfg(any(test, feature = "testing"))]
#[derive(Debug)]
pub struct MockClock(std::sync::Mutex<(i64, Duration)>);

#[cfg(any(test, feature = "testing"))]
impl MockClock {
    /// A clock whose wall shows `seconds` since the epoch.
    pub const fn at(seconds: i64) -> Self {
        Self(std::sync::Mutex::new((seconds, Duration::ZERO)))
    }

    /// Time passes, on both clocks. Parts of a second move the monotonic one alone.
    pub fn advance(&self, duration: Duration) {
        let mut times = self.times();
        times.0 = times.0.saturating_add_unsigned(duration.as_secs());
        times.1 = times.1.saturating_add(duration);
    }

    /// The wall clock is set, as an operator or NTP would; the monotonic one does not notice.
    pub fn set_wall(&self, seconds: i64) {
        self.times().0 = seconds;
    }

    fn times(&self) -> std::sync::MutexGuard<'_, (i64, Duration)> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(any(test, feature = "testing"))]
impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.times().0)
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.times().1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends_of_time() {
        let (first, last) = (
            Timestamp::from_secs(i64::MIN),
            Timestamp::from_secs(i64::MAX),
        );
        assert_eq!(last.saturating_add(Duration::from_secs(u64::MAX)), last);
        assert_eq!(first.saturating_sub(Duration::from_secs(u64::MAX)), first);
        assert_eq!(first.duration_since(last), Duration::ZERO);
        assert_eq!(
            last.duration_since(first),
            Duration::from_secs(i64::MAX.unsigned_abs())
        );
    }

    #[test]
    fn a_jump_of_the_wall_clock_leaves_the_monotonic_one_alone() {
        let clock = MockClock::at(1000);
        let start = clock.monotonic();
        clock.advance(Duration::from_secs(5));
        clock.set_wall(10);
        assert_eq!(clock.now(), Timestamp::from_secs(10));
        assert_eq!(
            clock.monotonic().saturating_since(start),
            Duration::from_secs(5)
        );
    }
}
