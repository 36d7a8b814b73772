//! `client_credentials`: a client gets a token for itself (RFC 6749 section 4.4).

use futures_util::future::BoxFuture;
use portcullis_oauth::Subject;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::token::{TokenRequest, TokenResponse};

use super::{Exchange, GrantHandler, answer};
use crate::client::{ClientOrigin, GrantType};
use crate::endpoint::failure::Failure;
use crate::event::EventKind;
use crate::grant::record::GrantRecord;
use crate::limits::Limit;

/// `client_credentials`
pub(super) struct ClientCredentialsGrant;

const NOT_THIS_CLIENT: OAuthError = OAuthError::new(
    OAuthErrorCode::UnauthorizedClient,
    "this client cannot act for itself",
);

impl GrantHandler for ClientCredentialsGrant {
    fn grant_type(&self) -> GrantType {
        GrantType::CLIENT_CREDENTIALS
    }

    fn exchange<'a>(
        &'a self,
        exchange: &'a Exchange<'a>,
    ) -> BoxFuture<'a, Result<TokenResponse, Failure>> {
        Box::pin(issue(exchange))
    }
}

async fn issue(exchange: &Exchange<'_>) -> Result<TokenResponse, Failure> {
    let request = TokenRequest::from_form(exchange.form)?;
    let (context, client) = (exchange.context, exchange.client());
    // SECURITY: whoever registers itself is nobody, and whoever proves nothing may be anybody (RFC
    // 6749 section 4.4); sec_ex_01_only_configured_clients_with_a_secret_act_for_themselves
    if client.origin != ClientOrigin::Configured || !client.is_confidential() {
        return Err(NOT_THIS_CLIENT.into());
    }
    // A token of ours would open nothing.
    if context.passes_through() {
        return Err(NOT_THIS_CLIENT.into());
    }
    let subject = Subject::parse(client.id.as_str()).map_err(|_| NOT_THIS_CLIENT)?;
    // SECURITY: `sub` would be that of a user, who is somebody else (RFC 9068 section 5);
    // sec_ex_01_a_client_is_never_taken_for_a_user
    if context.identity.is_user(&subject).await? {
        return Err(NOT_THIS_CLIENT.into());
    }
    // SECURITY: each token is a row until it ends, and a client in a loop fills no disk (CWE-770);
    // sec_ds_08_a_client_gets_so_many_tokens_for_itself_and_no_more
    let limits = &context.limits;
    limits.allow_known(Limit::OwnToken, client.id.as_str())?;
    let resource = context.resources.judge(&request.resource)?;
    let requested = request.scope.unwrap_or_default();
    // A client without a user has nothing to refresh for anybody.
    let default = context.resources.default_at(&resource);
    let catalogue = context.catalogue();
    let scope = catalogue.grant(&requested, default.as_ref(), (client, None))?;
    let scope = crate::grant::scope::of_access_token(&scope);
    let now = exchange.now();
    let end = now.saturating_add(context.settings.lifetimes.access);
    let grant = GrantRecord {
        id: context.ledger.fresh_id()?,
        client: client.id.clone(),
        is_configured: context.ledger.is_configured(&client.id),
        is_proxied: false,
        is_minted: false,
        owner: None,
        scope,
        resource,
        reach: client.scope.clone(),
        granted_at: now,
        last_used: now,
        ends_at: end,
        expires_at: end,
        refresh: None,
    };
    let minted = context.mint(&grant, &grant.scope, None).await?;
    let room = context.events.reserve()?;
    if !context.ledger.open(&grant).await? {
        return Err(Failure::Contended);
    }
    let event = grant.event(EventKind::GrantMade);
    let event = event.because("client_credentials");
    room.note(event.from_address(exchange.address()));
    Ok(answer(minted, &grant.scope, now))
}
