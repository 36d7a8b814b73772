//! What a client offers for tokens, and what it gets: one file a grant type.
//!
//! The grant types are an open set. Each has a handler in [`HANDLERS`]; a new one is a file here and
//! a line there, and metadata and the token endpoint know it.

mod client_credentials;
mod code;
mod mint;
mod refresh;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::form::Form;
use portcullis_oauth::token::TokenResponse;
use portcullis_oauth::{ResourceUrl, ScopeSet, Timestamp};
use portcullis_resource_server::ClientAddress;

use super::GrantId;
use super::record::Owner;
use crate::client::{AuthenticatedClient, Client, GrantType};
use crate::context::Context;
use crate::endpoint::failure::Failure;
use crate::endpoint::shell::BackRequest;
use crate::event::{Event, EventKind};
use crate::identity::Holder;

/// Every grant type that there is.
pub(crate) const HANDLERS: [&dyn GrantHandler; 3] = [
    &code::CodeGrant,
    &refresh::RefreshGrant,
    &client_credentials::ClientCredentialsGrant,
];

/// How often a change is tried again that others get in the way of. Each time somebody else made a
/// change, and of those there are few: a code is tried five times in vain and used once.
const TRIES: usize = 8;

/// What turns one kind of grant into tokens.
pub(crate) trait GrantHandler: Send + Sync {
    /// The word in `grant_type`.
    fn grant_type(&self) -> GrantType;

    /// Exchanges what the form offers. The client has proved who it is, and may use this grant type.
    fn exchange<'a>(
        &'a self,
        exchange: &'a Exchange<'a>,
    ) -> BoxFuture<'a, Result<TokenResponse, Failure>>;
}

/// A request for tokens.
pub(crate) struct Exchange<'a> {
    pub(crate) context: &'a Context,
    pub(crate) client: &'a AuthenticatedClient,
    pub(crate) form: &'a Form,
    /// As it came: what binds a token to a proof of the client's is in its headers.
    pub(crate) request: &'a BackRequest,
}

const INVALID_GRANT: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidGrant,
    "the grant is unknown, expired, used, or not this client's",
);
const OTHER_RESOURCE: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidTarget,
    "the grant is for another resource",
);

impl Exchange<'_> {
    fn client(&self) -> &Client {
        self.client.client()
    }

    fn address(&self) -> Option<ClientAddress> {
        self.request.address
    }

    fn now(&self) -> Timestamp {
        self.context.ledger.now()
    }

    fn event(&self, kind: EventKind) -> Event {
        Event::new(kind)
            .of_client(self.client().id.as_str())
            .from_address(self.address())
    }

    /// What was offered never came from us: somebody may be guessing. The answer is the same.
    fn guessed(&self, reason: &'static str) -> Failure {
        // SECURITY: nobody tries codes and tokens at any speed (RFC 6819 section 5.1.4.2.3);
        // sec_ca_08_guessing_at_the_token_endpoint_is_slow
        self.context.limits.count_refusal(self.address());
        self.refused(reason)
    }

    /// The one answer to whatever is wrong with what was offered. The reason is for the log alone.
    /// What was good once counts as no guess: a client that serves many comes with all that they
    /// lost, and shall be heard with what they have.
    fn refused(&self, reason: &'static str) -> Failure {
        let event = self.event(EventKind::CodeRefused).because(reason);
        self.context.events.note(event);
        INVALID_GRANT.into()
    }

    /// What was granted is for one resource, which is still served, and a request can ask for no
    /// other.
    fn check_resource(&self, requested: &[String], granted: &ResourceUrl) -> Result<(), Failure> {
        let granted_too = [granted.as_str().to_owned()];
        let requested = if requested.is_empty() {
            &granted_too
        } else {
            requested
        };
        // SECURITY: whoever got a grant for one server gets no token for another with it (RFC 8707
        // section 2.2); sec_cd_07_another_resource_gets_no_token_and_spends_no_code,
        // sec_cd_07_a_code_of_one_resource_is_none_of_another_of_ours
        if self.context.resources.judge(requested)? == *granted {
            Ok(())
        } else {
            Err(OTHER_RESOURCE.into())
        }
    }

    /// The user as of now, if the user may still log in and has not changed the password.
    async fn holder(
        &self,
        owner: &Owner,
        login: Option<GrantId>,
    ) -> Result<Option<Holder>, Failure> {
        let holder = self.context.identity.holder(owner, login).await?;
        // SECURITY: a user who was removed, or who has a new password because the old one was known
        // to others, has granted nothing (RFC 9700 section 4.14.2);
        // sec_rt_11_a_user_who_is_gone_or_has_another_password_ends_the_grant
        Ok(holder.filter(|holder| holder.user.generation == owner.generation))
    }
}

/// The answer with an access token.
fn answer(minted: mint::Minted, scope: &ScopeSet, now: Timestamp) -> TokenResponse {
    let mut response = TokenResponse::new(minted.token);
    response.expires_in = Some(minted.expires_at.duration_since(now));
    response.scope = Some(scope.to_string());
    response
}
