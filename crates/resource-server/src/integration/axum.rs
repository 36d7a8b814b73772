//! `AccessToken` as an argument of axum handlers.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::AccessToken;

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
