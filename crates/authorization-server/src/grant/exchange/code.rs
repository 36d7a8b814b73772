//! `authorization_code`: a code becomes tokens (RFC 6749 section 4.1.3, RFC 7636 section 4.6).

use futures_util::future::BoxFuture;
use portcullis_oauth::token::{Grant, TokenRequest, TokenResponse};
use portcullis_store::StoreError;

use super::{Exchange, GrantHandler, TRIES, answer};
use crate::client::GrantType;
use crate::endpoint::failure::Failure;
use crate::event::EventKind;
use crate::grant::code::{Proof, Verdict, decide};
use crate::grant::record::{GrantRecord, Issued, Refreshing};
use crate::grant::refresh::OfferedToken;
use crate::grant::scope::may_refresh;
use crate::grant::{EndReason, GrantId};
use crate::identity::Holder;

/// `authorization_code`
pub(super) struct CodeGrant;

impl GrantHandler for CodeGrant {
    fn grant_type(&self) -> GrantType {
        GrantType::AUTHORIZATION_CODE
    }

    fn exchange<'a>(
        &'a self,
        exchange: &'a Exchange<'a>,
    ) -> BoxFuture<'a, Result<TokenResponse, Failure>> {
        Box::pin(redeem(exchange))
    }
}

async fn redeem(exchange: &Exchange<'_>) -> Result<TokenResponse, Failure> {
    let request = TokenRequest::from_form(exchange.form)?;
    let Grant::AuthorizationCode {
        code,
        redirect_uri,
        code_verifier,
    } = request.grant
    else {
        return Err(Failure::UNKNOWN_GRANT);
    };
    let ledger = &exchange.context.ledger;
    for _ in 0..TRIES {
        let Some((offered, read)) = ledger.look_up(&code).await? else {
            return Err(exchange.guessed("unknown_code"));
        };
        let proof = Proof {
            digest: &offered.digest,
            client: &exchange.client().id,
            redirect_uri: redirect_uri.as_deref(),
            verifier: &code_verifier,
        };
        let issued = match decide(&read.state, &proof, exchange.now()) {
            Verdict::Live(issued) => issued,
            Verdict::Unknown(reason) => return Err(exchange.guessed(reason)),
            Verdict::Refused(reason) => return Err(exchange.refused(reason)),
            Verdict::WrongProof { next } => {
                if ledger.recode(&read, next).await? {
                    return Err(exchange.guessed("wrong_verifier"));
                }
                continue;
            }
            Verdict::Replayed(grant) => return Err(replayed(exchange, grant).await?),
        };
        exchange.check_resource(&request.resource, &issued.resource)?;
        let Some(holder) = exchange.holder(&issued.owner, issued.login).await? else {
            return Err(exchange.refused("user_gone"));
        };
        let made = Made::of(exchange, issued, &holder)?;
        let scope = &made.grant.scope;
        let minted = exchange.context.mint(&made.grant, scope, Some(&holder));
        let minted = minted.await?;
        let clients = &exchange.context.clients;
        let in_use = clients.use_of(exchange.client, made.grant.ends_at).await?;
        let room = exchange.context.events.reserve()?;
        let (change, login) = ((&read, issued), holder.login.as_ref());
        let redeemed = ledger.redeem(change, &made.grant, login, in_use.as_ref());
        if !redeemed.await? {
            continue;
        }
        let event = made.grant.event(EventKind::GrantMade);
        room.note(event.from_address(exchange.address()).because("code"));
        note_reuse(exchange, issued, &made.grant);
        ledger.settle(&made.grant);
        let mut response = answer(minted, &made.grant.scope, exchange.now());
        response.refresh_token = made.refresh.map(|token| token.to_token());
        return Ok(response);
    }
    Err(Failure::Contended)
}

/// A grant in the making.
struct Made {
    grant: GrantRecord,
    refresh: Option<OfferedToken>,
}

impl Made {
    fn of(exchange: &Exchange<'_>, issued: &Issued, holder: &Holder) -> Result<Self, Failure> {
        let user = &holder.user;
        let catalogue = exchange.context.catalogue();
        let scope = catalogue.still(&issued.scope, Some(user));
        if scope.is_empty() && !issued.scope.is_empty() {
            return Err(exchange.refused("no_scope_left"));
        }
        let (ledger, now) = (&exchange.context.ledger, exchange.now());
        let lifetimes = ledger.lifetimes();
        let id = issued.login.map_or_else(|| ledger.fresh_id(), Ok)?;
        let access_until = holder.no_later(now.saturating_add(lifetimes.access));
        let may_refresh = issued.refresh && may_refresh(exchange.client());
        let refresh = if may_refresh && holder.lasts() {
            Some(ledger.fresh_token(id, 0)?)
        } else {
            None
        };
        let idle_until = now.saturating_add(lifetimes.refresh_idle);
        let (ends_at, expires_at) = match refresh {
            Some(_) => {
                let ends_at = now.saturating_add(lifetimes.refresh_absolute);
                (ends_at, ends_at.min(idle_until.max(access_until)))
            }
            None => (access_until, access_until),
        };
        let refreshing = refresh.as_ref().map(|token| Refreshing {
            generation: 0,
            current: token.digest,
            idle_until,
            previous: None,
        });
        Ok(Self {
            grant: GrantRecord {
                id,
                client: issued.client.clone(),
                is_configured: ledger.is_configured(&issued.client),
                is_proxied: issued.login.is_some(),
                is_minted: false,
                owner: Some(issued.owner.clone()),
                scope,
                resource: issued.resource.clone(),
                reach: user.scopes.clone(),
                granted_at: now,
                last_used: now,
                ends_at,
                expires_at,
                refresh: refreshing,
            },
            refresh,
        })
    }
}

/// The code was redeemed before, by the same client: two have it, so nobody shall have what came of
/// it.
async fn replayed(exchange: &Exchange<'_>, grant: GrantId) -> Result<Failure, StoreError> {
    let event = exchange.event(EventKind::CodeReplayed).of_grant(grant);
    exchange.context.events.note(event);
    // SECURITY: whoever redeemed it first may have been the thief (RFC 6749 section 4.1.2);
    // sec_cd_02_a_code_replay_kills_the_grant
    exchange
        .context
        .ledger
        .end(grant, EndReason::CodeReplayed)
        .await?;
    Ok(super::INVALID_GRANT.into())
}

/// Tells of a client whose proof is the same each time.
fn note_reuse(exchange: &Exchange<'_>, issued: &Issued, grant: &GrantRecord) {
    let context = exchange.context;
    let challenges = &context.ledger.challenges;
    // SECURITY: PKCE with a fixed verifier protects nothing, and its operator should know (RFC 9700
    // section 2.1.1); sec_pk_06_a_challenge_that_comes_back_is_an_event
    if challenges.is_reused(&issued.client, &issued.code_challenge) {
        let event = grant.event(EventKind::ChallengeReused);
        context.events.note(event.from_address(exchange.address()));
    }
}
