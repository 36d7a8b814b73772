//! The answers to a request that goes no further.

use axum::body::Body;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::access::Target;
use super::peek::{Message, error_body};
use super::room::OverBudget;
use super::session::{self, NoRoom};

/// The answer to a request that goes no further.
pub(super) struct Refusal(Box<Response<Body>>);

impl Refusal {
    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        self.0.headers_mut()
    }

    /// Ends the connection with the answer, so that nobody has to read the rest of a large body.
    pub(super) fn close(&mut self) {
        let close = HeaderValue::from_static("close");
        self.headers_mut().insert(CONNECTION, close);
    }

    pub(super) fn into_response(self) -> Response<Body> {
        *self.0
    }
}

impl From<Response<Body>> for Refusal {
    fn from(response: Response<Body>) -> Self {
        Self(Box::new(response))
    }
}

/// A JSON-RPC error with a status of its own.
pub(super) fn json_rpc(status: StatusCode, body: String) -> Refusal {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.into()
}

/// 503: the caller has as much open as it may.
pub(super) fn busy(id: Option<&str>) -> Refusal {
    let body = error_body(id, -32000, "Too much is open already, try again later");
    let mut refusal = json_rpc(StatusCode::SERVICE_UNAVAILABLE, body);
    let wait = HeaderValue::from_static("30");
    refusal.headers_mut().insert(RETRY_AFTER, wait);
    refusal
}

/// There is no session to be had: 429 where the caller itself opens too many, 503 else.
pub(super) fn no_room(fault: NoRoom, id: Option<&str>) -> Refusal {
    let NoRoom::TooOften { wait } = fault else {
        return busy(id);
    };
    let body = error_body(id, -32000, "Sessions are opened too often, try again later");
    let mut refusal = json_rpc(StatusCode::TOO_MANY_REQUESTS, body);
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    refusal.headers_mut().insert(RETRY_AFTER, seconds.into());
    refusal
}

/// There is no memory for a body: 429 where the caller itself holds too much, 503 where all do.
pub(super) fn over_budget(fault: OverBudget) -> Refusal {
    let status = match fault {
        OverBudget::Own => StatusCode::TOO_MANY_REQUESTS,
        OverBudget::All => StatusCode::SERVICE_UNAVAILABLE,
    };
    let body = error_body(None, -32000, "Too much is held already, try again later");
    let mut refusal = json_rpc(status, body);
    let wait = HeaderValue::from_static("1");
    refusal.headers_mut().insert(RETRY_AFTER, wait);
    refusal.close();
    refusal
}

pub(super) fn unknown_session() -> Refusal {
    let mut response = Response::new(Body::from(session::NOT_FOUND));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.into()
}

/// What a hidden component answers: it is not there.
pub(super) fn unknown(message: &Message<'_>) -> Refusal {
    let Message::Request {
        id,
        operation,
        revision,
        ..
    } = message
    else {
        // Nobody waits for the answer to a notification.
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        return response.into();
    };
    let (code, what) = match operation.target() {
        Target::None => (-32601, "Method not found"),
        Target::Tool(_) => (-32602, "Unknown tool"),
        Target::Prompt(_) => (-32602, "Unknown prompt"),
        Target::Resource(_) => (-32002, "Resource not found"),
        Target::Task(_) => (-32602, "Unknown task"),
    };
    // A revision that says so itself has statuses for JSON-RPC errors (MCP 2026-07-28, transports).
    let status = match (operation.target(), revision) {
        (Target::None, Some(_)) => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    json_rpc(status, error_body(Some(id), code, what))
}
