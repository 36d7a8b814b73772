//! `refresh_token`: a refresh token becomes the next one, and an access token (RFC 6749 section 6).

use futures_util::future::BoxFuture;
use portcullis_oauth::secret::RefreshToken;
use portcullis_oauth::token::{Grant, TokenRequest, TokenResponse};
use portcullis_oauth::{BearerToken, ScopeSet};
use portcullis_store::Stored;

use super::{Exchange, GrantHandler, INVALID_GRANT, TRIES, answer};
use crate::client::GrantType;
use crate::endpoint::failure::Failure;
use crate::event::EventKind;
use crate::grant::EndReason;
use crate::grant::record::{AnswerRecord, GrantRecord, Refreshing};
use crate::grant::refresh::{Answer, OfferedToken, Verdict, decide, replaced};
use crate::identity::Holder;
use crate::users::User;

/// For how much longer an answer is kept than it is given: whoever was promised it finds it.
const MARGIN: std::time::Duration = std::time::Duration::from_secs(5);

/// `refresh_token`
pub(super) struct RefreshGrant;

impl GrantHandler for RefreshGrant {
    fn grant_type(&self) -> GrantType {
        GrantType::REFRESH_TOKEN
    }

    fn exchange<'a>(
        &'a self,
        exchange: &'a Exchange<'a>,
    ) -> BoxFuture<'a, Result<TokenResponse, Failure>> {
        Box::pin(rotate(exchange))
    }
}

async fn rotate(exchange: &Exchange<'_>) -> Result<TokenResponse, Failure> {
    let request = TokenRequest::from_form(exchange.form)?;
    let Grant::RefreshToken { refresh_token } = &request.grant else {
        return Err(Failure::UNKNOWN_GRANT);
    };
    let ledger = &exchange.context.ledger;
    let Some(offered) = ledger.read_token(refresh_token.expose()) else {
        return Err(exchange.guessed("unknown_token"));
    };
    let grace = ledger.lifetimes().grace;
    for _ in 0..TRIES {
        let Some(read) = ledger.find(offered.grant).await? else {
            return Err(exchange.refused("no_grant"));
        };
        let client = &exchange.client().id;
        match decide(&read, &offered, client, exchange.now(), grace) {
            Verdict::Refused(reason) => return Err(exchange.refused(reason)),
            Verdict::Reused => return Err(reused(exchange, &read).await?),
            Verdict::Retry => {
                exchange.check_resource(&request.resource, &read.resource)?;
                return once_more(exchange, &offered).await;
            }
            Verdict::Current => {
                exchange.check_resource(&request.resource, &read.resource)?;
                let rotated = replace(exchange, &read, &offered, request.scope.as_ref()).await?;
                if let Some(response) = rotated {
                    return Ok(response);
                }
            }
        }
    }
    Err(Failure::Contended)
}

/// The next token in the place of this one; nothing if somebody else was first.
async fn replace(
    exchange: &Exchange<'_>,
    read: &Stored<GrantRecord>,
    offered: &OfferedToken,
    requested: Option<&ScopeSet>,
) -> Result<Option<TokenResponse>, Failure> {
    let (context, ledger) = (exchange.context, &exchange.context.ledger);
    let catalogue = context.catalogue();
    let scope = catalogue.narrow(&read.scope, requested)?;
    let holder = still_there(exchange, read).await?;
    let user = holder.as_ref().map(|holder| &holder.user);
    let left = catalogue.still(&scope, user);
    if left.is_empty() && !scope.is_empty() {
        return Err(exchange.refused("no_scope_left"));
    }
    let Some(refresh) = &read.refresh else {
        return Err(exchange.refused("no_refresh"));
    };
    let (next, token) = next_of(exchange, read, refresh, user)?;
    let minted = context.mint(&next, &left, holder.as_ref()).await?;
    let kept = Answer {
        access_token: minted.token.expose().to_owned(),
        expires_at: minted.expires_at,
        refresh_token: token.to_token().expose().to_owned(),
        scope: left.to_string(),
    };
    let now = exchange.now();
    let record = AnswerRecord {
        digest: offered.digest,
        grant: read.id,
        expires_at: now.saturating_add(ledger.lifetimes().grace + MARGIN),
        sealed: offered
            .seal(&kept, &*ledger.entropy)
            .ok_or(Failure::Internal("the answer cannot be sealed"))?,
    };
    // A registration lives on with what it is used for, so that no refresh finds its client gone.
    let in_use = context.clients.use_of(exchange.client, next.ends_at);
    let in_use = in_use.await?;
    let room = context.events.reserve()?;
    let login = holder.as_ref().and_then(|holder| holder.login.as_ref());
    let rotated = ledger.rotate((read, &next), &record, login, in_use.as_ref());
    if !rotated.await? {
        return Ok(None);
    }
    let event = next.event(EventKind::TokenRefreshed);
    room.note(event.from_address(exchange.address()));
    let mut response = answer(minted, &left, now);
    response.refresh_token = Some(token.to_token());
    Ok(Some(response))
}

