//! What these commands take from outside: environment variables and the time that passes.

use std::{
    ffi::OsString,
    time::{Duration, Instant},
};

/// An environment variable that is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "a build tool is configured by its environment"
)]
pub(crate) fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Measures how long something took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(
        clippy::disallowed_methods,
        reason = "it times real work, and decides nothing else"
    )]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
