//! A name for one failure of ours, the same in the answer and in the log.

use std::fmt;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::Entropy as _;
use portcullis_oauth::crypto::hex;
use portcullis_oauth::json::json;

/// Sixteen hexadecimal digits that name one failure. All that a client learns of what went wrong
/// on our side; the log has the same digits beside the cause.
///
/// Whoever shows one to a client puts it into the extensions of the answer too, where
/// [observers](crate::observe) find it.
///
/// As a response it is 500 with `{"error":"server_error","error_description":..,"incident":..}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident(Box<str>);

impl Incident {
    /// A new name.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "each one differs, so there is no default one"
    )]
    pub fn new() -> Self {
        let mut bytes = [0; 8];
        // Without randomness the answer still says nothing of the cause.
        let drawn = SystemEntropy::new().fill(&mut bytes);
        Self(
            drawn
                .map(|()| hex::encode(bytes).into())
                .unwrap_or_default(),
        )
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl IntoResponse for Incident {
    fn into_response(self) -> Response {
        self.into_response_with(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl Incident {
    /// The answer with a status of 5xx.
    pub(crate) fn into_response_with(self, status: StatusCode) -> Response {
        let body = json!({
            "error": "server_error",
            "error_description": "the server failed",
            "incident": self.as_str(),
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(self);
        response
    }
}
