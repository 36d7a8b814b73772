//! Rules about tools that the server behind does not have: a name that was misspelt guards nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::rules::Rules;

/// Looks at lists of tools until one was seen to its end, and says then which rules match nothing.
#[derive(Debug, Clone)]
pub(super) struct Unmatched {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// For each rule about tools, whether one was seen that it matches.
    matched: Vec<AtomicBool>,
    is_told: AtomicBool,
}

impl Unmatched {
    pub(super) fn new(rules: &Rules) -> Self {
        let matched = rules.tool_patterns().map(|_| AtomicBool::new(false));
        let matched: Vec<_> = matched.collect();
        let is_told = AtomicBool::new(matched.is_empty());
        Self {
            inner: Arc::new(Inner { matched, is_told }),
        }
    }

    /// A page of a list, as the server behind wrote it.
    pub(super) fn listed<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        is_last: bool,
        rules: &Rules,
        upstream: &str,
    ) {
        if self.inner.is_told.load(Ordering::Relaxed) {
            return;
        }
        for name in names {
            for (pattern, matched) in rules.tool_patterns().zip(&self.inner.matched) {
                if pattern.matches(name) {
                    matched.store(true, Ordering::Relaxed);
                }
            }
        }
        if !is_last || self.inner.is_told.swap(true, Ordering::Relaxed) {
            return;
        }
        for (pattern, matched) in rules.tool_patterns().zip(&self.inner.matched) {
            if !matched.load(Ordering::Relaxed) {
                tracing::warn!(
                    target: "portcullis::upstream",
                    upstream,
                    %pattern,
                    "a rule matches no tool that the server lists",
                );
            }
        }
    }
}
