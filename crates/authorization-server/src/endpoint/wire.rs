//! A refusal in the form that programs read: typed JSON (RFC 6749 section 5.2), with every header
//! that belongs to it. Where it is refused, and why, is said elsewhere; how it looks, only here.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use portcullis_oauth::error::OAuthError;
use portcullis_oauth::json::json;
use portcullis_resource_server::Incident;

use crate::retry::retry_after;

/// A refusal on its way to a program.
#[must_use]
pub(crate) struct Wire {
    status: StatusCode,
    error: OAuthError,
    wait: Option<Duration>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What is said besides.
    members: Vec<(&'static str, String)>,
}

impl Wire {
    /// This error, with this status.
    pub(super) fn new(status: StatusCode, error: OAuthError) -> Self {
        Self {
            status,
            error,
            wait: None,
            headers: Vec::new(),
            members: Vec::new(),
        }
    }

    /// When to try again, where it is known. Without it, what is refused for now says "shortly".
    pub(super) fn wait(self, wait: Option<Duration>) -> Self {
        Self { wait, ..self }
    }

    /// How to authenticate (RFC 9110 section 11.6.1).
    pub(super) fn challenge(self, challenge: &'static str) -> Self {
        self.header(WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    /// Which methods there are (RFC 9110 section 10.2.1).
    pub(super) fn allow(self, methods: &'static str) -> Self {
        self.header(ALLOW, HeaderValue::from_static(methods))
    }

    /// Whoever sends too much, or too slowly, does not go on on this connection.
    pub(super) fn closing(self) -> Self {
        self.header(CONNECTION, HeaderValue::from_static("close"))
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn member(mut self, name: &'static str, value: String) -> Self {
        self.members.push((name, value));
        self
    }

    /// The answer to what was refused before anybody looked at what is asked for.
    pub(super) fn into_early_response(self) -> Response {
        let incident = Incident::new();
        tracing::debug!(%incident, error = %self.error, "refused");
        self.into_response(incident)
    }

    /// The answer, with the name by which the log knows it.
    pub(super) fn into_response(self, incident: Incident) -> Response {
        let mut body = json!({
            "error": self.error.code.as_str(),
            "error_description": self.error.description,
            "incident": incident.as_str(),
        });
        if let Some(body) = body.as_object_mut() {
            let members = self.members.into_iter();
            body.extend(members.map(|(name, value)| (name.to_owned(), value.into())));
        }
        let mut response = private_json(self.status, body.to_string());
        response.headers_mut().extend(self.headers);
        retry_after(&mut response, self.wait);
        response.extensions_mut().insert(incident);
        response
    }
}

/// JSON for whoever asked, and for nobody else.
pub(super) fn private_json(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    keep_private(headers);
    response
}

/// No cache keeps it, and no browser takes it for something else.
pub(super) fn keep_private(headers: &mut HeaderMap) {
    for (name, value) in [
        // SECURITY: answers hold secrets, and errors tell of them (RFC 6749 section 5.1);
        // sec_tk_05_no_answer_is_kept, sec_tk_05_no_refusal_is_kept_either
        (CACHE_CONTROL, "no-store"),
        (PRAGMA, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