/// What the grant says once its token is replaced, and the new one.
fn next_of(
    exchange: &Exchange<'_>,
    read: &GrantRecord,
    refresh: &Refreshing,
    user: Option<&User>,
) -> Result<(GrantRecord, OfferedToken), Failure> {
    let (ledger, now) = (&exchange.context.ledger, exchange.now());
    let lifetimes = ledger.lifetimes();
    let token = ledger.fresh_token(read.id, refresh.generation.wrapping_add(1))?;
    let idle_until = now.saturating_add(lifetimes.refresh_idle);
    let access_until = now.saturating_add(lifetimes.access);
    let next = GrantRecord {
        last_used: now,
        expires_at: read.ends_at.min(idle_until.max(access_until)),
        refresh: Some(replaced(refresh, &token, now, idle_until)),
        reach: user.and_then(|user| user.scopes.clone()),
        ..read.clone()
    };
    Ok((next, token))
}

/// The user of the grant, who must be there; a grant without one is over.
async fn still_there(
    exchange: &Exchange<'_>,
    grant: &GrantRecord,
) -> Result<Option<Holder>, Failure> {
    let Some(owner) = &grant.owner else {
        return Ok(None);
    };
    let (identity, ledger) = (&exchange.context.identity, &exchange.context.ledger);
    let login = grant.is_proxied.then_some(grant.id);
    // SECURITY: whoever is out at the identity provider is out here, at the next refresh (RFC 9700
    // section 4.14.2); sec_px_17_a_grant_that_ended_upstream_ends_here
    if let Some(id) = login
        && !identity.renew(id).await?
    {
        ledger.end(grant.id, EndReason::UpstreamEnded).await?;
        return Err(exchange.refused("upstream_ended"));
    }
    if let Some(holder) = exchange.holder(owner, login).await? {
        return Ok(Some(holder));
    }
    ledger.end(grant.id, EndReason::UserGone).await?;
    Err(exchange.refused("user_gone"))
}

/// Two have the token: nobody shall have what comes of it.
async fn reused(
    exchange: &Exchange<'_>,
    grant: &GrantRecord,
) -> Result<Failure, portcullis_store::StoreError> {
    let event = grant.event(EventKind::RefreshReused);
    let context = exchange.context;
    context.events.note(event.from_address(exchange.address()));
    // SECURITY: one of the two is a thief, and it cannot be said which (RFC 9700 section 4.14.2);
    // sec_rt_03_a_reused_token_kills_the_family
    context
        .ledger
        .end(grant.id, EndReason::RefreshReused)
        .await?;
    Ok(INVALID_GRANT.into())
}

/// The answer that was given a moment ago, for whoever did not get it.
async fn once_more(
    exchange: &Exchange<'_>,
    offered: &OfferedToken,
) -> Result<TokenResponse, Failure> {
    let kept = exchange.context.ledger.answer_to(offered).await?;
    let kept = kept.and_then(|record| offered.open(&record.sealed));
    let Some(kept) = kept else {
        return Err(exchange.refused("answer_gone"));
    };
    let mut response = TokenResponse::new(BearerToken::new(kept.access_token));
    response.expires_in = Some(kept.expires_at.duration_since(exchange.now()));
    response.scope = Some(kept.scope);
    response.refresh_token = Some(RefreshToken::new(kept.refresh_token));
    Ok(response)
}
