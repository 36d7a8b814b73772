//! One request, as observers are told of it.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};

use super::Observation;
use super::notes::Facts;
use super::outcome::Outcome;
use crate::{AccessToken, ClientAddress, Incident};

/// One request to a protected endpoint, and what became of it.
///
/// Texts that a stranger chose are at most 256 characters long, and `...` where they were longer.
#[derive(Debug)]
pub struct Exchange {
    pub(super) observation: Arc<Observation>,
    pub(super) correlation: Incident,
    pub(super) arrival: Arrival,
    pub(super) facts: Facts,
    pub(super) outcome: Outcome,
    pub(super) status: Option<StatusCode>,
    pub(super) elapsed: Duration,
}

/// What is known when a request comes.
#[derive(Debug, Clone)]
pub(super) struct Arrival {
    pub(super) started_at: Duration,
    pub(super) http_method: Method,
    pub(super) client_address: Option<ClientAddress>,
    pub(super) trace_parent: Option<Box<str>>,
}

impl Exchange {
    /// Names this exchange: sixteen hexadecimal digits. Where its client was shown an
    /// [`Incident`], it is that one.
    pub fn correlation(&self) -> &str {
        self.correlation.as_str()
    }

    /// The name of the endpoint; its path unless it
    /// [has another](crate::Auth::endpoint_name).
    pub fn endpoint(&self) -> &str {
        &self.observation.endpoint
    }

    /// The resource that tokens must be for: the public URL of the endpoint.
    pub fn resource(&self) -> &str {
        &self.observation.resource
    }

    /// `POST`, `GET`, `DELETE`, or what else was sent.
    pub fn http_method(&self) -> &Method {
        &self.arrival.http_method
    }

    /// Where the request came from, where the listener says it.
    pub fn client_address(&self) -> Option<ClientAddress> {
        self.arrival.client_address
    }

    /// When the request came, since 1970-01-01T00:00:00Z.
    pub fn started_at(&self) -> Duration {
        self.arrival.started_at
    }

    /// How long it took until the head of the answer.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The issuer of the caller's verified token.
    pub fn issuer(&self) -> Option<&str> {
        self.facts.caller.as_ref().map(AccessToken::issuer)
    }

    /// The user that the verified token speaks for.
    pub fn subject(&self) -> Option<&str> {
        self.facts.caller.as_ref().map(AccessToken::subject)
    }

    /// The OAuth client that the verified token was issued to.
    pub fn client_id(&self) -> Option<&str> {
        self.facts
            .caller
            .as_ref()
            .and_then(|token| token.client_id())
    }

    /// The JSON-RPC method in the body, `tools/call` for example. Absent where a request has no
    /// body, was refused before it was read, or answers the server.
    pub fn method(&self) -> Option<&str> {
        self.facts.method.as_deref()
    }

    /// Whether the message is a notification, to which nobody expects an answer.
    pub fn is_notification(&self) -> bool {
        self.facts.is_notification
    }

    /// The kind and the name of what the method is about: `tool`, `prompt`, `resource` (its URI up
    /// to a query) or `task` (the first 16 digits of its id's SHA-256).
    pub fn target(&self) -> Option<(&'static str, &str)> {
        let target = self.facts.target.as_ref();
        target.map(|(kind, name)| (*kind, &**name))
    }

    /// The revision of MCP that the request names, a date.
    pub fn protocol_version(&self) -> Option<&str> {
        self.facts.revision.as_deref()
    }

    /// The first 16 hexadecimal digits of the SHA-256 of the session's id.
    pub fn session(&self) -> Option<&str> {
        self.facts.session.as_deref()
    }

    /// What became of it.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Whether it was allowed, and handed to the server. What that answered is another question.
    pub fn reached_server(&self) -> bool {
        self.facts.was_dispatched
    }

    /// The status of the answer; `None` where the client left before there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The header `traceparent`, as it was sent (W3C Trace Context); whoever uses it has to check
    /// it.
    pub fn trace_parent(&self) -> Option<&str> {
        self.arrival.trace_parent.as_deref()
    }
}
