//! The provider's tokens behind ours: kept, exchanged for new ones by one at a time, and given back.
//!
//! Many may find at once that a token has ended, in many processes. One of them exchanges it: in a
//! process by a lock for each grant, among processes by a lease in the record, taken by
//! compare-and-swap. A refresh token that the provider replaces is written before anybody gets what
//! came with it; one whose exchange has no answer is kept and tried again. What was begun is brought to
//! its end, whoever waits for it.

mod flight;
mod lease;

use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::Timestamp;
use portcullis_resource_server::{Unavailable, UpstreamToken};
use portcullis_store::{StoreError, Stored};

use self::flight::Failed;
pub(super) use self::flight::Flights;
use super::broker::Broker;
use super::record::UpstreamRecord;
use crate::endpoint::outage::{Outage, unavailable};
use crate::grant::GrantId;
use crate::upstream::{Evidence, TokenSet, UpstreamError};

/// How long before its end a token is exchanged: whoever gets it shall be able to use it.
const AHEAD: Duration = Duration::from_secs(60);
/// How long to wait for others before looking again.
const PAUSE: Duration = Duration::from_millis(50);
/// How often to write again where the store fails.
const WRITES: u32 = 20;

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

impl SwapError {
    /// What those are told who waited for it.
    const fn shared(&self) -> Option<Failed> {
        match self {
            Self::Gone => None,
            Self::Ended => Some(Failed::Ended),
            Self::Unavailable(_) => Some(Failed::Unavailable),
        }
    }
}

impl From<Failed> for SwapError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Ended => Self::Ended,
            Failed::Unavailable => Self::Unavailable(Outage::new(
                "the identity provider did not answer a moment ago",
            )),
        }
    }
}

/// What is done about a record.
enum Step {
    /// Nothing: it will do.
    Good(Box<Stored<UpstreamRecord>>),
    /// Somebody else is at it.
    Wait,
    /// It was changed meanwhile.
    Again,
}

/// What somebody needs of a grant.
#[derive(Clone, Copy)]
struct Need {
    /// When it was asked for.
    begun: Timestamp,
    /// Whether the provider has to say, after that, that it stands by it.
    confirms: bool,
    /// What became of it while this one waited.
    failed: Option<Failed>,
}

impl Need {
    /// Whether the tokens have to be exchanged.
    fn exchange(self, found: &UpstreamRecord) -> bool {
        // SECURITY: where it is asked, the provider is asked, however long its tokens are said to live
        // (RFC 9700 section 4.14); sec_px_17_a_token_without_an_end_is_exchanged_all_the_same
        let is_due = self.confirms || !found.is_good_until(self.begun.saturating_add(AHEAD));
        is_due && found.tokens.refresh_token.is_some() && found.tokens.obtained_at < self.begun
    }

    /// Whether the provider has to be asked about the user.
    fn word(self, found: &UpstreamRecord) -> bool {
        self.confirms && found.confirmed_at < self.begun
    }
}

impl Broker {
    /// Sees to it that the provider still stands by a grant: by an exchange of its tokens, where they
    /// can be exchanged, and by asking about the user, where it can be asked. No: it does not.
    ///
    /// # Errors
    /// [`Outage`] when that cannot be said now; nothing has changed then.
    pub(crate) async fn confirm(self: &Arc<Self>, id: GrantId) -> Result<bool, Outage> {
        match self.renewed(id, true).await {
            Ok(_) => Ok(true),
            Err(SwapError::Gone | SwapError::Ended) => Ok(false),
            Err(SwapError::Unavailable(outage)) => Err(outage),
        }
    }

    /// The provider's access token for a grant that stands, good for another minute.
    ///
    /// # Errors
    /// [`SwapError`]
    pub(crate) async fn token(self: &Arc<Self>, id: GrantId) -> Result<UpstreamToken, SwapError> {
        let until = self.clock.now().saturating_add(AHEAD);
        // Asked before it is read: what changes meanwhile makes it unknown again.
        let since = self.held.moment(id, self.records.foreign_changes());
        if let Some(token) = self.held.get(id, since, until) {
            return Ok(token);
        }
        let found = self.read(id).await?;
        if !found.is_good_until(until) {
            return Ok(self.renewed(id, false).await?.token());
        }
        let token = found.token();
        self.held.keep(id, token.clone(), since);
        Ok(token)
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
        confirms: bool,
    ) -> Result<Stored<UpstreamRecord>, SwapError> {
        let broker = Arc::clone(self);
        let waiting = self.waiting().map_err(SwapError::Unavailable)?;
        let renewing = tokio::spawn(async move {
            let _waiting = waiting;
            broker.renew(id, confirms).await
        });
        renewing
            .await
            .unwrap_or_else(|_| Err(SwapError::Unavailable(Outage::new("the exchange panicked"))))
    }

    async fn renew(
        self: &Arc<Self>,
        id: GrantId,
        confirms: bool,
    ) -> Result<Stored<UpstreamRecord>, SwapError> {
        let begun = self.clock.now();
        // SECURITY: one exchange for many who need it: a provider that replaces refresh tokens takes
        // the second for a thief (RFC 9700 section 4.14.2); sec_px_12_one_exchange_for_many
        let flight = self.flights.of(id);
        // SECURITY: of what a provider that hangs may hold up, one grant gets a part (CWE-400);
        // sec_ds_09_one_grant_does_not_wait_for_a_thousand
        if flight.is_full() {
            let full = Unavailable::new("too many requests wait for the tokens of one grant");
            return Err(SwapError::Unavailable(full.into()));
        }
        let mut turn = flight.turn().await;
        let need = Need {
            begun,
            confirms,
            failed: turn.shared(),
        };
        let outcome = self.settled(id, need).await;
        let failed = outcome.as_ref().err().and_then(SwapError::shared);
        if let (Some(how), None) = (failed, need.failed) {
            turn.fail(how);
        }
        outcome
    }

