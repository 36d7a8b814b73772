//! `POST /oauth/introspect`: a resource server asks what a token is worth (RFC 7662). It learns of
//! tokens for its own resources; of all others, of refresh tokens and of junk it learns the same:
//! `{"active":false}`.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use portcullis_oauth::BearerToken;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::introspect::{ActiveToken, IntrospectionRequest, IntrospectionResponse};
use portcullis_oauth::{Timestamp, json};
use portcullis_resource_server::AccessToken;

use super::failure::Failure;
use super::form::authenticate;
use super::shell::BackRequest;
use crate::client::Client;
use crate::context::Context;
use crate::limits::Limit;

const NOT_THIS_CLIENT: OAuthError = OAuthError::new(
    OAuthErrorCode::UnauthorizedClient,
    "this client may not ask about tokens",
);

/// `POST /oauth/introspect`
pub(super) async fn post(context: &Context, request: BackRequest) -> Response {
    match introspect(context, &request).await {
        Ok(answer) => {
            let body = json::to_string(&answer).unwrap_or_default();
            let mut response = Response::new(Body::from(body));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            response
        }
        Err(failure) => failure.into_response(),
    }
}

async fn introspect(
    context: &Context,
    request: &BackRequest,
) -> Result<IntrospectionResponse, Failure> {
    let form = request.form()?;
    let client = authenticate(context, request, &form).await?;
    let who = &context.settings.introspection;
    // SECURITY: who asks proves who it is, and was named by the operator; or anybody would find out
    // by trying which tokens are good (RFC 7662 section 2.1); sec_rv_09_strangers_learn_of_no_token
    if !client.client().is_confidential() || !who.knows(&client.client().id) {
        return Err(NOT_THIS_CLIENT.into());
    }
    context.limits.allow(Limit::Introspect, request.address)?;
    let asked = IntrospectionRequest::from_form(&form)?;
    match active(context, client.client(), asked.token.expose()).await? {
        Some(token) => Ok(IntrospectionResponse::Active(Box::new(describe(&token)))),
        None => Ok(IntrospectionResponse::Inactive),
    }
}

/// The token, if it is good and the asker's business.
async fn active(
    context: &Context,
    asker: &Client,
    token: &str,
) -> Result<Option<AccessToken>, Failure> {
    let Ok(token) = BearerToken::parse(token) else {
        return Ok(None);
    };
    let Some(resource) = context.resource_of(&token) else {
        return Ok(None);
    };
    // SECURITY: a resource server learns of its own tokens alone (RFC 7662 section 4);
    // sec_rv_08_everything_else_has_the_same_answer
    if !context.settings.introspection.covers(&asker.id, &resource) {
        return Ok(None);
    }
    let Some(verified) = context.verified(&token, &resource).await? else {
        return Ok(None);
    };
    Ok(context.stands(&verified).await?.then_some(verified))
}

fn describe(token: &AccessToken) -> ActiveToken {
    let time = |name| token.claim::<i64>(name).map(Timestamp::from_secs);
    let mut active = ActiveToken::new();
    active.scope = token.scopes().clone();
    active.client_id = token.client_id().map(str::to_owned);
    active.token_type = Some("Bearer".to_owned());
    active.expires_at = token.expires_at();
    active.issued_at = time("iat");
    active.subject = Some(token.subject().to_owned());
    active.audience = token.audience().to_vec();
    active.issuer = Some(token.issuer().to_owned());
    active.jwt_id = token.jwt_id().map(str::to_owned);
    active
}
