//! The one place that writes grants and codes.
//!
//! What becomes of one is decided elsewhere, by functions without side effects; here it is written,
//! each time as one change that happens whole or not at all, and told.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{ClientId, SecretBytes, SharedClock, SharedEntropy, Timestamp};
use portcullis_store::{Batch, Committed, Records, StoreError, Stored};

use super::GrantId;
use super::bounds::Looks;
use super::challenges::Challenges;
use super::code::{self, OfferedCode};
use super::live::Live;
use super::record::{AnswerRecord, CodeRecord, CodeState, GrantRecord, Issued, Used};
use super::refresh::{Keys, OfferedToken};
use crate::client::Use;
use crate::event::{Event, EventKind, Events};
use crate::provider::Lifetimes;
use crate::proxy::{Broker, UpstreamRecord};

/// For how much longer than an access token a redeemed code is known: clocks differ.
const AFTER_ACCESS: std::time::Duration = std::time::Duration::from_secs(300);

/// Grants and codes.
pub(crate) struct Ledger {
    pub(super) records: Records,
    pub(super) events: Arc<Events>,
    pub(super) live: Live,
    pub(super) challenges: Challenges,
    pub(super) looks: Looks,
    lifetimes: Lifetimes,
    /// Where users come from, if not from here.
    pub(super) broker: Option<Arc<Broker>>,
    /// The clients of the configuration.
    configured: BTreeSet<ClientId>,
    /// Every request reads the store.
    pub(super) is_strict: bool,
    pub(super) code_keys: code::Keys,
    refresh_keys: Keys,
    clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

/// What a ledger is made of.
#[derive(Debug)]
pub(crate) struct LedgerParts {
    pub(crate) records: Records,
    pub(crate) events: Arc<Events>,
    pub(crate) lifetimes: Lifetimes,
    /// Where users come from, if not from here.
    pub(crate) broker: Option<Arc<Broker>>,
    /// The clients of the configuration.
    pub(crate) configured: BTreeSet<ClientId>,
    pub(crate) is_strict: bool,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

impl Ledger {
    pub(crate) fn new(parts: LedgerParts) -> Self {
        let key = |label| SecretBytes::new(parts.records.derive(label));
        Self {
            code_keys: code::Keys {
                secret: key("authorization code"),
                digest: key("authorization code digest"),
            },
            refresh_keys: Keys {
                tag: key("refresh token tag"),
                digest: key("refresh token digest"),
            },
            records: parts.records,
            events: parts.events,
            live: Live::new(),
            challenges: Challenges::new(),
            looks: Looks::default(),
            lifetimes: parts.lifetimes,
            broker: parts.broker,
            configured: parts.configured,
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

    /// The code as it was offered, and what is known under its interaction.
    pub(crate) async fn look_up(
        &self,
        code: &AuthorizationCode,
    ) -> Result<Option<(OfferedCode, Stored<CodeRecord>)>, StoreError> {
        let Some(offered) = OfferedCode::parse(&self.code_keys, code) else {
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

    /// Redeems a code for a grant, and notes that its client is in use, if nobody else changed either
    /// meanwhile.
    pub(crate) async fn redeem(
        &self,
        (read, issued): (&Stored<CodeRecord>, &Issued),
        grant: &GrantRecord,
        login: Option<&Stored<UpstreamRecord>>,
        used: Option<&Use>,
    ) -> Result<bool, StoreError> {
        let remembered = self.lifetimes.access + AFTER_ACCESS;
        let spent = CodeRecord {
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
        let batch = self.records.batch().swap(read, &spent).insert(grant);
        let batch = lasting_as(grant, batch, login);
        Ok(noted(batch, used).commit().await? == Committed::Yes)
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

    /// Whether a client is one of the configuration.
    pub(crate) fn is_configured(&self, client: &ClientId) -> bool {
        self.configured.contains(client)
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

    /// Replaces the refresh token of a grant, if nobody else did meanwhile, keeps the answer for
    /// whoever did not get it, and notes that its client is in use.
    pub(crate) async fn rotate(
        &self,
        (read, next): (&Stored<GrantRecord>, &GrantRecord),
        answer: &AnswerRecord,
        login: Option<&Stored<UpstreamRecord>>,
        used: Option<&Use>,
    ) -> Result<bool, StoreError> {
        // SECURITY: one of many who offer the same token at once replaces it, on every replica, and
        // the others find its answer (RFC 9700 section 4.14.2);
        // sec_rt_02_one_of_64_refreshes_replaces_the_token
        let batch = self.records.batch().swap(read, next).put(answer);
        let batch = lasting_as(next, batch, login);
        Ok(noted(batch, used).commit().await? == Committed::Yes)
    }

    /// The answer that was kept for a refresh token.
    pub(crate) async fn answer_to(
        &self,
        offered: &OfferedToken,
    ) -> Result<Option<AnswerRecord>, StoreError> {
        let kept = self.records.get(offered.digest.as_bytes()).await?;
        Ok(kept.map(Stored::into_inner))
    }
}

/// What an identity provider said of the user lasts as long as the grant, if nobody changed it
/// meanwhile.
fn lasting_as<'a>(
    grant: &GrantRecord,
    batch: Batch<'a>,
    login: Option<&Stored<UpstreamRecord>>,
) -> Batch<'a> {
    match login {
        Some(login) => batch.swap(login, &login.lasting_until(grant.expires_at)),
        None => batch,
    }
}

fn noted<'a>(batch: Batch<'a>, used: Option<&Use>) -> Batch<'a> {
    match used {
        Some(used) => used.with(batch),
        None => batch,
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
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
