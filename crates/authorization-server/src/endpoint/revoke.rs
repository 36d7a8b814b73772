//! `POST /oauth/revoke`: a client gives a token back, and with it the grant (RFC 7009). The answer is
//! the same for a token that is unknown, somebody else's, or has ended: 200.

use axum::body::Body;
use axum::response::Response;
use portcullis_oauth::revoke::RevocationRequest;

use super::failure::Failure;
use super::form::authenticate;
use super::shell::BackRequest;
use crate::client::Client;
use crate::context::Context;
use crate::grant::{EndReason, GrantId};
use crate::limits::Limit;

/// `POST /oauth/revoke`
pub(super) async fn post(context: &Context, request: BackRequest) -> Response {
    match revoke(context, &request).await {
        Ok(()) => Response::new(Body::empty()),
        Err(failure) => failure.into_response(),
    }
}

async fn revoke(context: &Context, request: &BackRequest) -> Result<(), Failure> {
    let form = request.form()?;
    let client = authenticate(context, request, &form).await?;
    // SECURITY: each takes a look into the store, and a signature to be checked, and whoever has
    // nothing to revoke may ask too (CWE-770); sec_rv_06_nobody_revokes_without_end
    context.limits.allow(Limit::Revoke, request.address)?;
    let revocation = RevocationRequest::from_form(&form)?;
    let token = revocation.token.expose();
    // The hint saves nothing here: what a token is shows in its form.
    let grant = match context.ledger.read_token(token) {
        Some(offered) => Some(offered.grant),
        None => context.grant_of(token).await?,
    };
    let Some(grant) = grant else {
        return Ok(());
    };
    if is_of(context, grant, client.client()).await? {
        context
            .ledger
            .end(grant, EndReason::RevokedByClient)
            .await?;
    }
    Ok(())
}

/// Whether a grant is this client's.
async fn is_of(context: &Context, grant: GrantId, client: &Client) -> Result<bool, Failure> {
    let found = context.ledger.find(grant).await?;
    // SECURITY: nobody ends what is another client's (RFC 7009 section 2.1);
    // sec_rv_01_a_foreign_token_stays
    Ok(found.is_some_and(|grant| grant.client == client.id))
}
