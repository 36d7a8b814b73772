//! The one place that writes grants and codes.
//!
//! What becomes of one is decided elsewhere, by functions without side effects; here it is written,
//! each time as one change that happens whole or not at all, and told.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{
    ClientId, CodeChallenge, RedirectUri, ResourceUrl, ScopeSet, SecretBytes, SharedClock,
    SharedEntropy, Subject, Timestamp,
};
use portcullis_resource_server::{AccessToken, ClientAddress, GrantStatus, Unavailable};
use portcullis_store::{Committed, Family, Records, StoreError, Stored};

use super::code::{self, OfferedCode};
use super::live::Live;
use super::record::{
    AnswerRecord, CodeRecord, CodeState, GrantRecord, Issued, Owner, Used, family_of_both,
    family_of_client, family_of_user,
};
use super::refresh::{Keys, OfferedToken};
use super::{Connection, EndReason, GrantId};
use crate::event::{Event, EventKind, Events, Unrecorded};
use crate::provider::Lifetimes;

/// The most grants that a user can have given to one client; the oldest ends with the next one.
const MOST_ALIKE: usize = 50;
/// How many rows are read at a time.
const PAGE: usize = 100;
/// The most connections of one user that are shown.
const MOST_SHOWN: usize = 1000;
/// For how much longer than an access token a redeemed code is known: clocks differ.
const AFTER_ACCESS: std::time::Duration = std::time::Duration::from_secs(300);

