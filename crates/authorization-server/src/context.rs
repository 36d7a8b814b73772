//! What every endpoint works with, while the server runs.

use std::sync::Arc;

use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::{BearerToken, ClientId, ResourceUrl, SharedClock, SharedEntropy};
use portcullis_resource_server::{
    AccessToken, ClientAddress, DownstreamApi, GrantStatus as _, JwtVerifier, TokenVerifier as _,
    Unavailable, UpstreamToken, UpstreamTokenError, VerifyContext, VerifyError,
};
use portcullis_store::Records;

use crate::client::Clients;
use crate::csrf::Csrf;
use crate::event::Events;
use crate::grant::scope::Catalogue;
use crate::grant::{EndReason, GrantId, Ledger};
use crate::identity::Identity;
use crate::keyring::Keyring;
use crate::limits::{Limits, Standing, TooMany};
use crate::provider::Settings;
use crate::proxy::SwapError;
use crate::resources::Resources;
use crate::session::Sessions;
use crate::ui::Pages;
use crate::ui::cookie::CookieNames;
use crate::users::Accounts;

/// What every endpoint works with. It is there once the server has started.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Arc<Settings>,
    pub(crate) resources: Arc<Resources>,
    pub(crate) events: Arc<Events>,
    pub(crate) records: Records,
    pub(crate) keyring: Keyring,
    /// Takes the tokens of this server alone.
    pub(crate) verifier: JwtVerifier,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) clients: Clients,
    /// Whose users there are.
    pub(crate) identity: Identity,
    /// The built-in users, where there are no others.
    pub(crate) accounts: Option<Accounts>,
    pub(crate) sessions: Sessions,
    pub(crate) limits: Limits,
    pub(crate) pages: Arc<Pages>,
    pub(crate) cookies: CookieNames,
    /// The key of forms.
    pub(crate) csrf: Csrf,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

/// The context, as it is handed around.
pub(crate) type Shared = Arc<Context>;

impl Context {
    /// What there is to grant, as of now: another server may have been mounted since.
    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        self.resources.catalogue()
    }
}

impl Context {
    /// Whether clients get tokens of an identity provider in the place of ours.
    pub(crate) fn passes_through(&self) -> bool {
        let broker = self.identity.broker();
        broker.is_some_and(|broker| broker.passes_through())
    }

    /// A token for a resource, of those that clients get here.
    ///
    /// # Errors
    /// [`VerifyError`]
    pub(crate) async fn verify(
        &self,
        token: &BearerToken,
        cx: &VerifyContext<'_>,
    ) -> Result<AccessToken, VerifyError> {
        match self.identity.broker() {
            Some(broker) if broker.passes_through() => {
                broker.verify(&self.settings.issuer, token, cx).await
            }
            _ => self.verifier.verify(token, cx).await,
        }
    }

    /// How whoever asks for a client stands with the host that has its document. Counted where that
    /// host has to be asked.
    ///
    /// # Errors
    /// [`TooMany`] for whoever makes us ask too often.
    pub(crate) fn standing(
        &self,
        client: &ClientId,
        from: Option<ClientAddress>,
    ) -> Result<Standing, TooMany> {
        match self.clients.host_to_ask(client) {
            Some(host) => self.limits.allow_document(&host, from),
            None => Ok(Standing::Again),
        }
    }

    /// A token of ours for a resource; nothing if it is none.
    pub(crate) async fn verified(
        &self,
        token: &BearerToken,
        resource: &ResourceUrl,
    ) -> Result<Option<AccessToken>, Unavailable> {
        let cx = VerifyContext::new(resource);
        match self.verifier.verify(token, &cx).await {
            Ok(verified) => Ok(Some(verified)),
            Err(VerifyError::Unavailable(unavailable)) => Err(unavailable),
            Err(_) => Ok(None),
        }
    }

    /// Whether the grant behind a token stands.
    pub(crate) async fn stands(&self, token: &AccessToken) -> Result<bool, Unavailable> {
        match self.ledger.known(token) {
            Some(known) => Ok(known),
            None => self.ledger.ask(token).await,
        }
    }

    /// What the identity provider gave for the user of a token, if its grant stands.
    pub(crate) async fn upstream_token(
        &self,
        token: &AccessToken,
    ) -> Result<UpstreamToken, UpstreamTokenError> {
        let broker = self.identity.broker().ok_or(UpstreamTokenError::Absent)?;
        let id = GrantId::of_token(token).ok_or(UpstreamTokenError::Absent)?;
        // SECURITY: a token is shown for one that was verified a moment ago, and its grant may have ended
        // since (RFC 7009 section 2.1); sec_px_18_a_grant_that_ended_has_no_tokens_upstream
        if !self.stands(token).await? {
            return Err(UpstreamTokenError::Ended);
        }
        match broker.token(id).await {
            Ok(token) => Ok(token),
            Err(SwapError::Gone) => Err(UpstreamTokenError::Absent),
            Err(SwapError::Ended) => {
                let ended = self.ledger.end(id, EndReason::UpstreamEnded).await;
                ended.map_err(|error| Unavailable::new("the store fails").caused_by(error))?;
                Err(UpstreamTokenError::Ended)
            }
            Err(SwapError::Unavailable(outage)) => Err(outage.into_unavailable().into()),
        }
    }

    /// A token of another API, which the provider gives for that one.
    pub(crate) async fn on_behalf_of(
        &self,
        token: &AccessToken,
        api: &DownstreamApi,
    ) -> Result<UpstreamToken, UpstreamTokenError> {
        let broker = self.identity.broker().ok_or(UpstreamTokenError::Absent)?;
        let id = GrantId::of_token(token).ok_or(UpstreamTokenError::Absent)?;
        // SECURITY: also what is kept is shown as long as the grant stands, and no longer (RFC 7009 section
        // 2.1); sec_px_18_a_token_of_another_api_ends_with_the_grant
        let own = self.upstream_token(token).await?;
        broker.on_behalf_of(id, own, api).await
    }

    /// The grant behind an access token of ours, for whatever resource.
    pub(crate) async fn grant_of(&self, token: &str) -> Result<Option<GrantId>, Unavailable> {
        if let Some(broker) = self.identity.broker()
            && broker.passes_through()
        {
            let kept = broker.handed(token).await;
            let unread = |error| Unavailable::new("the store fails").caused_by(error);
            return Ok(kept.map_err(unread)?.and_then(|kept| kept.grant()));
        }
        let Ok(token) = BearerToken::parse(token) else {
            return Ok(None);
        };
        // It may be one that is not there now: its grant is, and ends all the same.
        let Some(resource) = audience_of(&token) else {
            return Ok(None);
        };
        let verified = self.verified(&token, &resource).await?;
        Ok(verified.and_then(|verified| GrantId::of_token(&verified)))
    }

    /// For which of our resources a token says that it is: it is checked there and nowhere else, so
    /// that it costs one signature however many there are.
    pub(crate) fn resource_of(&self, token: &BearerToken) -> Option<ResourceUrl> {
        let audience = audience_of(token)?;
        let mut all = self.resources.list().into_iter();
        all.find(|resource| resource.as_str() == audience.as_str())
    }
}

/// For which resource a token says that it is. Nothing is checked yet.
fn audience_of(token: &BearerToken) -> Option<ResourceUrl> {
    let token = CompactJws::parse(token.expose()).ok()?;
    ResourceUrl::parse(&token.unverified_audience()?).ok()
}
