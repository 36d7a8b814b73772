//! The provider's tokens behind ours: kept, exchanged for new ones by one at a time, and given back.
//!
//! Many may find at once that a token has ended, in many processes. One of them exchanges it: in a
//! process by a lock for each grant, among processes by a lease in the record, taken by
//! compare-and-swap. A refresh token that the provider replaces is written before anybody gets what
//! came with it; one whose exchange has no answer is kept and tried again. What was begun is brought to
//! its end, whoever waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use portcullis_oauth::Timestamp;
use portcullis_resource_server::Unavailable;
use portcullis_store::{StoreError, Stored};

use super::broker::Broker;
use super::record::{Lease, UpstreamRecord};
use crate::endpoint::outage::{Outage, unavailable};
use crate::family;
use crate::grant::GrantId;
use crate::upstream::{Evidence, TokenSet, UpstreamError};

/// How long before its end a token is exchanged: whoever gets it shall be able to use it.
const AHEAD: Duration = Duration::from_secs(60);
/// For how much longer than an answer may take a lease holds.
const LEASE: Duration = Duration::from_secs(30);
/// How long to wait for others before looking again.
const PAUSE: Duration = Duration::from_millis(50);
/// How often to look again.
const LOOKS: usize = 600;
/// How often to write again where the store fails.
const WRITES: u32 = 20;

/// Grants whose tokens are exchanged in this process.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<HashMap<GrantId, Weak<tokio::sync::Mutex<()>>>>);

impl Flights {
    /// The lock of a grant.
    fn of(&self, id: GrantId) -> Arc<tokio::sync::Mutex<()>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = flights.get(&id).and_then(Weak::upgrade) {
            return lock;
        }
        flights.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(tokio::sync::Mutex::new(()));
        flights.insert(id, Arc::downgrade(&lock));
        lock
    }
}

/// Why there are no tokens of the provider's.
#[derive(Debug)]
pub(crate) enum SwapError {
    /// There are none: the grant has ended, or never had any.
    Gone,
    /// The provider does not stand by them any more.
    Ended,
    /// Something does not answer.
    Unavailable(Outage),
}

unavailable!(SwapError: StoreError, Unavailable);

/// What is done about a record.
enum Step {
    /// Nothing: it will do.
    Good(Box<Stored<UpstreamRecord>>),
    /// Somebody else is at it.
    Wait,
    /// It was changed meanwhile.
    Again,
}

impl Broker {
    /// Sees to it that the provider still stands by a grant: by an exchange of its tokens where they
    /// end before the next access token of ours would, or by asking about the user. No: it does not.
    ///
    /// # Errors
    /// [`Outage`] when that cannot be said now; nothing has changed then.
    pub(crate) async fn confirm(self: &Arc<Self>, id: GrantId) -> Result<bool, Outage> {
        let until = self.clock.now().saturating_add(self.settings.access);
        match self.renewed(id, until, true).await {
            Ok(_) => Ok(true),
            Err(SwapError::Gone | SwapError::Ended) => Ok(false),
            Err(SwapError::Unavailable(outage)) => Err(outage),
        }
    }

    /// The tokens of a grant, good for another minute.
    ///
    /// # Errors
    /// [`SwapError`]
    pub(crate) async fn tokens(
        self: &Arc<Self>,
        id: GrantId,
    ) -> Result<Stored<UpstreamRecord>, SwapError> {
        let until = self.clock.now().saturating_add(AHEAD);
        let found = self.read(id).await?;
        if found.is_good_until(until) {
            return Ok(found);
        }
        self.renewed(id, until, false).await
    }

    /// Gives back what a grant had, some time soon, where it was the user's last: what is given back
    /// takes all else along that the provider gave for the same user, as at Google.
    pub(crate) fn revoke_later(self: &Arc<Self>, record: UpstreamRecord) {
        let broker = Arc::clone(self);
        tokio::spawn(async move {
            let family = family::of_user(record.subject.as_str());
            let left = broker.records.count_family::<UpstreamRecord>(&family).await;
            if matches!(left, Ok(0)) {
                broker.client.revoke(&record.tokens).await;
            }
        });
    }

    async fn read(&self, id: GrantId) -> Result<Stored<UpstreamRecord>, SwapError> {
        let found = self.find(id).await?.ok_or(SwapError::Gone)?;
        // SECURITY: tokens of one provider are not sent to another (RFC 9700 section 4.4);
        // sec_px_09_what_began_under_another_provider_ends
        if found.provider != self.client.fingerprint() {
            return Err(SwapError::Gone);
        }
        Ok(found)
    }

    /// Runs to its end also where nobody waits for it any more: a refresh token that was exchanged and
    /// not written would be lost.
    async fn renewed(
        self: &Arc<Self>,
        id: GrantId,
        until: Timestamp,
        confirms: bool,
    ) -> Result<Stored<UpstreamRecord>, SwapError> {
        let broker = Arc::clone(self);
        let renewing = tokio::spawn(async move { broker.renew(id, until, confirms).await });
        renewing
            .await
            .unwrap_or_else(|_| Err(SwapError::Unavailable(Outage::new("the exchange panicked"))))
    }

