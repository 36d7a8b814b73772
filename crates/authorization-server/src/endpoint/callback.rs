//! `GET /oauth/callback`: a browser comes back from the identity provider (RFC 6749 section 4.1.2, RFC
//! 9207).
//!
//! What comes counts in the browser that was sent there, once, and only for what its user had
//! approved. Before that is proven, whatever is wrong is a page of ours and changes nothing; after it,
//! it is the client's to hear. Nothing of what the provider says is repeated to anybody.

use std::sync::Arc;

use axum::response::Response;
use portcullis_oauth::form::Form;
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{OAuthError, OAuthErrorCode, Subject};

use super::fault::{Fault, NOT_ALLOWED};
use super::login::{in_browser, open_session};
use super::path::ACCOUNT;
use super::target::ProvenTarget;
use super::visitor::{Visitor, with_cookies};
use crate::event::{Event, EventKind};
use crate::grant::Approval;
use crate::grant::scope::may_refresh;
use crate::interaction::{Asked, Interaction, InteractionError};
use crate::limits::Limit;
use crate::proxy::{ArriveError, Arrived, Broker, Transaction, UpstreamRecord};
use crate::upstream::UpstreamError;
use crate::users::User;

/// `GET /oauth/callback`
pub(super) async fn get(visitor: &Visitor<'_>) -> Result<Response, Fault> {
    let context = visitor.context;
    context
        .limits
        .allow(Limit::Authorize, visitor.request.address())?;
    let Some(broker) = context.identity.broker() else {
        return Err(ENDED);
    };
    let form = visitor.request.query()?;
    let state = form.required("state")?;
    let Some(transaction) = broker.transaction(state).await? else {
        return Err(ENDED);
    };
    // SECURITY: whoever approved and whoever comes back are the same browser, or an attacker approves
    // and sends a victim to the provider (MCP Security Best Practices, Confused Deputy Problem); what
    // another browser brings is left for the right one;
    // sec_cn_02_another_browser_does_not_come_back_for_the_first
    let interaction = visitor.departed(&transaction)?;
    // Before it is taken: whoever finds no room tries again with it.
    let _waiting = broker.waiting().map_err(Fault::Unavailable)?;
    // SECURITY: one who comes back is let in, whatever comes at the same time or after it (RFC 9700
    // section 4.7.1); sec_cn_08_a_state_is_taken_once
    if !broker.take(&transaction).await? {
        return Err(ENDED);
    }
    let back = Back {
        visitor,
        broker,
        interaction: &interaction,
        transaction: &transaction,
    };
    match interaction.asked() {
        Some(asked) => back.for_client(asked, &form).await,
        None => back.for_account(&form).await,
    }
}

/// A browser that came back.
struct Back<'a> {
    visitor: &'a Visitor<'a>,
    broker: &'a Arc<Broker>,
    interaction: &'a Interaction,
    transaction: &'a Transaction,
}

