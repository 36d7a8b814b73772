//! What a client learns when the server behind fails: a JSON-RPC error with a fitting status.

use axum::body::Body;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Response, StatusCode};
use portcullis_fetch::FetchError;
use portcullis_resource_server::{Causes, Incident, Unavailable};

use crate::json_rpc;

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
    #[error("the task that it made has the id of another caller's")]
    Task,
    #[error("nobody can vouch for the caller")]
    Identity(#[from] Unavailable),
}

impl Failure {
    /// The status for the client. What is wrong with the server behind is never its own status.
    fn status(&self) -> StatusCode {
        match self {
            Self::Fetch(FetchError::Timeout) | Self::Status(StatusCode::GATEWAY_TIMEOUT) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Self::Status(StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
            | Self::Identity(_) => StatusCode::SERVICE_UNAVAILABLE,
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

    /// The answer to the request with this id, and the line in the log that explains it.
    pub(crate) fn into_response(self, upstream: &str, id: Option<&str>) -> Response<Body> {
        let incident = Incident::new();
        tracing::warn!(
            target: "portcullis::upstream",
            upstream,
            %incident,
            error = %Causes::of(&self),
            "the server behind failed",
        );
        let id = id.map(str::as_bytes);
        let body = json_rpc::failure_body(id, self.message(), &incident);
        let mut response = json_rpc::json_response(self.status(), body);
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response.extensions_mut().insert(incident);
        response
    }
}