/// Grants and codes.
pub(crate) struct Ledger {
    records: Records,
    events: Arc<Events>,
    live: Live,
    lifetimes: Lifetimes,
    /// Every request reads the store.
    is_strict: bool,
    code_key: SecretBytes,
    refresh_keys: Keys,
    clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

/// What a user approves, or not.
#[derive(Debug, Clone)]
pub(crate) struct Approval {
    /// 128 random bits, the same for each time that the same form is sent.
    pub(crate) interaction: [u8; 16],
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

/// What a ledger is made of.
#[derive(Debug)]
pub(crate) struct LedgerParts {
    pub(crate) records: Records,
    pub(crate) events: Arc<Events>,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) is_strict: bool,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

impl Ledger {
    pub(crate) fn new(parts: LedgerParts) -> Self {
        let key = |label| SecretBytes::new(parts.records.derive(label));
        Self {
            code_key: key("authorization code digest"),
            refresh_keys: Keys {
                tag: key("refresh token tag"),
                digest: key("refresh token digest"),
            },
            records: parts.records,
            events: parts.events,
            live: Live::new(),
            lifetimes: parts.lifetimes,
            is_strict: parts.is_strict,
            clock: parts.clock,
            entropy: parts.entropy,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn lifetimes(&self) -> &Lifetimes {
        &self.lifetimes
    }

    /// The user said yes: a code for the client.
    ///
    /// # Errors
    /// [`ApproveError::Already`] for an interaction that was decided before, and when the approval
    /// cannot be written.
    pub(crate) async fn approve(
        &self,
        approval: &Approval,
    ) -> Result<AuthorizationCode, ApproveError> {
        let room = self.events.reserve()?;
        let (code, digest) = code::generate(&self.code_key, approval.interaction, &*self.entropy)
            .map_err(StoreError::from)?;
        let until = self.now().saturating_add(self.lifetimes.code);
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
        self.decide_once(approval, CodeState::Issued(Box::new(issued)))
            .await?;
        room.note(approval.event(EventKind::ConsentApproved));
        Ok(code)
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
        let lifetimes = &self.lifetimes;
        let record = CodeRecord {
            interaction: approval.interaction,
            // An interaction can be decided as long as it lives, and is remembered for longer.
            expires_at: self
                .now()
                .saturating_add(lifetimes.interaction.max(lifetimes.code)),
            state,
        };
        // SECURITY: a decision is made once: whoever sends the form again, or after the other
        // button, finds the place taken (RFC 9700 section 4.5); sec_cn_11_a_decision_is_made_once
        if self.records.insert_new(&record).await? {
            Ok(())
        } else {
            Err(ApproveError::Already)
        }
    }

    /// The code as it was offered, and what is known under its interaction.
    pub(crate) async fn look_up(
        &self,
        code: &AuthorizationCode,
    ) -> Result<Option<(OfferedCode, Stored<CodeRecord>)>, StoreError> {
        let Some(offered) = OfferedCode::parse(&self.code_key, code) else {
            return Ok(None);
        };
        let read = self.records.get(&offered.interaction).await?;
        Ok(read.map(|read| (offered, read)))
    }

    /// Changes what is known of a code, if nobody else did meanwhile.
    pub(crate) async fn recode(
        &self,
        read: &Stored<CodeRecord>,
        state: CodeState,
    ) -> Result<bool, StoreError> {
        let next = CodeRecord {
            state,
            ..CodeRecord::clone(read)
        };
        self.records.compare_and_swap(read, &next).await
    }

    /// Redeems a code for a grant, if nobody else did meanwhile.
    pub(crate) async fn redeem(
        &self,
        read: &Stored<CodeRecord>,
        issued: &Issued,
        grant: &GrantRecord,
    ) -> Result<bool, StoreError> {
        let remembered = self.lifetimes.access + AFTER_ACCESS;
        let used = CodeRecord {
            interaction: read.interaction,
            // SECURITY: a replay is recognised for as long as what came of the code can be used
            // without a refresh (RFC 6749 section 4.1.2); sec_cd_04_a_used_code_outlives_its_token
            expires_at: read.expires_at.max(self.now().saturating_add(remembered)),
            state: CodeState::Used(Used {
                digest: issued.digest,
                client: issued.client.clone(),
                grant: grant.id,
            }),
        };
        // SECURITY: the code is spent and the grant made in one change, so that of many who offer
        // the code at once one gets tokens, on every replica (RFC 6749 section 4.1.2);
        // sec_cd_01_one_of_64_redemptions_wins
        let batch = self.records.batch().swap(read, &used).insert(grant);
        Ok(batch.commit().await? == Committed::Yes)
    }

    /// Writes a grant that comes of no code.
    pub(crate) async fn open(&self, grant: &GrantRecord) -> Result<bool, StoreError> {
        self.records.insert_new(grant).await
    }

    /// A grant.
    pub(crate) async fn find(
        &self,
        id: GrantId,
    ) -> Result<Option<Stored<GrantRecord>>, StoreError> {
        self.records.get(id.as_bytes()).await
    }

    /// A fresh id for a grant.
    pub(crate) fn fresh_id(&self) -> Result<GrantId, StoreError> {
        Ok(GrantId::generate(&*self.entropy)?)
    }

    /// A fresh refresh token.
    pub(crate) fn fresh_token(
        &self,
        grant: GrantId,
        generation: u32,
    ) -> Result<OfferedToken, StoreError> {
        let token = OfferedToken::generate(&self.refresh_keys, grant, generation, &*self.entropy);
        Ok(token?)
    }

    /// Reads a refresh token; nothing if it is none of ours.
    pub(crate) fn read_token(&self, token: &str) -> Option<OfferedToken> {
        OfferedToken::parse(&self.refresh_keys, token)
    }

    /// Replaces the refresh token of a grant, if nobody else did meanwhile, and keeps the answer for
    /// whoever did not get it.
    pub(crate) async fn rotate(
        &self,
        read: &Stored<GrantRecord>,
        next: &GrantRecord,
        answer: &AnswerRecord,
    ) -> Result<bool, StoreError> {
        // SECURITY: one of many who offer the same token at once replaces it, on every replica, and
        // the others find its answer (RFC 9700 section 4.14.2);
        // sec_rt_02_one_of_64_refreshes_replaces_the_token
        let batch = self.records.batch().swap(read, next).put(answer);
        Ok(batch.commit().await? == Committed::Yes)
    }

    /// The answer that was kept for a refresh token.
    pub(crate) async fn answer_to(
        &self,
        offered: &OfferedToken,
    ) -> Result<Option<AnswerRecord>, StoreError> {
        let kept = self.records.get(offered.digest.as_bytes()).await?;
        Ok(kept.map(Stored::into_inner))
    }

    /// Ends a grant and with it all of its tokens. Whether there was one.
    pub(crate) async fn end(&self, id: GrantId, why: EndReason) -> Result<bool, StoreError> {
        let Some(grant) = self.find(id).await? else {
            return Ok(false);
        };
        self.records.delete::<GrantRecord>(id.as_bytes()).await?;
        // SECURITY: from here on nothing in memory says that the grant stands (RFC 7009 section
        // 2.1); sec_rv_02_a_revoked_token_dies_at_once
        self.live.ended(id);
        self.events
            .note(grant.event(EventKind::GrantEnded).because(why.word()));
        Ok(true)
    }

    /// Ends the grants of a client, with whatever else belongs to it.
    pub(crate) async fn end_of_client(&self, client: &ClientId) -> Result<(), StoreError> {
        self.records
            .delete_family(&family_of_client(client))
            .await?;
        self.live.some_ended();
        let event = Event::new(EventKind::GrantEnded).of_client(client.as_str());
        self.events
            .note(event.because(EndReason::ClientGone.word()));
        Ok(())
    }

    /// Ends the grants of a user, with whatever else belongs to the user.
    pub(crate) async fn end_of_user(&self, subject: &Subject) -> Result<(), StoreError> {
        self.records.delete_family(&family_of_user(subject)).await?;
        self.user_ended(subject);
        Ok(())
    }

    /// Somebody else ended the grants of a user, in this process.
    pub(crate) fn user_ended(&self, subject: &Subject) {
        self.live.some_ended();
        let event = Event::new(EventKind::GrantEnded).of_user(subject.as_str());
        self.events.note(event.because(EndReason::UserGone.word()));
    }

    /// Ends the oldest grants of a user to a client, where there are too many.
    pub(crate) async fn bound(&self, grant: &GrantRecord) -> Result<(), StoreError> {
        let Some(owner) = &grant.owner else {
            return Ok(());
        };
        let family = family_of_both(&owner.subject, &grant.client);
        let mut alike = self.of_family(&family, MOST_ALIKE + PAGE).await?;
        // SECURITY: a client that asks again and again fills no disk, and the newest grants are the
        // ones in use (CWE-770); sec_cd_12_the_oldest_of_too_many_grants_ends
        alike.sort_by_key(|one| std::cmp::Reverse((one.granted_at, one.last_used)));
        for one in alike
            .into_iter()
            .filter(|one| one.id != grant.id)
            .skip(MOST_ALIKE - 1)
        {
            self.end(one.id, EndReason::TooMany).await?;
        }
        Ok(())
    }

    /// What a user granted, the latest first.
    pub(crate) async fn connections(
        &self,
        subject: &Subject,
    ) -> Result<Vec<Connection>, StoreError> {
        let mut grants = self.of_family(&family_of_user(subject), MOST_SHOWN).await?;
        grants.sort_by_key(|grant| std::cmp::Reverse((grant.granted_at, grant.last_used)));
        Ok(grants.into_iter().map(Connection::from).collect())
    }

    /// What the user of a token can be granted, as it was when the grant was last used; nothing where
    /// that has no bound, or is not at hand.
    pub(crate) fn reach(&self, token: &AccessToken) -> Option<ScopeSet> {
        self.live.reach(GrantId::of_token(token)?)
    }

    /// Grants, at most so many.
    async fn of_family(
        &self,
        family: &Family,
        most: usize,
    ) -> Result<Vec<GrantRecord>, StoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        while found.len() < most {
            let page = self.records.list_family(family, after, PAGE).await?;
            found.extend(page.items);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(found)
    }
}

/// An access token is worth something while its grant stands.
impl GrantStatus for Ledger {
    fn known(&self, token: &AccessToken) -> Option<bool> {
        let Some(id) = GrantId::of_token(token) else {
            // SECURITY: a token that names no grant is none of ours, whoever signed it;
            // sec_jwt_37_a_signing_key_alone_makes_nobody
            return Some(false);
        };
        if self.is_strict {
            return None;
        }
        let foreign = self.records.foreign_changes();
        let stands = self.live.stands(id, token, foreign, self.now());
        stands.then_some(true)
    }

    fn ask<'a>(&'a self, token: &'a AccessToken) -> BoxFuture<'a, Result<bool, Unavailable>> {
        Box::pin(async move {
            let Some(id) = GrantId::of_token(token) else {
                return Ok(false);
            };
            let since = self.live.moment(id, self.records.foreign_changes());
            let found = self.find(id).await.map_err(|error| {
                Unavailable::new("the store of grants cannot be read").caused_by(error)
            })?;
            Ok(found.is_some_and(|grant| self.live.keep(&grant, token, since)))
        })
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

impl Approval {
    fn event(&self, kind: EventKind) -> Event {
        Event::new(kind)
            .of_user(self.subject.as_str())
            .of_client(self.client.as_str())
            .of_resource(self.resource.as_str())
            .from_address(self.address)
    }
}

impl GrantRecord {
    /// Something that happened to it.
    pub(crate) fn event(&self, kind: EventKind) -> Event {
        let event = Event::new(kind)
            .of_client(self.client.as_str())
            .of_resource(self.resource.as_str())
            .of_grant(self.id);
        match &self.owner {
            Some(owner) => event.of_user(owner.subject.as_str()),
            None => event,
        }
    }
}

#[cfg(test)]
mod tests;