    async fn renew(
        &self,
        id: GrantId,
        until: Timestamp,
        confirms: bool,
    ) -> Result<Stored<UpstreamRecord>, SwapError> {
        let begun = self.clock.now();
        // SECURITY: one exchange for many who need it: a provider that replaces refresh tokens takes
        // the second for a thief (RFC 9700 section 4.14.2); sec_px_12_one_exchange_for_many
        let flight = self.flights.of(id);
        let _alone = flight.lock().await;
        for _ in 0..LOOKS {
            let found = self.read(id).await?;
            let is_fresh = found.confirmed_at >= begun;
            let is_enough = match found.tokens.refresh_token {
                Some(_) => is_fresh || found.is_good_until(until),
                // What cannot be exchanged is asked about.
                None => is_fresh || !confirms,
            };
            match self.step(found, is_enough, confirms).await? {
                Step::Good(record) => return Ok(*record),
                Step::Again => {}
                Step::Wait => tokio::time::sleep(PAUSE).await,
            }
        }
        Err(SwapError::Unavailable(Outage::new(
            "others exchange the tokens without end",
        )))
    }

    async fn step(
        &self,
        found: Stored<UpstreamRecord>,
        is_enough: bool,
        confirms: bool,
    ) -> Result<Step, SwapError> {
        let now = self.clock.now();
        if is_enough {
            // One that was had just now is the best there is, whatever is said of its end.
            let is_good = found.tokens.refresh_token.is_some() || found.is_good_until(now);
            return if is_good {
                Ok(Step::Good(Box::new(found)))
            } else {
                Err(SwapError::Ended)
            };
        }
        if found.lease.is_some_and(|lease| now < lease.until) {
            return Ok(Step::Wait);
        }
        let mut holder = [0; 8];
        self.entropy
            .fill(&mut holder)
            .map_err(|error| SwapError::Unavailable(error.into()))?;
        let lease = Lease {
            holder: u64::from_be_bytes(holder),
            until: now.saturating_add(LEASE),
        };
        let leased = UpstreamRecord {
            lease: Some(lease),
            ..UpstreamRecord::clone(&found)
        };
        if !self.records.compare_and_swap(&found, &leased).await? {
            return Ok(Step::Again);
        }
        let told = self.ask_provider(&leased, confirms).await;
        self.write(found.id, lease, &told).await?;
        match told.fault {
            None => Ok(Step::Again),
            Some(UpstreamError::Ended | UpstreamError::Denied) => Err(SwapError::Ended),
            Some(UpstreamError::Unavailable(unavailable)) => Err(unavailable.into()),
            Some(error) => Err(SwapError::Unavailable(Outage::new(error))),
        }
    }

    /// New tokens, where there is something to exchange for them, and where our own refresh depends on
    /// it what is said of the user now.
    async fn ask_provider(&self, record: &UpstreamRecord, confirms: bool) -> Told {
        let mut told = Told::default();
        if record.tokens.refresh_token.is_some() {
            match self.client.refresh(&record.tokens, &record.subject).await {
                Ok(login) => {
                    told.evidence.extend(login.evidence);
                    told.tokens = Some(login.tokens);
                }
                Err(error) => {
                    told.fault = Some(error);
                    return told;
                }
            }
        }
        if confirms {
            let tokens = told.tokens.as_ref().unwrap_or(&record.tokens);
            match self.client.recheck(tokens, &record.subject).await {
                Ok(evidence) => told.evidence.extend(evidence),
                // Tokens that were had are kept all the same.
                Err(error) => told.fault = Some(error),
            }
        }
        told
    }

    /// Writes what came of it. A refresh token that was exchanged is nowhere else, so a store that
    /// fails is tried for as long as the lease holds.
    async fn write(&self, id: GrantId, lease: Lease, told: &Told) -> Result<(), SwapError> {
        let mut tries = 0;
        loop {
            match self.settle(id, lease, told).await {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) if tries >= WRITES => return Err(error.into()),
                Err(_) => {
                    tries += 1;
                    tokio::time::sleep(PAUSE * tries).await;
                }
            }
        }
    }

    /// Writes it and gives the lease back, if nobody changed the record meanwhile.
    async fn settle(&self, id: GrantId, lease: Lease, told: &Told) -> Result<bool, StoreError> {
        // Where it is gone, or another has the lease, there is nothing to write.
        let Some(read) = self
            .find(id)
            .await?
            .filter(|read| read.lease == Some(lease))
        else {
            return Ok(true);
        };
        let mut next = UpstreamRecord {
            lease: None,
            ..UpstreamRecord::clone(&read)
        };
        if let Some(tokens) = &told.tokens {
            next.tokens = tokens.clone();
        }
        if told.fault.is_none() {
            next.confirmed_at = self.clock.now();
        }
        for evidence in &told.evidence {
            next.evidence.renew(evidence);
        }
        self.records.compare_and_swap(&read, &next).await
    }
}

/// What the provider told.
#[derive(Default)]
struct Told {
    tokens: Option<TokenSet>,
    evidence: Vec<Evidence>,
    fault: Option<UpstreamError>,
}
