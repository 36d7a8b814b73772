//! What the log hears of claims that are left out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::value::MAX_NAME;

/// The names that the log has heard of, so that each is told once. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Told(Arc<Mutex<BTreeSet<String>>>);

/// Names that are told in the life of a process.
pub(super) const MOST_TOLD: usize = 256;

impl Told {
    pub(super) fn tell(&self, name: &str, fault: &'static str) {
        let shown: String = name.escape_default().take(MAX_NAME).collect();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // SECURITY: the names are the provider's choice, and so is how many there are (CWE-400);
        // sec_px_08_the_log_names_a_claim_once
        if told.len() < MOST_TOLD && told.insert(shown.clone()) {
            tracing::info!(
                claim = shown,
                fault,
                "a claim of the identity provider is left out of tokens"
            );
        }
    }
}
