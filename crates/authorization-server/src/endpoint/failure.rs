//! What goes wrong at a back channel, and what its client may know of it.

use std::error::Error;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use portcullis_oauth::EntropyError;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::form::FormError;
use portcullis_oauth::json::json;
use portcullis_resource_server::{Causes, Incident, StartError, Unavailable};
use portcullis_store::StoreError;

use crate::client::ClientAuthenticationError;
use crate::event::Unrecorded;
use crate::keyring::KeyringError;
use crate::limits::TooMany;

/// Why a request at a back channel is refused.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is the client's to mend.
    Refused(OAuthError),
    /// The client did not prove who it is.
    Client(ClientAuthenticationError),
    /// It asks too often.
    Limited(TooMany),
    /// It cannot be answered now. Nothing was granted.
    Unavailable(Box<dyn Error + Send + Sync>),
    /// Others changed the same all the time.
    Contended,
    /// It cannot be answered at all.
    Internal(&'static str),
}

/// When to try again what cannot be answered now.
const LATER: Duration = Duration::from_secs(5);

const UNAVAILABLE: OAuthError = OAuthError::new(
    OAuthErrorCode::TemporarilyUnavailable,
    "the server cannot answer now",
);
const LIMITED: OAuthError =
    OAuthError::new(OAuthErrorCode::TemporarilyUnavailable, "too many requests");
const INTERNAL: OAuthError = OAuthError::new(OAuthErrorCode::ServerError, "the server failed");

impl Failure {
    /// A grant type that there is not.
    pub(crate) const UNKNOWN_GRANT: Self = Self::Refused(OAuthError::new(
        OAuthErrorCode::UnsupportedGrantType,
        "this grant type is not supported",
    ));

    /// What the client may know.
    const fn wire(&self) -> OAuthError {
        match self {
            Self::Refused(error) => *error,
            Self::Client(error) => error.wire(),
            Self::Limited(_) => LIMITED,
            Self::Unavailable(_) | Self::Contended => UNAVAILABLE,
            Self::Internal(_) => INTERNAL,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Client(error) => error.status(),
            _ => StatusCode::from_u16(self.wire().code.status_hint())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Limited(limit) => Some(limit.retry_after),
            Self::Unavailable(_) | Self::Contended => Some(LATER),
            Self::Client(error) if error.unavailable().is_some() => Some(LATER),
            _ => None,
        }
    }

    fn log(&self, incident: &Incident) {
        match self {
            Self::Refused(error) => tracing::debug!(%incident, %error, "refused"),
            Self::Client(error) => {
                let reason = error.reason();
                tracing::debug!(%incident, reason, "a client is not authenticated");
            }
            Self::Limited(_) => tracing::debug!(%incident, "too many requests"),
            Self::Unavailable(error) => {
                let error = Causes::of(&**error);
                tracing::error!(%incident, %error, "the authorization server cannot answer");
            }
            Self::Contended => tracing::warn!(%incident, "others changed the same all the time"),
            Self::Internal(what) => tracing::error!(%incident, what, "a request failed"),
        }
    }

    /// The answer: typed JSON, with a name by which the log knows it.
    pub(crate) fn into_response(self) -> Response {
        let incident = Incident::new();
        self.log(&incident);
        let mut response = refusal(self.status(), self.wire(), &incident);
        let headers = response.headers_mut();
        if let Self::Client(error) = &self
            && error.needs_challenge()
        {
            // RFC 6749 section 5.2.
            let challenge = HeaderValue::from_static("Basic realm=\"client\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response.extensions_mut().insert(incident);
        response
    }
}

/// A typed refusal (RFC 6749 section 5.2).
pub(crate) fn refusal(status: StatusCode, error: OAuthError, incident: &Incident) -> Response {
    let body = json!({
        "error": error.code.as_str(),
        "error_description": error.description,
        "incident": incident.as_str(),
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

macro_rules! unavailable {
    ($($error:ty),+) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Unavailable(Box::new(error))
            }
        }
    )+};
}

unavailable!(
    StoreError,
    Unavailable,
    Unrecorded,
    EntropyError,
    StartError
);

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Claims(_) | KeyringError::Key => {
                tracing::error!(%error, "no token can be signed");
                Self::Internal("no token can be signed")
            }
            other => Self::Unavailable(Box::new(other)),
        }
    }
}

impl From<OAuthError> for Failure {
    fn from(error: OAuthError) -> Self {
        Self::Refused(error)
    }
}

impl From<FormError> for Failure {
    fn from(error: FormError) -> Self {
        Self::Refused(error.into())
    }
}

impl From<ClientAuthenticationError> for Failure {
    fn from(error: ClientAuthenticationError) -> Self {
        Self::Client(error)
    }
}

impl From<TooMany> for Failure {
    fn from(limit: TooMany) -> Self {
        Self::Limited(limit)
    }
}
