//! The keys of one issuer: fetched when they are needed, kept while they are good.
//!
//! # Rules
//!
//! * A set is good for the `max-age` that its server names, at least 60 seconds and at most
//!   [`Bounds::max_age`] (10 minutes unless set); without a `max-age` for that long too. So a key
//!   that its issuer withdraws is refused at most 10 minutes later.
//! * From three quarters of that time on a request starts a refresh and does not wait for it. After
//!   it, which takes a server without traffic, a request waits.
//! * An issuer out of reach costs nobody anything while the last set is younger than
//!   [`Bounds::max_stale`] (24 hours unless set): it serves on, and every 30 seconds a refresh is
//!   tried in the background. An error is never taken for an empty set.
//! * Without any set the answer is [`Unavailable`], never a rejection. A new attempt is made every
//!   5 seconds at most.
//! * A key that the set lacks is looked for by one more fetch, at most every 30 seconds, failed ones
//!   counted. The caller has judged the token's form, algorithm and issuer before.
//! * There is one fetch at a time, as a task of its own: all who need it wait for the same one, and
//!   it goes on when they give up. At most 256 wait, and whoever comes then is told at once to try
//!   again.

mod source;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_oauth::jose::jwk::Jwk;
use portcullis_oauth::jose::jwks::JwkSet;
use portcullis_oauth::{Monotonic, SharedClock};
use tokio::sync::watch;

use self::source::{Document, SourceError};
pub(crate) use self::source::{Fetchers, KeySource};
use crate::waiters::{MOST, Waiters};
use crate::{Unavailable, events};

/// The shortest time for which a set is good, whatever its server says.
const MIN_AGE: Duration = Duration::from_secs(60);
/// How often an unknown key makes us ask again, and how often a failed refresh is repeated.
const COOL_DOWN: Duration = Duration::from_secs(30);
/// How often a first set is asked for.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// How old a set may get.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// While its issuer can be reached.
    pub(crate) max_age: Duration,
    /// While it cannot.
    pub(crate) max_stale: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(10 * 60),
            max_stale: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl Bounds {
    /// The least [`max_age`](Self::max_age) that can be set.
    pub(crate) const MIN_AGE: Duration = MIN_AGE;

    fn good_for(&self, named: Option<Duration>) -> Duration {
        named.unwrap_or(self.max_age).min(self.max_age).max(MIN_AGE)
    }
}

/// One set, as it was fetched.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: JwkSet,
    /// Counts the fetches.
    serial: u64,
    /// Counts the sets that differ from the one before.
    generation: u64,
    fetched_at: Monotonic,
    good_for: Duration,
}

impl KeySet {
    pub(crate) fn keys(&self) -> &JwkSet {
        &self.keys
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    fn has_keys_of(&self, other: &JwkSet) -> bool {
        let same = |(a, b): (&_, &_)| same_key(a, b);
        self.keys.len() == other.len() && self.keys.keys().iter().zip(other.keys()).all(same)
    }
}

/// The set to use now.
pub(crate) struct Current {
    pub(crate) keys: Arc<KeySet>,
    /// Whether it was fetched for this request, so that asking again could bring nothing new.
    pub(crate) fetched_now: bool,
}

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct JwksCache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    source: KeySource,
    bounds: Bounds,
    clock: SharedClock,
    state: Mutex<State>,
    waiters: Waiters,
    /// Until when, in milliseconds of the monotonic clock, nothing has to be done.
    settled_until: AtomicU64,
    generation: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// The last attempt, if it failed.
    failure: Option<Failure>,
    /// When an unknown key last made us ask.
    asked_again: Option<Monotonic>,
    /// Open while a fetch is under way.
    flight: Option<Flight>,
}

#[derive(Debug, Clone)]
struct Failure {
    at: Monotonic,
    error: Arc<SourceError>,
}

/// Closed when the fetch has ended, whatever became of it.
type Flight = watch::Receiver<()>;

/// What a request does for its keys.
enum Plan {
    Use(Arc<KeySet>),
    Wait(Flight),
    /// There is nothing newer, and asking is not allowed yet.
    Nothing,
    Fail(Unavailable),
}

