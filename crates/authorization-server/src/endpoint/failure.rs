//! What goes wrong at a back channel, and what its client may know of it.

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use portcullis_oauth::EntropyError;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::form::FormError;
use portcullis_resource_server::{Causes, Incident, StartError, Unavailable};
use portcullis_store::StoreError;

use super::outage::{Outage, unavailable};
use super::register;
use super::wire::Wire;
use crate::client::{ClientAuthenticationError, RegisterError};
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
    /// The client cannot register.
    Registration(RegisterError),
    /// It asks too often.
    Limited(TooMany),
    /// It cannot be answered now. Nothing was granted.
    Unavailable(Outage),
    /// Others changed the same all the time.
    Contended,
    /// It cannot be answered at all.
    Internal(&'static str),
}

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
    const fn error(&self) -> OAuthError {
        match self {
            Self::Refused(error) => *error,
            Self::Client(error) => error.wire(),
            Self::Registration(error) => register::error(error),
            Self::Limited(_) => LIMITED,
            Self::Unavailable(_) | Self::Contended => UNAVAILABLE,
            Self::Internal(_) => INTERNAL,
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Limited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Client(error) => error.status(),
            Self::Registration(RegisterError::Disabled) => StatusCode::FORBIDDEN,
            _ => StatusCode::from_u16(self.error().code.status_hint())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Limited(limit) => Some(limit.retry_after),
            Self::Unavailable(outage) => outage.wait(),
            Self::Client(error) => error.unavailable().map(Unavailable::wait),
            _ => None,
        }
    }

    fn challenge(&self) -> Option<&'static str> {
        match self {
            // RFC 6749 section 5.2.
            Self::Client(error) if error.needs_challenge() => Some("Basic realm=\"client\""),
            // RFC 7591 section 3, RFC 6750 section 3.
            Self::Registration(RegisterError::Token) => Some("Bearer"),
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
            Self::Registration(error) => register::log(error, incident),
            Self::Limited(_) => tracing::debug!(%incident, "too many requests"),
            Self::Unavailable(outage) => {
                let error = Causes::of(outage.cause());
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
        let mut wire = Wire::new(self.status(), self.error()).wait(self.wait());
        if let Some(challenge) = self.challenge() {
            wire = wire.challenge(challenge);
        }
        wire.into_response(incident)
    }
}

unavailable!(Failure: EntropyError, StartError, StoreError, Unavailable, Unrecorded);

impl From<Outage> for Failure {
    fn from(outage: Outage) -> Self {
        Self::Unavailable(outage)
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Claims(_) | KeyringError::Key => {
                tracing::error!(%error, "no token can be signed");
                Self::Internal("no token can be signed")
            }
            other => Self::Unavailable(Outage::new(other)),
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

impl From<RegisterError> for Failure {
    fn from(error: RegisterError) -> Self {
        Self::Registration(error)
    }
}

impl From<TooMany> for Failure {
    fn from(limit: TooMany) -> Self {
        Self::Limited(limit)
    }
}
