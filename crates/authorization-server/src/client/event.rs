//! Security events of clients. Their names are stable. A client id is cut, and a secret or an
//! assertion is never in them.

use std::error::Error;

use portcullis_oauth::ClientId;
use portcullis_resource_server::Causes;

const TARGET: &str = "portcullis::security";

/// A registry gave another client than it was asked for.
pub(super) fn registry_confused(id: &ClientId) {
    tracing::error!(
        target: TARGET,
        event = "client_registry_confused",
        client = shown(id),
        "the client registry answered with another client",
    );
}

/// A metadata document was refused.
pub(super) fn document_refused(id: &ClientId, reason: &'static str) {
    tracing::warn!(
        target: TARGET,
        event = "client_document_refused",
        client = shown(id),
        reason,
        "a client's metadata document was refused",
    );
}

/// A metadata document cannot be fetched.
pub(super) fn document_unavailable(id: &ClientId, error: &(dyn Error + 'static), stale: bool) {
    tracing::warn!(
        target: TARGET,
        event = "client_document_unavailable",
        client = shown(id),
        error = %Causes::of(error),
        stale,
        "a client's metadata document cannot be fetched",
    );
}

/// So many metadata documents of one host are asked for that no more are fetched for now.
pub(super) fn document_limited(id: &ClientId) {
    tracing::warn!(
        target: TARGET,
        event = "client_document_limited",
        client = shown(id),
        "too many client metadata documents are asked for",
    );
}

/// A client did not authenticate.
pub(super) fn authentication_failed(id: &ClientId, reason: &'static str) {
    tracing::info!(
        target: TARGET,
        event = "client_authentication_failed",
        client = shown(id),
        reason,
        "a client did not authenticate",
    );
}

/// An assertion was presented a second time.
pub(super) fn assertion_replayed(id: &ClientId) {
    tracing::warn!(
        target: TARGET,
        event = "client_assertion_replayed",
        client = shown(id),
        "a client assertion was presented again",
    );
}

/// An unused registration made room for a new one.
pub(super) fn registration_evicted(id: &ClientId) {
    tracing::info!(
        target: TARGET,
        event = "client_registration_evicted",
        client = shown(id),
        "an unused registration was removed to make room",
    );
}

/// At most 200 characters, which are printable ASCII by its type.
fn shown(id: &ClientId) -> &str {
    let id = id.as_str();
    id.get(..200).unwrap_or(id)
}