impl JwksCache {
    pub(crate) fn new(source: KeySource, bounds: Bounds, clock: SharedClock) -> Self {
        Self {
            inner: Arc::new(Inner {
                source,
                bounds,
                clock,
                state: Mutex::default(),
                waiters: Waiters::new(MOST),
                settled_until: AtomicU64::new(0),
                generation: AtomicU64::new(0),
            }),
        }
    }

    /// The set's generation, if the set is good and no refresh is due. Neither waits nor allocates.
    pub(crate) fn settled(&self) -> Option<u64> {
        let until = self.inner.settled_until.load(Ordering::Acquire);
        let now = millis(self.inner.clock.monotonic());
        (now < until).then(|| self.inner.generation.load(Ordering::Acquire))
    }

    /// The set to use now. Waits only where there is none that is good.
    pub(crate) async fn current(&self) -> Result<Current, Unavailable> {
        match self.inner.plan() {
            Plan::Use(keys) => Ok(Current {
                keys,
                fetched_now: false,
            }),
            Plan::Wait(flight) => {
                let _place = self.inner.waiters.enter()?;
                landed(flight).await;
                self.inner.after_flight()
            }
            Plan::Nothing => Err(self.inner.failure()),
            Plan::Fail(unavailable) => Err(unavailable),
        }
    }

    /// A set that is newer than `seen`, for a token whose key `seen` lacks. `None` when the issuer
    /// was asked just now.
    pub(crate) async fn newer_than(
        &self,
        seen: &KeySet,
    ) -> Result<Option<Arc<KeySet>>, Unavailable> {
        match self.inner.plan_again(seen) {
            Plan::Use(keys) => Ok(Some(keys)),
            Plan::Wait(flight) => {
                let _place = self.inner.waiters.enter()?;
                landed(flight).await;
                let state = self.inner.state();
                match (&state.keys, &state.failure) {
                    (Some(keys), _) if keys.serial != seen.serial => Ok(Some(Arc::clone(keys))),
                    (_, failure) => Err(unavailable(failure.as_ref())),
                }
            }
            Plan::Nothing => Ok(None),
            Plan::Fail(unavailable) => Err(unavailable),
        }
    }
}

impl Inner {
    fn plan(self: &Arc<Self>) -> Plan {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let Some(keys) = self.still_usable(&state, now) else {
            let too_early = state.failure.as_ref().filter(|failure| {
                now.saturating_since(failure.at) < FIRST_RETRY && !state.is_flying()
            });
            if let Some(failure) = too_early {
                return Plan::Fail(unavailable(Some(failure)));
            }
            return Plan::Wait(self.flight(&mut state));
        };
        if now < self.due(&state) {
            return Plan::Use(keys);
        }
        let is_good = now.saturating_since(keys.fetched_at) < keys.good_for;
        let flight = self.flight(&mut state);
        // An outage that is known already holds nobody up.
        if is_good || state.failure.is_some() {
            Plan::Use(keys)
        } else {
            Plan::Wait(flight)
        }
    }

    fn plan_again(self: &Arc<Self>, seen: &KeySet) -> Plan {
        let now = self.clock.monotonic();
        let mut state = self.state();
        if let Some(keys) = &state.keys
            && keys.serial != seen.serial
        {
            return Plan::Use(Arc::clone(keys));
        }
        if state.is_flying() {
            return Plan::Wait(self.flight(&mut state));
        }
        let recent = |at: Monotonic| now.saturating_since(at) < COOL_DOWN;
        // SECURITY: random key ids must not make us a source of load (CWE-400);
        // sec_key_01_random_key_ids_make_one_request
        if let Some(failure) = state.failure.as_ref().filter(|failure| recent(failure.at)) {
            return Plan::Fail(unavailable(Some(failure)));
        }
        if state.asked_again.is_some_and(recent) {
            return Plan::Nothing;
        }
        state.asked_again = Some(now);
        Plan::Wait(self.flight(&mut state))
    }

    /// The fetch that is under way, or a new one.
    fn flight(self: &Arc<Self>, state: &mut State) -> Flight {
        if let Some(flight) = &state.flight
            && state.is_flying()
        {
            return flight.clone();
        }
        let (running, flight) = watch::channel(());
        let inner = Arc::clone(self);
        tokio::spawn(async move {
            let outcome = inner.source.fetch().await;
            inner.land(outcome);
            drop(running);
        });
        state.flight = Some(flight.clone());
        flight
    }