impl Back<'_> {
    async fn for_client(&self, asked: &Asked, form: &Form) -> Result<Response, Fault> {
        // SECURITY: a client that is gone meanwhile, or its redirect URI, gets nothing (RFC 9700
        // section 4.1); sec_ru_18_a_redirect_that_is_gone_is_not_followed_from_upstream
        let target = self.visitor.prove(asked).await?;
        match self.arrive(form).await {
            Ok(arrived) => self.approve(asked, target, arrived).await,
            Err(refused) => {
                self.note_failure(&refused);
                Err(refused.for_client(target))
            }
        }
    }

    async fn for_account(&self, form: &Form) -> Result<Response, Fault> {
        match self.arrive(form).await {
            Ok(arrived) => {
                let user = arrived.user.clone();
                // Nothing is done there in the user's name, so no token is kept.
                let (tokens, whose) = arrived.into_tokens();
                self.broker.give_back(tokens, Some(whose));
                let session = open_session(self.visitor, &user, Some(&user.name)).await?;
                let cookie = in_browser(self.visitor, &session);
                Ok(with_cookies(self.visitor.go(ACCOUNT), cookie))
            }
            Err(refused) => {
                self.note_failure(&refused);
                Err(refused.for_user())
            }
        }
    }

    /// Who it is, by the provider's word.
    async fn arrive(&self, form: &Form) -> Result<Arrived, Refused> {
        // SECURITY: an answer of another provider is not this one's (RFC 9207 section 2.4);
        // sec_px_02_an_answer_of_another_issuer_is_refused
        let issuer = form.one("iss").map_err(|_| Refused::UNREADABLE)?;
        let checked = self.broker.check_issuer(issuer).await;
        checked.map_err(|error| Refused::of_upstream(&error))?;
        if let Some(error) = form.one("error").map_err(|_| Refused::UNREADABLE)? {
            // SECURITY: a stranger can write this, so nothing of it is repeated (OWASP content
            // spoofing); sec_px_14_the_words_of_the_provider_go_nowhere
            return Err(Refused::of_upstream(&self.broker.brought(error)));
        }
        let code = form.one("code").map_err(|_| Refused::UNREADABLE)?;
        let code = code.filter(|code| !code.is_empty() && code.len() <= MOST_CODE);
        let code = AuthorizationCode::new(code.ok_or(Refused::UNREADABLE)?);
        let arrived = self.broker.arrive(&code, self.transaction).await;
        arrived.map_err(Refused::from)
    }

    /// A code for the client, for what was approved and can be granted to this user.
    async fn approve(
        &self,
        asked: &Asked,
        target: ProvenTarget,
        arrived: Arrived,
    ) -> Result<Response, Fault> {
        let user = arrived.user.clone();
        let record = arrived.kept_for(&asked.client_id);
        let answer = self.code_for(asked, target, (&user, &record)).await;
        if answer.is_err() {
            self.broker.revoke_later(record);
        }
        answer
    }

    async fn code_for(
        &self,
        asked: &Asked,
        target: ProvenTarget,
        (user, record): (&User, &UpstreamRecord),
    ) -> Result<Response, Fault> {
        let (visitor, context) = (self.visitor, self.visitor.context);
        let approved = &self.transaction.scope;
        // SECURITY: no more than was approved, and no more than the provider grants (RFC 6749 section
        // 3.3); sec_px_06_no_more_is_granted_than_upstream
        let scope = context.catalogue().still(approved, Some(user));
        if scope.is_empty() && !approved.is_empty() {
            self.note_failure(&Refused::NO_SCOPE);
            return Err(Fault::after_user(target, NO_SCOPE_LEFT));
        }
        let now = context.clock.now();
        let approval = Approval {
            interaction: *self.interaction.id().as_bytes(),
            session: *self.interaction.browser().as_bytes(),
            client: target.client().id.clone(),
            redirect_uri: target.redirect_uri().clone(),
            code_challenge: asked.code_challenge.clone(),
            scope,
            resource: asked.resource.clone(),
            subject: user.subject.clone(),
            generation: user.generation,
            authenticated_at: now,
            refresh: may_refresh(target.client()),
            address: visitor.request.address(),
        };
        let room = context.events.reserve()?;
        let code = context.ledger.approve(&approval, Some(record)).await?;
        room.note(approval.event(EventKind::LoggedIn));
        Ok(target.with_code(&context.settings.issuer, code))
    }

    fn note_failure(&self, refused: &Refused) {
        let event = Event::new(EventKind::LoginFailed).because(refused.word);
        let event = match &refused.who {
            Some(who) => event.of_user(who.as_str()),
            None => event,
        };
        let event = match self.interaction.asked() {
            Some(asked) => event.of_client(asked.client_id.as_str()),
            None => event,
        };
        let from = self.visitor.request.address();
        self.visitor.context.events.note(event.from_address(from));
    }
}

/// Why nobody came in.
#[derive(Debug)]
struct Refused {
    /// For events.
    word: &'static str,
    error: OAuthError,
    /// Who it is that may not come.
    who: Option<Subject>,
}

impl Refused {
    const UNREADABLE: Self = Self::failed("upstream_answer");
    const NO_SCOPE: Self = Self::failed("no_scope_left");

    const fn failed(word: &'static str) -> Self {
        Self {
            word,
            error: FAILED,
            who: None,
        }
    }

    const fn with(word: &'static str, error: OAuthError) -> Self {
        Self {
            word,
            error,
            who: None,
        }
    }

    fn of_upstream(error: &UpstreamError) -> Self {
        match error {
            UpstreamError::Denied => Self::with("upstream_denied", DENIED),
            UpstreamError::Unavailable(_) => Self::with("upstream_unavailable", UNAVAILABLE),
            UpstreamError::OurFault => Self::failed("upstream_refuses_us"),
            UpstreamError::Ended => Self::failed("upstream_code"),
            UpstreamError::Invalid(_) | UpstreamError::Nothing(_) | UpstreamError::Nobody(_) => {
                Self::failed("upstream_answer")
            }
        }
    }

    fn for_client(self, target: ProvenTarget) -> Fault {
        if self.who.is_some() {
            return Fault::not_allowed(target, self.error);
        }
        Fault::after_user(target, self.error)
    }

    fn for_user(self) -> Fault {
        if self.who.is_some() {
            return Fault::NotAllowed;
        }
        Fault::NotSignedIn
    }
}

impl From<ArriveError> for Refused {
    fn from(error: ArriveError) -> Self {
        match error {
            ArriveError::Upstream(error) => Self::of_upstream(&error),
            ArriveError::NotAllowed(who) => Self {
                who: Some(who),
                ..Self::with("not_allowed", NOT_ALLOWED)
            },
            ArriveError::Entropy(_) => Self::with("no_randomness", UNAVAILABLE),
        }
    }
}

/// The longest code of a provider, in bytes.
const MOST_CODE: usize = 8192;

/// There is nothing to come back to: it ended, or was never begun.
const ENDED: Fault = Fault::Interaction(InteractionError::Expired);

const DENIED: OAuthError = OAuthError::new(
    OAuthErrorCode::AccessDenied,
    "the user, or the identity provider, denied the request",
);
const UNAVAILABLE: OAuthError = OAuthError::new(
    OAuthErrorCode::TemporarilyUnavailable,
    "the identity provider does not answer",
);
const FAILED: OAuthError = OAuthError::new(
    OAuthErrorCode::ServerError,
    "the login at the identity provider failed",
);
const NO_SCOPE_LEFT: OAuthError = OAuthError::new(
    OAuthErrorCode::AccessDenied,
    "the identity provider granted none of these scopes",
);
