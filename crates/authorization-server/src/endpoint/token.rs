//! `POST /oauth/token`: a code, a refresh token, or the client's own credentials become tokens
//! (RFC 6749 section 3.2). `invalid_client` is 401, every other refusal 400, our own failures 5xx.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::token::TokenResponse;

use super::failure::Failure;
use super::form::authenticate;
use super::shell::BackRequest;
use crate::context::Context;
use crate::grant::exchange::{Exchange, GrantHandler, HANDLERS};

const NOT_FOR_THIS_CLIENT: OAuthError = OAuthError::new(
    OAuthErrorCode::UnauthorizedClient,
    "the client did not register for this grant type",
);

/// `POST /oauth/token`
pub(super) async fn post(context: &Context, request: BackRequest) -> Response {
    match exchange(context, &request).await {
        Ok(tokens) => {
            let mut response = Response::new(Body::from(tokens.to_json()));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(failure) => failure.into_response(),
    }
}

async fn exchange(context: &Context, request: &BackRequest) -> Result<TokenResponse, Failure> {
    let form = request.form()?;
    let client = authenticate(context, request, &form).await?;
    let handler = handler_of(form.required("grant_type")?)?;
    // SECURITY: a client gets tokens in no other way than it registered for (RFC 7591 section 2);
    // sec_tk_04_a_grant_type_that_was_not_registered_is_refused
    if !client.client().may_use(handler.grant_type()) {
        return Err(NOT_FOR_THIS_CLIENT.into());
    }
    let exchange = Exchange {
        context,
        client: &client,
        form: &form,
        request,
    };
    handler.exchange(&exchange).await
}

fn handler_of(name: &str) -> Result<&'static dyn GrantHandler, Failure> {
    let mut handlers = HANDLERS.iter();
    let found = handlers.find(|handler| handler.grant_type().as_str() == name);
    found.copied().ok_or(Failure::UNKNOWN_GRANT)
}