    fn land(&self, outcome: Result<Document, SourceError>) {
        let now = self.clock.monotonic();
        let mut state = self.state();
        match outcome {
            Ok(document) => self.replace(&mut state, document, now),
            Err(error) => {
                let usable = self.still_usable(&state, now).is_some();
                events::key_set_unavailable(self.source.issuer().as_str(), &error, usable);
                let error = Arc::new(error);
                state.failure = Some(Failure { at: now, error });
            }
        }
        self.settled_until
            .store(millis(self.due(&state)), Ordering::Release);
    }

    fn replace(&self, state: &mut State, document: Document, now: Monotonic) {
        let issuer = self.source.issuer().as_str();
        let (serial, generation, is_new) = match &state.keys {
            None => (0, 0, true),
            Some(old) if old.has_keys_of(&document.keys) => (old.serial + 1, old.generation, false),
            Some(old) => (old.serial + 1, old.generation + 1, true),
        };
        let (count, skipped) = (document.keys.len(), document.keys.skipped().len());
        if is_new {
            events::key_set_changed(issuer, count, skipped, generation);
        }
        if is_new && count == 0 {
            events::key_set_empty(issuer, skipped);
        }
        if state.failure.take().is_some() {
            events::key_set_recovered(issuer);
        }
        state.keys = Some(Arc::new(KeySet {
            good_for: self.bounds.good_for(document.max_age),
            keys: document.keys,
            serial,
            generation,
            fetched_at: now,
        }));
        self.generation.store(generation, Ordering::Release);
    }

    /// When a refresh is due; the clock's start if there is no set.
    fn due(&self, state: &State) -> Monotonic {
        let Some(keys) = &state.keys else {
            return Monotonic::from_start(Duration::ZERO);
        };
        let dead = keys.fetched_at.saturating_add(self.bounds.max_stale);
        match &state.failure {
            Some(failure) => failure.at.saturating_add(COOL_DOWN).min(dead),
            None => keys.fetched_at.saturating_add(keys.good_for / 4 * 3),
        }
    }

    /// What there is once a fetch that was waited for has ended.
    fn after_flight(&self) -> Result<Current, Unavailable> {
        let state = self.state();
        let failure = state.failure.as_ref();
        let keys = self.still_usable(&state, self.clock.monotonic());
        Ok(Current {
            keys: keys.ok_or_else(|| unavailable(failure))?,
            // SECURITY: an old set says nothing of a new key, so an outage is no rejection (RFC 7517
            // section 5); sec_key_04_a_new_key_in_an_outage_is_unavailable_and_not_invalid
            fetched_now: failure.is_none(),
        })
    }

    fn still_usable(&self, state: &State, now: Monotonic) -> Option<Arc<KeySet>> {
        let keys = state.keys.as_ref()?;
        // SECURITY: an attacker who cuts us off from the issuer must not keep a withdrawn key alive
        // for ever (RFC 7517 section 5); sec_key_04_a_set_ends_after_the_longest_outage
        let usable = now.saturating_since(keys.fetched_at) < self.bounds.max_stale;
        usable.then(|| Arc::clone(keys))
    }

    fn failure(&self) -> Unavailable {
        unavailable(self.state().failure.as_ref())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_flying(&self) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.has_changed().is_ok())
    }
}

/// Waits until the fetch has ended.
async fn landed(mut flight: Flight) {
    // Nothing is ever sent: the sender's end is the news.
    while flight.changed().await.is_ok() {}
}

fn unavailable(failure: Option<&Failure>) -> Unavailable {
    let unavailable = Unavailable::new("the issuer's keys are out of reach");
    match failure {
        Some(failure) => unavailable.caused_by(Arc::clone(&failure.error)),
        None => unavailable,
    }
}

fn same_key(a: &Jwk, b: &Jwk) -> bool {
    a.kid() == b.kid() && a.algorithm() == b.algorithm() && a.thumbprint() == b.thumbprint()
}

fn millis(at: Monotonic) -> u64 {
    let since_start = at.saturating_since(Monotonic::from_start(Duration::ZERO));
    u64::try_from(since_start.as_millis()).unwrap_or(u64::MAX)
}
