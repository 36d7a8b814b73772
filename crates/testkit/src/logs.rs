//! What was logged.

use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Level};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// All that this thread logs at `TRACE` or above, its dependencies included, while this value
/// lives.
///
/// A test that plants a marked value (a *canary*) in every secret shows with it that no level
/// gives one away.
///
/// ```
/// use portcullis_testkit::CapturedLogs;
///
/// let logs = CapturedLogs::start();
/// tracing::warn!(target: "portcullis::security", event = "replay", "seen before");
/// assert!(logs.security_events()[0].contains("event=\"replay\""));
/// logs.assert_free_of("hunter2");
/// ```
///
/// Work of other threads is not seen: run async code on a current-thread runtime, as
/// `#[tokio::test]` does.
#[derive(Debug)]
#[must_use]
pub struct CapturedLogs {
    text: Text,
    _guard: DefaultGuard,
}

impl CapturedLogs {
    /// Starts to listen, to events too that other threads came across first.
    pub fn start() -> Self {
        // While there is one subscriber alone, `tracing` asks the thread that comes across an event
        // first whether anybody wants it, and keeps the answer for all threads. That thread may be
        // another test's, which listens to nothing. With a second one, which wants everything, no
        // answer is no.
        static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| {
            let everything = tracing_subscriber::fmt().with_max_level(Level::TRACE);
            everything.with_writer(io::sink).into()
        });
        LazyLock::force(&ANOTHER);
        let text = Text::default();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_ansi(false)
            .with_writer(text.clone())
            .finish();
        Self {
            text,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// Runs `work`, and returns its result and all that it logged.
    pub fn during<T>(work: impl FnOnce() -> T) -> (T, String) {
        let logs = Self::start();
        let result = work();
        (result, logs.text())
    }

    /// Everything so far, one event a line.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock()).into_owned()
    }

    /// The events of the target `portcullis::security` so far.
    pub fn security_events(&self) -> Vec<String> {
        self.text()
            .lines()
            .filter(|line| line.contains(" portcullis::security: "))
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Checks that `canary` was not logged.
    ///
    /// # Panics
    /// When it was, with the first line that holds it.
    #[track_caller]
    pub fn assert_free_of(&self, canary: &str) {
        let text = self.text();
        let line = text.lines().find(|line| line.contains(canary));
        assert!(line.is_none(), "`{canary}` was logged: {line:?}");
    }
}

#[derive(Debug, Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Text {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Text {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_seen_and_nothing_after_the_end() {
        let ((), text) = CapturedLogs::during(|| {
            tracing::trace!("low");
            tracing::error!("high");
        });
        assert!(text.contains("low") && text.contains("high"), "{text}");
        let logs = CapturedLogs::start();
        let before = logs.text();
        assert_eq!(before, "");
        logs.assert_free_of("low");
    }

    #[test]
    #[should_panic(expected = "`canary` was logged")]
    fn a_canary_in_a_span_is_found() {
        let logs = CapturedLogs::start();
        let span = tracing::debug_span!("work", secret = "canary");
        span.in_scope(|| tracing::trace!("inside"));
        logs.assert_free_of("canary");
    }
}
