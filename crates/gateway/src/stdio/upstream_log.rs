//! What a process writes that is for people, or for nobody.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use portcullis_oauth::{Monotonic, SharedClock};

use super::process::lock;

/// Lets so many lines a second into the log.
#[derive(Debug)]
pub(super) struct Throttle {
    clock: SharedClock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    room: u32,
    left_out: u64,
    since: Monotonic,
}

impl Throttle {
    pub(super) fn new(clock: SharedClock) -> Self {
        let since = clock.monotonic();
        let state = Mutex::new(State {
            room: BURST,
            left_out: 0,
            since,
        });
        Self { clock, state }
    }

    /// Whether one more line may pass; with it, how many were left out before it.
    pub(super) fn pass(&self) -> Option<u64> {
        let now = self.clock.monotonic();
        let mut state = lock(&self.state);
        // SECURITY: a server that prints without end fills no disk; sec_gw_18_stderr_is_throttled
        if now.saturating_since(state.since) >= PERIOD {
            state.since = now;
            state.room = BURST;
        }
        let Some(room) = state.room.checked_sub(1) else {
            state.left_out += 1;
            return None;
        };
        state.room = room;
        Some(std::mem::take(&mut state.left_out))
    }
}

/// Bytes of a process, shown on one line: escaped, and cut after 1 KiB.
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.0.get(..MOST_BYTES).unwrap_or(self.0);
        // SECURITY: a line break or an escape sequence would forge log lines (CWE-117);
        // sec_gw_18_what_a_process_says_is_escaped
        write!(f, "{}", String::from_utf8_lossy(start).escape_debug())?;
        if start.len() < self.0.len() {
            f.write_str("...")?;
        }
        Ok(())
    }
}

const BURST: u32 = 100;
const PERIOD: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portcullis_oauth::MockClock;

    use super::*;

    #[test]
    fn sec_gw_18_what_a_process_says_is_escaped() {
        assert_eq!(
            Shown(b"a\x1b[31m\r\nb\xff").to_string(),
            "a\\u{1b}[31m\\r\\nb\u{fffd}"
        );
        let long = Shown(&[b'x'; 5000]).to_string();
        assert_eq!(long.len(), MOST_BYTES + 3);
    }

    #[test]
    fn sec_gw_18_stderr_is_throttled() {
        let clock = Arc::new(MockClock::at(0));
        let throttle = Throttle::new(clock.clone());
        let passed = (0..1000).filter(|_| throttle.pass().is_some()).count();
        assert_eq!(passed, BURST as usize);
        clock.advance(PERIOD);
        assert_eq!(throttle.pass(), Some(1000 - u64::from(BURST)));
        assert_eq!(throttle.pass(), Some(0));
    }
}
