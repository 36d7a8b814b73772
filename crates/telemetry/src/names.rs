//! Names that may be labels: of each kind a bounded number, whatever strangers send.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use portcullis_resource_server::observe::{Exchange, Outcome};

/// What is not named by itself.
pub(crate) const OTHER: &str = "_other";

/// Tools and prompts together that have labels of their own.
const MOST: usize = 200;

/// The buckets of MCP's durations, in seconds (OpenTelemetry semantic conventions for MCP).
pub(crate) const BUCKETS: [f64; 14] = [
    0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0,
];

/// The methods of all revisions that a client can send.
const METHODS: [&str; 31] = [
    "completion/complete",
    "initialize",
    "logging/setLevel",
    "notifications/cancelled",
    "notifications/elicitation/complete",
    "notifications/initialized",
    "notifications/message",
    "notifications/progress",
    "notifications/prompts/list_changed",
    "notifications/resources/list_changed",
    "notifications/resources/updated",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
    "notifications/tools/list_changed",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    "tools/call",
    "tools/list",
];

const REVISIONS: [&str; 5] = [
    "2024-11-05",
    "2025-03-26",
    "2025-06-18",
    "2025-11-25",
    "2026-07-28",
];

/// What is said of one operation, in words of which there are few.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Labels {
    pub(crate) endpoint: String,
    pub(crate) method: &'static str,
    pub(crate) tool: Option<Arc<str>>,
    pub(crate) prompt: Option<Arc<str>>,
    pub(crate) revision: Option<&'static str>,
    pub(crate) error: Option<String>,
}

/// The names of tools and prompts that were used with success.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Arc<RwLock<BTreeSet<Arc<str>>>>);

impl Names {
    /// The labels of an exchange; `None` where nobody read an operation.
    pub(crate) fn labels(&self, exchange: &Exchange) -> Option<Labels> {
        let method = known(exchange.method()?, &METHODS);
        let (tool, prompt) = match exchange.target() {
            Some(("tool", name)) => (Some(self.name(exchange, name)), None),
            Some(("prompt", name)) => (None, Some(self.name(exchange, name))),
            _ => (None, None),
        };
        Some(Labels {
            endpoint: exchange.endpoint().to_owned(),
            method,
            tool,
            prompt,
            revision: exchange
                .protocol_version()
                .map(|revision| known(revision, &REVISIONS)),
            error: error(exchange),
        })
    }

    /// A name as a label.
    pub(crate) fn name(&self, exchange: &Exchange, name: &str) -> Arc<str> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(name) {
            return Arc::clone(known);
        }
        let is_full = known.len() >= MOST;
        drop(known);
        let is_success = exchange.status().is_some_and(|status| status.is_success());
        let is_used = matches!(exchange.outcome(), Outcome::Allowed) && is_success;
        // SECURITY: whoever may ask may invent names, and each would be a series that is kept until
        // the end (CWE-770); sec_ds_12_invented_names_make_no_series
        if is_full || !is_used {
            return OTHER.into();
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have been here since.
        if known.len() >= MOST && !known.contains(name) {
            return OTHER.into();
        }
        let name: Arc<str> = name.into();
        known.insert(Arc::clone(&name));
        name
    }
}

/// The word of ours for a text, or that for all others.
fn known(text: &str, words: &[&'static str]) -> &'static str {
    words.iter().find(|word| **word == text).unwrap_or(&OTHER)
}

/// `error.type`: why it is no success, as far as the status tells.
pub(crate) fn error(exchange: &Exchange) -> Option<String> {
    let outcome = exchange.outcome();
    match (outcome, exchange.status()) {
        (Outcome::Allowed, None) => Some("cancelled".to_owned()),
        (Outcome::Allowed, Some(status)) => {
            let is_error = status.is_client_error() || status.is_server_error();
            is_error.then(|| status.as_u16().to_string())
        }
        _ => Some(outcome.word().to_owned()),
    }
}
