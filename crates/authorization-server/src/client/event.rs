//! Security events of clients. Their names are stable. A client id is cut, and a secret or an
//! assertion is never in them.

use std::error::Error;
use std::sync::Arc;

use portcullis_oauth::{ClientId, SharedClock};
use portcullis_resource_server::Causes;
use portcullis_resource_server::observe::Limiter;

const TARGET: &str = "portcullis::security";

/// Where the events go, so many of each kind a second. Cloning shares the count.
#[derive(Clone, Debug)]
pub(super) struct Journal(Arc<Limiter>);

impl Journal {
    pub(super) fn new(clock: SharedClock) -> Self {
        Self(Arc::new(Limiter::new(clock)))
    }

    /// Whether an event may be written. Says first how many of its kind were not.
    fn allows(&self, event: &'static str, reason: &'static str) -> bool {
        let (allowed, left_out) = self.0.count((event, reason));
        if left_out > 0 {
            tracing::warn!(
                target: TARGET,
                event = "events_left_out",
                of = event,
                reason,
                count = left_out,
                "too many events of one kind",
            );
        }
        allowed
    }

    /// A registry gave another client than it was asked for.
    pub(super) fn registry_confused(&self, id: &ClientId) {
        if self.allows("client_registry_confused", "") {
            tracing::error!(
                target: TARGET,
                event = "client_registry_confused",
                client = shown(id),
                "the client registry answered with another client",
            );
        }
    }

    /// A metadata document was refused.
    pub(super) fn document_refused(&self, id: &ClientId, reason: &'static str) {
        if self.allows("client_document_refused", reason) {
            tracing::warn!(
                target: TARGET,
                event = "client_document_refused",
                client = shown(id),
                reason,
                "a client's metadata document was refused",
            );
        }
    }

    /// A metadata document cannot be fetched.
    pub(super) fn document_unavailable(
        &self,
        id: &ClientId,
        error: &(dyn Error + 'static),
        stale: bool,
    ) {
        if self.allows("client_document_unavailable", "") {
            tracing::warn!(
                target: TARGET,
                event = "client_document_unavailable",
                client = shown(id),
                error = %Causes::of(error),
                stale,
                "a client's metadata document cannot be fetched",
            );
        }
    }

    /// So many metadata documents of one host are asked for that no more are fetched for now.
    pub(super) fn document_limited(&self, id: &ClientId) {
        if self.allows("client_document_limited", "") {
            tracing::warn!(
                target: TARGET,
                event = "client_document_limited",
                client = shown(id),
                "too many client metadata documents are asked for",
            );
        }
    }

    /// A client did not authenticate.
    pub(super) fn authentication_failed(&self, id: &ClientId, reason: &'static str) {
        if self.allows("client_authentication_failed", reason) {
            tracing::info!(
                target: TARGET,
                event = "client_authentication_failed",
                client = shown(id),
                reason,
                "a client did not authenticate",
            );
        }
    }

    /// An assertion was presented a second time.
    pub(super) fn assertion_replayed(&self, id: &ClientId) {
        if self.allows("client_assertion_replayed", "") {
            tracing::warn!(
                target: TARGET,
                event = "client_assertion_replayed",
                client = shown(id),
                "a client assertion was presented again",
            );
        }
    }

    /// An unused registration made room for a new one.
    pub(super) fn registration_evicted(&self, id: &ClientId) {
        if self.allows("client_registration_evicted", "") {
            tracing::info!(
                target: TARGET,
                event = "client_registration_evicted",
                client = shown(id),
                "an unused registration was removed to make room",
            );
        }
    }
}

/// At most 200 characters, which are printable ASCII by its type.
fn shown(id: &ClientId) -> &str {
    let id = id.as_str();
    id.get(..200).unwrap_or(id)
}
