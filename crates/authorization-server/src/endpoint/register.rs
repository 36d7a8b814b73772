//! `POST /oauth/register`: a client makes itself known (RFC 7591). What it asks for is narrowed, and
//! refused with 400 only when nothing of it is left.
//!
//! | answer | when |
//! |---|---|
//! | 201 | it is registered, as the answer says |
//! | 400 `invalid_redirect_uri`, `invalid_client_metadata` | the request cannot be accepted |
//! | 401 `invalid_token` | a token to register with is asked for, and this is none |
//! | 403 `access_denied` | nobody may register |
//! | 413, 415 | the body is no short JSON |
//! | 429 | this address, or everybody, registers too often |
//! | 503 | there is no room, or the store has no answer |

use axum::body::Body;
use axum::response::Response;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use portcullis_oauth::ScopeSet;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::json;
use portcullis_oauth::register::RegistrationResponse;
use portcullis_resource_server::{Causes, ClientAddress, Incident};

use crate::client::{Clients, RegisterError, Registration};
use crate::event::{Event, EventKind, Events, Unrecorded};
use crate::limits::{Limit, Limits, TooMany};

/// The longest body in bytes.
pub(crate) const LONGEST: usize = 64 * 1024;

/// What the endpoint works with.
#[derive(Clone, Copy)]
pub(crate) struct Desk<'a> {
    pub(crate) clients: &'a Clients,
    pub(crate) limits: &'a Limits,
    pub(crate) events: &'a Events,
    /// The scopes that there are now.
    pub(crate) scopes: &'a ScopeSet,
}

/// A request to register.
#[derive(Clone, Copy)]
pub(crate) struct RegisterRequest<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) from: Option<ClientAddress>,
}

/// `POST /oauth/register`
pub(crate) async fn post(desk: Desk<'_>, request: RegisterRequest<'_>) -> Response {
    match register(desk, request).await {
        Ok(body) => json_response(StatusCode::CREATED, body),
        Err(refusal) => refusal.response(),
    }
}

async fn register(desk: Desk<'_>, request: RegisterRequest<'_>) -> Result<String, Refusal> {
    // SECURITY: strangers fill no store, and keep nobody else from it (RFC 7591 section 5);
    // sec_dr_01_an_address_registers_only_so_often
    desk.limits.allow(Limit::Register, request.from)?;
    // SECURITY: what is long is refused before it is read (CWE-400);
    // sec_dr_02_a_body_is_short_json
    if request.body.len() > LONGEST {
        return Err(Refusal::TooLong);
    }
    if !is_json(request.headers) {
        return Err(Refusal::MediaType);
    }
    let room = desk.events.reserve().map_err(|_| Refusal::Unrecorded)?;
    let registered = desk.clients.register(Registration {
        body: request.body,
        token: bearer(request.headers),
        scopes: desk.scopes,
    });
    let answer: RegistrationResponse = registered.await?;
    let body = answer.to_json().map_err(RegisterError::from)?;
    let event = Event::new(EventKind::ClientRegistered).of_client(answer.client_id.as_str());
    room.note(event.from_address(request.from));
    Ok(body)
}

/// `application/json` with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// The token of `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim_matches(' '))
}

/// What happened instead.
#[derive(Debug)]
enum Refusal {
    TooMany(TooMany),
    TooLong,
    MediaType,
    /// Nobody could take note of it.
    Unrecorded,
    Register(RegisterError),
}

impl From<TooMany> for Refusal {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany(too_many)
    }
}

impl From<RegisterError> for Refusal {
    fn from(error: RegisterError) -> Self {
        Self::Register(error)
    }
}

impl Refusal {
    /// What the client may know, and the status.
    fn wire(&self) -> (StatusCode, OAuthError) {
        use OAuthErrorCode::{
            AccessDenied, InvalidClientMetadata, InvalidToken, TemporarilyUnavailable,
        };
        let (status, code, what) = match self {
            Self::TooMany(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                TemporarilyUnavailable,
                "too many clients register: try again later",
            ),
            Self::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                InvalidClientMetadata,
                "the body is longer than 64 KiB",
            ),
            Self::MediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                InvalidClientMetadata,
                "the body is application/json",
            ),
            Self::Register(RegisterError::Refused(error)) => {
                return (StatusCode::BAD_REQUEST, *error);
            }
            Self::Register(RegisterError::Disabled) => (
                StatusCode::FORBIDDEN,
                AccessDenied,
                "clients do not register here: ask the operator for a client id",
            ),
            Self::Register(RegisterError::Token) => (
                StatusCode::UNAUTHORIZED,
                InvalidToken,
                "registration needs an initial access token of the operator",
            ),
            Self::Register(RegisterError::Full) => (
                StatusCode::SERVICE_UNAVAILABLE,
                TemporarilyUnavailable,
                "there is no room for another client now",
            ),
            Self::Unrecorded
            | Self::Register(
                RegisterError::Store(_) | RegisterError::Entropy(_) | RegisterError::Answer(_),
            ) => (
                StatusCode::SERVICE_UNAVAILABLE,
                TemporarilyUnavailable,
                "the client cannot be registered now",
            ),
        };
        (status, OAuthError::new(code, what))
    }

    fn response(self) -> Response {
        let (status, error) = self.wire();
        let mut response = if status == StatusCode::SERVICE_UNAVAILABLE {
            self.failure(error)
        } else {
            json_response(status, json::to_string(&error).unwrap_or_default())
        };
        let headers = response.headers_mut();
        let wait = match &self {
            Self::TooMany(too_many) => Some(too_many.retry_after.as_secs()),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(5),
            _ => None,
        };
        if let Some(seconds) = wait {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    /// The answer to a failure of ours, and the log line with the same incident.
    fn failure(&self, error: OAuthError) -> Response {
        let incident = Incident::new();
        let cause = match self {
            Self::Register(error) => Causes::of(error).to_string(),
            _ => Unrecorded.to_string(),
        };
        tracing::warn!(
            target: "portcullis::security",
            event = "registration_failed",
            %incident,
            error = cause,
            "a client could not be registered",
        );
        let body = json::json!({
            "error": error.code.as_str(),
            "error_description": error.description,
            "incident": incident.as_str(),
        });
        let mut response = json_response(StatusCode::SERVICE_UNAVAILABLE, body.to_string());
        response.extensions_mut().insert(incident);
        response
    }
}

/// JSON that is kept nowhere, because a secret may be in it.
fn json_response(status: StatusCode, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
        (PRAGMA, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
