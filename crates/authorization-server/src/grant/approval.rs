//! What a user says on the consent page, and the code that comes of it.
//!
//! An interaction is decided once. Its code is a function of what was approved, under a key of the
//! store: where the answer got lost on its way, the same form sent again has the same answer.

use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{
    ClientId, CodeChallenge, RedirectUri, ResourceUrl, ScopeSet, Subject, Timestamp,
};
use portcullis_resource_server::ClientAddress;
use portcullis_store::StoreError;

use super::code;
use super::ledger::Ledger;
use super::record::{CodeRecord, CodeState, Issued, Owner};
use crate::event::{Event, EventKind, Unrecorded};
use crate::framed::FramedDigest;
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
    /// The user said yes: a code for the client. Whoever says the same again, because the answer got
    /// lost, gets the same code, as long as it waits for its client.
    ///
    /// # Errors
    /// [`ApproveError::Already`] for an interaction that was decided before, and when the approval
    /// cannot be written.
    pub(crate) async fn approve(
        &self,
        approval: &Approval,
    ) -> Result<AuthorizationCode, ApproveError> {
        let room = self.events.reserve()?;
        let (code, digest) =
            code::of_approval(&self.code_keys, approval.interaction, &approval.digest());
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
        };
        let decided = self.decide_once(approval, CodeState::Issued(Box::new(issued)));
        match decided.await {
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
        // sec_cn_11_the_same_approval_has_the_same_code_until_it_is_redeemed
        Ok(known.is_some_and(|known| match &known.state {
            CodeState::Issued(issued) => issued.digest.matches(code) && self.now() < issued.until,
            CodeState::Denied | CodeState::Burned | CodeState::Used(_) => false,
        }))
    }

    /// The user said no.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    pub(crate) async fn deny(&self, approval: &Approval) -> Result<(), ApproveError> {
        self.decide_once(approval, CodeState::Denied).await?;
        self.events.note(approval.event(EventKind::ConsentDenied));
        Ok(())
    }

    async fn decide_once(&self, approval: &Approval, state: CodeState) -> Result<(), ApproveError> {
        let lifetimes = self.lifetimes();
        let record = CodeRecord {
            interaction: approval.interaction,
            // An interaction can be decided as long as it lives, and is remembered for longer.
            expires_at: self
                .now()
                .saturating_add(lifetimes.interaction.max(lifetimes.code)),
            state,
        };
        // SECURITY: a decision is made once: whoever presses the other button afterwards finds the
        // place taken (RFC 9700 section 4.5); sec_cn_11_a_decision_is_made_once
        if self.records.insert_new(&record).await? {
            Ok(())
        } else {
            Err(ApproveError::Already)
        }
    }
}

impl Approval {
    /// What is the same for the same approval alone.
    fn digest(&self) -> [u8; 32] {
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
        digest.finish()
    }

    fn event(&self, kind: EventKind) -> Event {
        Event::new(kind)
            .of_user(self.subject.as_str())
            .of_client(self.client.as_str())
            .of_resource(self.resource.as_str())
            .from_address(self.address)
    }
}

#[cfg(test)]
mod tests;