    async fn settled(
        self: &Arc<Self>,
        id: GrantId,
        need: Need,
    ) -> Result<Stored<UpstreamRecord>, SwapError> {
        let mut waits = self.longest_lease().as_millis() / PAUSE.as_millis();
        loop {
            match self.step(self.read(id).await?, need).await? {
                Step::Good(record) => return Ok(*record),
                Step::Again => {}
                Step::Wait => tokio::time::sleep(PAUSE).await,
            }
            // Whoever only writes is not waited for without end either.
            waits = waits.checked_sub(1).ok_or_else(|| {
                SwapError::Unavailable(Outage::new("others exchange the tokens without end"))
            })?;
        }
    }

    async fn step(
        self: &Arc<Self>,
        found: Stored<UpstreamRecord>,
        need: Need,
    ) -> Result<Step, SwapError> {
        let now = self.clock.now();
        if need.exchange(&found) {
            if found.lease.is_some_and(|lease| lease.holds(now)) {
                return Ok(Step::Wait);
            }
            return match need.failed {
                Some(failed) => Err(failed.into()),
                None => self.exchange(&found).await,
            };
        }
        // One that was had just now is the best there is, whatever is said of its end.
        if found.tokens.refresh_token.is_none() && !found.is_good_until(now) {
            return Err(SwapError::Ended);
        }
        if need.word(&found) {
            return match need.failed {
                Some(failed) => Err(failed.into()),
                None => self.ask_again(&found).await,
            };
        }
        Ok(Step::Good(Box::new(found)))
    }

    /// Exchanges the tokens, as the only one.
    async fn exchange(self: &Arc<Self>, found: &Stored<UpstreamRecord>) -> Result<Step, SwapError> {
        let Some(holder) = self.take_lease(found).await? else {
            return Ok(Step::Again);
        };
        let exchanged = async {
            let mut told = Told::default();
            match self.client.refresh(&found.tokens, &found.subject).await {
                Ok(login) => {
                    told.evidence = login.evidence;
                    told.tokens = Some(login.tokens);
                    told.fault = login.doubt;
                }
                Err(error) => told.fault = Some(error),
            }
            // Before anything else is asked: it is nowhere else yet.
            self.write(found, Some(holder), &told).await?;
            told.outcome()
        };
        self.holding((found.id, holder), exchanged).await
    }

    /// What the provider says of the user now.
    async fn ask_again(
        self: &Arc<Self>,
        found: &Stored<UpstreamRecord>,
    ) -> Result<Step, SwapError> {
        let mut told = Told::default();
        match self.client.recheck(&found.tokens, &found.evidence).await {
            Ok(evidence) => {
                told.evidence = evidence;
                told.is_confirmed = true;
            }
            Err(error) => told.fault = Some(error),
        }
        if told.is_confirmed {
            self.write(found, None, &told).await?;
        }
        told.outcome()
    }

    /// Writes what came of it. A refresh token that was exchanged is nowhere else, so a store that
    /// fails is tried for a while.
    async fn write(
        self: &Arc<Self>,
        found: &UpstreamRecord,
        holder: Option<u64>,
        told: &Told,
    ) -> Result<(), SwapError> {
        let mut tries = 0;
        loop {
            match self.settle(found, holder, told).await {
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
    async fn settle(
        self: &Arc<Self>,
        found: &UpstreamRecord,
        holder: Option<u64>,
        told: &Told,
    ) -> Result<bool, StoreError> {
        let Some(read) = self.find(found.id).await? else {
            // The grant has ended meanwhile, and what it had was given back before there was this.
            if let Some(tokens) = &told.tokens {
                self.give_back(tokens.clone(), Some(found.subject.clone()));
            }
            return Ok(true);
        };
        let mut next = UpstreamRecord::clone(&read);
        if let Some(holder) = holder {
            next.release(holder);
        }
        // What another has had since is newer.
        let newer = told.tokens.as_ref();
        if let Some(tokens) = newer.filter(|new| new.obtained_at >= read.tokens.obtained_at) {
            next.tokens = tokens.clone();
        }
        if let Some(evidence) = &told.evidence {
            next.evidence.renew(evidence);
        }
        if told.is_confirmed {
            next.confirmed_at = self.clock.now();
        }
        let swapped = self.records.compare_and_swap(&read, &next).await;
        // Also where nobody knows whether it was written.
        self.held.changed(found.id);
        swapped
    }
}

/// What the provider told.
#[derive(Default)]
struct Told {
    tokens: Option<TokenSet>,
    evidence: Option<Evidence>,
    /// Whether it was asked about the user, and stands by it.
    is_confirmed: bool,
    fault: Option<UpstreamError>,
}

impl Told {
    fn outcome(self) -> Result<Step, SwapError> {
        match self.fault {
            None => Ok(Step::Again),
            Some(UpstreamError::Ended | UpstreamError::Denied) => Err(SwapError::Ended),
            Some(UpstreamError::Unavailable(unavailable)) => Err(unavailable.into()),
            Some(error) => Err(SwapError::Unavailable(Outage::new(error))),
        }
    }
}
