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

/// As RFC 3339 section 5.6 writes it, in UTC: `2026-11-21T16:05:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// Year, month and day of a number of days since 1970 (proleptic Gregorian calendar).
fn civil(days: i64) -> (i64, i64, i64) {
    // Counted from March, so that a leap day is the last of its year; 400 years repeat.
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
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
    fn dates_are_those_of_the_calendar() {
        // GNU date 9.1: `date -u -d @N +%FT%TZ`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(Timestamp::from_secs(seconds).to_string(), expected);
        }
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
