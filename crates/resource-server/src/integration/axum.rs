//! `AccessToken` and `UpstreamToken` as arguments of axum handlers.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use crate::layer::SignInAgain;
use crate::{
    AccessToken, Causes, Incident, UpstreamToken, UpstreamTokenError, load_upstream_tokens,
};

/// A handler asked for a token where no [`AuthLayer`](crate::AuthLayer) stands in front of it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct NoAuthLayer;

impl IntoResponse for NoAuthLayer {
    fn into_response(self) -> Response {
        tracing::error!("a handler takes an `AccessToken`, and no `AuthLayer` is in front of it");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for AccessToken {
    type Rejection = NoAuthLayer;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoAuthLayer> {
        // SECURITY: a forgotten layer fails closed; sec_rs_09_a_forgotten_layer_fails_closed
        parts.extensions.get::<Self>().cloned().ok_or(NoAuthLayer)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for AccessToken {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

/// A handler asked for the identity provider's token, and there is none now.
///
/// | what | answer |
/// |---|---|
/// | the provider has ended what was granted | 401 with the challenge of a token that is not valid, so that the client signs its user in again |
/// | the provider is out of reach | 503 with `Retry-After` |
/// | no provider stands behind the token, or no [`AuthLayer`](crate::AuthLayer) is there | 500 |
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NoUpstreamToken {
    /// As for `AccessToken`.
    NoAuthLayer(NoAuthLayer),
    /// The token could not be had.
    Failed(UpstreamTokenError),
}

impl IntoResponse for NoUpstreamToken {
    fn into_response(self) -> Response {
        let failed = match self {
            Self::NoAuthLayer(none) => return none.into_response(),
            Self::Failed(failed) => failed,
        };
        match failed {
            UpstreamTokenError::Ended => SignInAgain::asked(),
            UpstreamTokenError::Unavailable(unavailable) => {
                let incident = Incident::new();
                tracing::warn!(
                    %incident,
                    error = %Causes::of(&unavailable),
                    "the identity provider's token cannot be had now"
                );
                let mut response = incident.into_response_with(StatusCode::SERVICE_UNAVAILABLE);
                let wait = unavailable.wait().as_secs().max(1);
                let headers = response.headers_mut();
                headers.insert(RETRY_AFTER, HeaderValue::from(wait));
                response
            }
            UpstreamTokenError::Absent => {
                let incident = Incident::new();
                tracing::error!(
                    %incident,
                    "a handler takes an `UpstreamToken`, and no identity provider stands behind the \
                     caller's token"
                );
                incident.into_response()
            }
            // Not of a token that is loaded.
            UpstreamTokenError::InteractionRequired(_)
            | UpstreamTokenError::Refused
            | UpstreamTokenError::Unsupported => Incident::new().into_response(),
        }
    }
}

/// The provider's token of whoever called, refreshed where it had expired.
impl<S: Sync> FromRequestParts<S> for UpstreamToken {
    type Rejection = NoUpstreamToken;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NoUpstreamToken> {
        // SECURITY: the verified caller is the key, and no header, query or body is (RFC 6750
        // section 5.2); sec_px_18_an_upstream_token_is_loaded_for_a_verified_caller_alone
        let Some(token) = parts.extensions.get::<AccessToken>().cloned() else {
            return Err(NoUpstreamToken::NoAuthLayer(NoAuthLayer));
        };
        let loaded = load_upstream_tokens(&token).await;
        loaded.map_err(NoUpstreamToken::Failed)
    }
}

/// `None` where nobody was verified, or no provider stands behind the token.
impl<S: Sync> OptionalFromRequestParts<S> for UpstreamToken {
    type Rejection = NoUpstreamToken;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, NoUpstreamToken> {
        let Some(token) = parts.extensions.get::<AccessToken>().cloned() else {
            return Ok(None);
        };
        match load_upstream_tokens(&token).await {
            Ok(token) => Ok(Some(token)),
            Err(UpstreamTokenError::Absent) => Ok(None),
            Err(failed) => Err(NoUpstreamToken::Failed(failed)),
        }
    }
}
