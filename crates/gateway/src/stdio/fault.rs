//! What goes wrong between a client and a process, and what the client hears of it.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use portcullis_resource_server::Incident;

use super::template::Unfit;
use crate::json_rpc::{failure_body, json_response, refusal};

/// Why a request has no answer of the server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// The request took longer than it may: 504.
    #[error("the server did not answer in time")]
    Late,
    /// The process ended while the request ran: 502.
    #[error("the server's process ended")]
    Gone,
    /// The process cannot be started: 502.
    #[error("the server cannot be started")]
    Unstartable,
    /// There is no room for the request or its process: 503.
    #[error("the server is busy")]
    Busy {
        /// When to try again.
        retry: Duration,
    },
    /// The command needs what this caller's token does not say: 403.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// No randomness for a session id: 500.
    #[error("the source of randomness failed")]
    NoEntropy,
}

impl Fault {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::Late => StatusCode::GATEWAY_TIMEOUT,
            Self::Gone | Self::Unstartable => StatusCode::BAD_GATEWAY,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unfit(_) => StatusCode::FORBIDDEN,
            Self::NoEntropy => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Late => "The server did not answer in time",
            Self::Gone => "The server ended before it answered",
            Self::Unstartable => "The server cannot be started",
            Self::Busy { .. } => "The server is busy, try again later",
            Self::Unfit(_) => "The access token does not say what this server needs to know",
            Self::NoEntropy => "Internal error",
        }
    }

    /// The JSON-RPC error that a client reads in a stream. The log has the same incident.
    pub(super) fn body(self, upstream: &str, id: &[u8]) -> Bytes {
        self.named(&Incident::new(), upstream, id)
    }

    fn named(self, incident: &Incident, upstream: &str, id: &[u8]) -> Bytes {
        tracing::warn!(target: "portcullis::upstream", upstream, %incident, fault = %self,
            "a request failed");
        failure_body(Some(id), self.message(), incident)
    }

    /// The answer where the status is still open.
    pub(super) fn response(self, upstream: &str, id: &[u8]) -> Response<Body> {
        let incident = Incident::new();
        let body = self.named(&incident, upstream, id);
        let mut response = json_response(self.status(), body);
        response.extensions_mut().insert(incident);
        if let Self::Busy { retry } = self {
            let seconds = retry.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
                response.headers_mut().insert(RETRY_AFTER, value);
            }
        }
        response
    }
}

pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

pub(super) fn method_not_allowed(methods: &'static str) -> Response<Body> {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = refusal(status, None, -32600, "Method not allowed");
    let methods = HeaderValue::from_static(methods);
    response.headers_mut().insert(ALLOW, methods);
    response
}
