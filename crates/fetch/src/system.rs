//! The real clock and the real randomness. Everything else takes them as arguments.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use portcullis_oauth::{Clock, Entropy, EntropyError, Monotonic, Timestamp};

/// The clock of the operating system.
#[derive(Debug, Clone)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one home of the real clock")]
        let start = Instant::now();
        Self { start }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one home of the real clock")]
        let now = SystemTime::now();
        let epoch = Timestamp::from_secs(0);
        match now.duration_since(UNIX_EPOCH) {
            Ok(since) => epoch.saturating_add(since),
            Err(before) => epoch.saturating_sub(before.duration()),
        }
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic::from_start(self.start.elapsed())
    }

    fn since_epoch(&self) -> Duration {
        #[expect(clippy::disallowed_methods, reason = "the one home of the real clock")]
        let now = SystemTime::now();
        now.duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// The generator that the crypto library seeds from the operating system.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SystemEntropy;

impl SystemEntropy {
    /// The generator; it has no state of its own.
    pub const fn new() -> Self {
        Self
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        #[expect(clippy::disallowed_methods, reason = "the one home of real randomness")]
        aws_lc_rs::rand::fill(out).map_err(|_| EntropyError::new())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_draw_repeats_another() {
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let mut draw = [0; 16];
            SystemEntropy::new().fill(&mut draw).unwrap();
            assert!(seen.insert(draw));
        }
    }

    #[test]
    fn monotonic_time_does_not_go_back() {
        let clock = SystemClock::new();
        let first = clock.monotonic();
        assert!(clock.monotonic() >= first);
        // 2025-01-01: a clock that counts milliseconds, or from another year, is off by far.
        assert!((1_735_689_600..7_000_000_000).contains(&clock.now().as_secs()));
        let fine = i64::try_from(clock.since_epoch().as_secs()).unwrap();
        assert!((fine - clock.now().as_secs()).abs() <= 1, "{fine}");
    }
}
