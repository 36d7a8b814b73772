//! What a client learns when the server behind fails: a JSON-RPC error with a fitting status.

use std::error::Error;
use std::fmt;

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use portcullis_fetch::FetchError;
use portcullis_oauth::json::{Value, json};
use portcullis_resource_server::Incident;
use portcullis_resource_server::mcp::peek::{Message, peek};

/// Why the server behind gave no answer that may go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no answer")]
    Fetch(#[from] FetchError),
    #[error("it asks for credentials of its own (status {})", .0.as_u16())]
    Credentials(StatusCode),
    #[error("it redirects (status {})", .0.as_u16())]
    Redirect(StatusCode),
    #[error("it answered with status {}", .0.as_u16())]
    Status(StatusCode),
    #[error("its answer is compressed, which was not asked for")]
    Encoded,
    #[error("the session id that it gave is none")]
    Session,
    #[error("a message in its answer cannot be read, or is too long")]
    Unreadable,
}

impl Failure {
    /// The status for the client. What is wrong with the server behind is never its own status.
    fn status(&self) -> StatusCode {
        match self {
            Self::Fetch(FetchError::Timeout) | Self::Status(StatusCode::GATEWAY_TIMEOUT) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Status(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    /// What the client may know: nothing that the server behind chose.
    fn message(&self) -> &'static str {
        match self.status() {
            StatusCode::GATEWAY_TIMEOUT => "The server behind did not answer in time",
            StatusCode::SERVICE_UNAVAILABLE => "The server behind is busy, try again later",
            _ => "The server behind did not answer as it should",
        }
    }

    /// The answer to the request with this body, and the line in the log that explains it.
    pub(crate) fn into_response(self, upstream: &str, body: &[u8]) -> Response<Body> {
        let incident = Incident::new();
        tracing::warn!(
            target: "portcullis::upstream",
            upstream,
            %incident,
            error = %Causes(&self),
            "the server behind failed",
        );
        // SECURITY: an answer names the incident and nothing of its cause (OWASP: error handling);
        // sec_op_04_an_upstreams_words_go_no_further
        let error = json!({
            "code": -32000,
            "message": self.message(),
            "data": {"incident": incident.as_str()},
        });
        let mut response = error_response(self.status(), body, &error);
        let headers = response.headers_mut();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response.extensions_mut().insert(incident);
        response
    }
}

/// The headers do not say what the body says: 400 and -32020.
pub(crate) fn mismatch(body: &[u8]) -> Response<Body> {
    let error = json!({"code": -32020, "message": "The headers do not match the body"});
    error_response(StatusCode::BAD_REQUEST, body, &error)
}

/// A JSON-RPC error to the request with this body.
fn error_response(status: StatusCode, body: &[u8], error: &Value) -> Response<Body> {
    let id = match peek(body) {
        Ok(Message::Request { id, .. }) => id,
        _ => "null",
    };
    let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An error and what caused it, on one line.
pub(crate) struct Causes<'a>(pub(crate) &'a (dyn Error + 'static));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
