//! What a user says on the consent page, and the code that comes of it.
//!
//! An interaction is decided once. Its code is a function of what was approved, under a key of the
//! store: where the answer got lost on its way, the same form sent again has the same answer.

use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{
    ClientId, CodeChallenge, RedirectUri, ResourceUrl, ScopeSet, Subject, Timestamp,
};
use portcullis_resource_server::ClientAddress;
use portcullis_store::{Committed, StoreError};

use super::GrantId;
use super::code;
use super::ledger::Ledger;
use super::record::{CodeRecord, CodeState, Issued, Owner};
use crate::event::{Event, EventKind, Unrecorded};
use crate::framed::FramedDigest;
use crate::proxy::UpstreamRecord;
use crate::serial::Digest;

/// What a user approves, or not.
#[derive(Debug, Clone)]
pub(crate) struct Approval {
    /// 128 random bits, the same for each time that the same form is sent.
    pub(crate) interaction: [u8; 16],
    /// The [session](crate::session::Session::id) of the user's browser.
    pub(crate) session: [u8; 32],
    pub(crate) client: ClientId,
    pub(crate) redirect_uri: RedirectUri,
    pub(crate) code_challenge: CodeChallenge,
    pub(crate) scope: ScopeSet,
    pub(crate) resource: ResourceUrl,
    pub(crate) subject: Subject,
    /// [`User::generation`](crate::User), as the session has it.
    pub(crate) generation: u64,
    pub(crate) authenticated_at: Timestamp,
    /// Whether the client may have a refresh token.
    pub(crate) refresh: bool,
    pub(crate) address: Option<ClientAddress>,
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApproveError {
    /// It was decided before.
    #[error("this was decided before")]
    Already,
    /// It cannot be accounted for.
    #[error(transparent)]
    Unrecorded(#[from] Unrecorded),
    /// It cannot be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Ledger {
    /// The user said yes: a code for the client, and with it what an identity provider said of the
    /// user, if one did. Whoever says the same again, because the answer got lost, gets the same code,
    /// as long as it waits for its client.
    ///
    /// # Errors
    /// [`ApproveError::Already`] for an interaction that was decided before, and when the approval
    /// cannot be written.
    pub(crate) async fn approve(
        &self,
        approval: &Approval,
        login: Option<&UpstreamRecord>,
    ) -> Result<AuthorizationCode, ApproveError> {
        let room = self.events.reserve()?;
        let login_id = login.map(|login| login.id);
        let (code, digest) = code::of_approval(
            &self.code_keys,
            approval.interaction,
            &approval.digest(login_id),
        );
        let until = self.now().saturating_add(self.lifetimes().code);
        let issued = Issued {
            digest,
            until,
            wrong: 0,
            client: approval.client.clone(),
            redirect_uri: approval.redirect_uri.as_str().to_owned(),
            code_challenge: approval.code_challenge.clone(),
            scope: approval.scope.clone(),
            resource: approval.resource.clone(),
            owner: Owner {
                subject: approval.subject.clone(),
                generation: approval.generation,
                authenticated_at: approval.authenticated_at,
            },
            refresh: approval.refresh,
            login: login_id,
        };
        let issued = CodeState::Issued(Box::new(issued));
        match self.decide_once(approval.interaction, issued, login).await {
            Err(ApproveError::Already) if self.waits(approval.interaction, &digest).await? => {}
            decided => decided?,
        }
        // Also when it was approved before: that may not have been told.
        room.note(approval.event(EventKind::ConsentApproved));
        Ok(code)
    }

    /// Whether just this code was given before, and is still to be redeemed.
    async fn waits(&self, interaction: [u8; 16], code: &Digest) -> Result<bool, StoreError> {
        let known = self.records.get::<CodeRecord>(&interaction).await?;
        // SECURITY: one approval is one code: another session, another question or another answer has
        // another digest, and what was denied, burned or redeemed has none (RFC 9700 section 4.5);
        // sec_cn_11_the_same_approval_has_the_same_code_until_it_is_redeemed,
        // sec_cn_11_a_decision_is_made_once
        Ok(known.is_some_and(|known| match &known.state {
            CodeState::Issued(issued) => issued.digest.matches(code) && self.now() < issued.until,
            CodeState::Denied | CodeState::Burned | CodeState::Used(_) => false,
        }))
    }

    /// The user said no, of which this tells.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    pub(crate) async fn deny(
        &self,
        interaction: [u8; 16],
        denied: Event,
    ) -> Result<(), ApproveError> {
        self.decide_once(interaction, CodeState::Denied, None)
            .await?;
        self.events.note(denied);
        Ok(())
    }

    /// Whether something was decided.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(crate) async fn is_decided(&self, interaction: &[u8; 16]) -> Result<bool, StoreError> {
        Ok(self.records.get::<CodeRecord>(interaction).await?.is_some())
    }

    async fn decide_once(
        &self,
        interaction: [u8; 16],
        state: CodeState,
        login: Option<&UpstreamRecord>,
    ) -> Result<(), ApproveError> {
        let lifetimes = self.lifetimes();
        let record = CodeRecord {
            interaction,
            // An interaction can be decided as long as it lives, and is remembered for longer.
            expires_at: self
                .now()
                .saturating_add(lifetimes.interaction.max(lifetimes.code)),
            state,
        };
        // SECURITY: a decision is made once: whoever presses the other button afterwards finds the
        // place taken (RFC 9700 section 4.5); sec_cn_11_a_decision_is_made_once
        let batch = self.records.batch().insert(&record);
        let batch = match login {
            Some(login) => batch.insert(login),
            None => batch,
        };
        if batch.commit().await? == Committed::Yes {
            Ok(())
        } else {
            Err(ApproveError::Already)
        }
    }
}

impl Approval {
    /// What is the same for the same approval alone.
    fn digest(&self, login: Option<GrantId>) -> [u8; 32] {
        let mut digest = FramedDigest::new();
        digest.text("portcullis approval 1");
        digest.bytes(&self.session);
        digest.text(self.client.as_str());
        digest.text(self.redirect_uri.as_str());
        digest.text(self.code_challenge.as_str());
        digest.text(&self.scope.to_string());
        digest.text(self.resource.as_str());
        digest.text(self.subject.as_str());
        digest.bytes(&self.generation.to_be_bytes());
        digest.bytes(&self.authenticated_at.as_secs().to_be_bytes());
        digest.bytes(&[u8::from(self.refresh)]);
        digest.bytes(login.as_ref().map_or(&[][..], |id| id.as_bytes()));
        digest.finish()
    }

    pub(crate) fn event(&self, kind: EventKind) -> Event {
        Event::new(kind)
            .of_user(self.subject.as_str())
            .of_client(self.client.as_str())
            .of_resource(self.resource.as_str())
            .from_address(self.address)
    }
}

#[cfg(test)]
mod tests;
