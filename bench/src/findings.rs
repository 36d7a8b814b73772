//! What a benchmark found.

use std::fmt::Display;

use serde_json::Value;

/// Shown as a table for people, and as JSON to everything else.
pub(crate) trait Findings: Display {
    /// All figures, for the benchmark of this name.
    fn json(&self, bench: &str) -> Value;

    /// What must not be as it was found.
    fn fault(&self) -> Option<String> {
        None
    }
}
