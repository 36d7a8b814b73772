//! `POST /oauth/register`: a client makes itself known (RFC 7591). What it asks for is narrowed, and
//! refused with 400 only when nothing of it is left.
//!
//! | answer | when |
//! |---|---|
//! | 201 | it is registered, as the answer says |
//! | 400 `invalid_redirect_uri`, `invalid_client_metadata` | the request cannot be accepted |
//! | 401 `invalid_token` | a token to register with is asked for, and this is none |
//! | 403 `access_denied` | nobody may register |
//! | 413, 415 | the body is too long, or no JSON |
//! | 429 | this address, or everybody, registers too often |
//! | 503 | there is no room, or the store has no answer |

use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{HeaderMap, StatusCode};
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::register::RegistrationResponse;
use portcullis_resource_server::{Causes, Incident};

use super::failure::Failure;
use super::shell::BackRequest;
use super::wire::private_json;
use crate::client::{RegisterError, Registration};
use crate::context::Context;
use crate::event::{Event, EventKind};
use crate::limits::Limit;

/// `POST /oauth/register`
pub(super) async fn post(context: &Context, request: BackRequest) -> Response {
    match register(context, &request).await {
        Ok(body) => private_json(StatusCode::CREATED, body),
        Err(failure) => failure.into_response(),
    }
}

async fn register(context: &Context, request: &BackRequest) -> Result<String, Failure> {
    // SECURITY: strangers fill no store, and keep nobody else from it (RFC 7591 section 5);
    // sec_dr_01_an_address_registers_only_so_often
    context.limits.allow(Limit::Register, request.address)?;
    let room = context.events.reserve()?;
    let catalogue = context.catalogue();
    let registered = context.clients.register(Registration {
        body: &request.body,
        token: bearer(&request.headers),
        scopes: &catalogue.all,
    });
    let answer: RegistrationResponse = registered.await?;
    let body = answer.to_json().map_err(RegisterError::from)?;
    let event = Event::new(EventKind::ClientRegistered).of_client(answer.client_id.as_str());
    room.note(event.from_address(request.address));
    Ok(body)
}

/// The token of `Authorization: Bearer`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("Bearer")
        .then(|| token.trim_matches(' '))
}

/// What the client may know.
pub(super) const fn error(error: &RegisterError) -> OAuthError {
    match error {
        RegisterError::Refused(error) => *error,
        RegisterError::Disabled => DISABLED,
        RegisterError::Token => TOKEN,
        RegisterError::Full => FULL,
        RegisterError::Contended
        | RegisterError::Store(_)
        | RegisterError::Entropy(_)
        | RegisterError::Answer(_) => LATER,
    }
}

/// Only what strangers cannot cause is loud.
pub(super) fn log(error: &RegisterError, incident: &Incident) {
    let cause = Causes::of(error);
    match error {
        RegisterError::Refused(_)
        | RegisterError::Disabled
        | RegisterError::Token
        | RegisterError::Contended => {
            tracing::debug!(%incident, %cause, "refused");
        }
        RegisterError::Full => tracing::warn!(%incident, %cause, "a client is turned away"),
        _ => tracing::error!(%incident, %cause, "a client could not be registered"),
    }
}

const DISABLED: OAuthError = OAuthError::new(
    OAuthErrorCode::AccessDenied,
    "clients do not register here: ask the operator for a client id",
);
const TOKEN: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidToken,
    "registration needs an initial access token of the operator",
);
const FULL: OAuthError = OAuthError::new(
    OAuthErrorCode::TemporarilyUnavailable,
    "there is no room for another client now",
);
const LATER: OAuthError = OAuthError::new(
    OAuthErrorCode::TemporarilyUnavailable,
    "the client cannot be registered now",
);
