//! A token that turns out to be of no use while a request is handled.

use axum::body::Body;
use http::header::WWW_AUTHENTICATE;
use http::{HeaderValue, Response, StatusCode};
use portcullis_oauth::challenge::{BearerError, Challenge};

/// In the extensions of an answer: what its caller's token stands on has ended, so the caller has to
/// sign in again. The layer puts the refusal of a token that is not valid in its place, which names
/// the metadata and the scopes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignInAgain;

impl SignInAgain {
    /// 401, as it stands where no layer of ours is outside.
    pub(crate) fn asked() -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        let challenge = Challenge::bearer().error(BearerError::InvalidToken);
        if let Ok(value) = HeaderValue::try_from(challenge.to_header_value()) {
            response.headers_mut().insert(WWW_AUTHENTICATE, value);
        }
        response.extensions_mut().insert(Self);
        response
    }

    pub(super) fn is_asked_by<B>(response: &Response<B>) -> bool {
        response.extensions().get::<Self>().is_some()
    }
}
