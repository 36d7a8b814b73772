//! Client id metadata documents: clients whose id is the `https` URL at which they describe
//! themselves (draft-ietf-oauth-client-id-metadata-document, MCP authorization).
//!
//! # Rules
//!
//! * The URL is judged before anything is fetched. A fetch goes through the guard against server-side
//!   request forgery, follows no redirect, takes 5 seconds and a few KiB at most.
//! * A document is good for as long as its server says, between a minute and a day; an hour if it does
//!   not say. Then it is fetched again before it is used.
//! * While it cannot be fetched (no connection, 5xx), the last one serves on, for a day. One that is
//!   gone, redirects or is not valid any more ends at once.
//! * What is not there is not asked for again for a minute. No error is ever kept in the place of a
//!   document.
//! * There is one fetch of a document at a time, as a task of its own, and few of one host
//!   ([`hosts`]).

pub(super) mod hosts;
mod policy;
mod read;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_fetch::Fetcher;
use portcullis_oauth::{ClientId, EndpointUrl, Monotonic, SharedClock};
use portcullis_resource_server::Unavailable;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, watch};

use self::hosts::{Admission, Hosts};
pub use self::policy::DocumentPolicy;
use self::read::{Described, DocumentFault, Rules};
use super::Client;
use super::event::Journal;

/// The most documents that are kept.
const MOST_DOCUMENTS: usize = 1000;
/// The most requests that wait for documents.
const MOST_WAITING: usize = 256;
/// For how long an absent document is not asked for again.
const ABSENT_FOR: Duration = Duration::from_secs(60);
/// How often a document is asked for that cannot be fetched.
const RETRY: Duration = Duration::from_secs(5);
/// The same while there is an older one to go on with.
const RETRY_STALE: Duration = Duration::from_secs(30);
/// How old a document may get that cannot be fetched again.
const OLDEST: Duration = Duration::from_secs(24 * 60 * 60);

/// The documents of all clients.
#[derive(Debug)]
pub(super) struct Documents {
    policy: DocumentPolicy,
    fetch: Arc<Fetch>,
    entries: Cache<ClientId, Arc<Entry>>,
    hosts: Arc<Hosts>,
    waiting: Semaphore,
}

/// What a fetch needs.
#[derive(Debug)]
struct Fetch {
    fetcher: Fetcher,
    rules: Rules,
    schemes: Vec<String>,
    clock: SharedClock,
    journal: Journal,
}

/// What is known of one document.
#[derive(Debug, Default)]
struct Entry(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    document: Option<Document>,
    absent_since: Option<Monotonic>,
    failed_at: Option<Monotonic>,
    /// Open while a fetch is under way.
    flight: Option<Flight>,
}

#[derive(Debug)]
struct Document {
    client: Arc<Client>,
    fetched_at: Monotonic,
    good_for: Duration,
}

/// Closed when the fetch has ended, whatever became of it.
type Flight = watch::Receiver<()>;

/// What a request does for its client.
enum Plan {
    Use(Arc<Client>),
    Absent,
    Wait(Flight),
    Fail,
}

impl Documents {
    pub(super) fn new(
        policy: DocumentPolicy,
        (fetcher, schemes): (Fetcher, Vec<String>),
        (hosts, clock, journal): (Arc<Hosts>, SharedClock, Journal),
    ) -> Self {
        let rules = Rules {
            longest: policy.longest(),
            loopback: policy.allows_loopback(),
        };
        Self {
            policy,
            fetch: Arc::new(Fetch {
                fetcher,
                rules,
                schemes,
                clock,
                journal,
            }),
            entries: Cache::new(MOST_DOCUMENTS),
            hosts,
            waiting: Semaphore::new(MOST_WAITING),
        }
    }

    /// The URL of the document that an id names, if documents there are believed.
    pub(super) fn url(&self, id: &ClientId) -> Option<EndpointUrl> {
        self.policy.url(id)
    }

    /// Whether to find that client would take a request to its host.
    pub(super) fn would_fetch(&self, id: &ClientId) -> bool {
        let Some(entry) = self.entries.get(id) else {
            return self.url(id).is_some();
        };
        let now = self.fetch.clock.monotonic();
        entry.state().settled(now).is_none()
    }

    /// The client that is described at that URL; none if nothing is, or nothing that is valid.
    pub(super) async fn find(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Unavailable> {
        let Some(url) = self.url(id) else {
            return Ok(None);
        };
        let Some(entry) = self.entry(id, &url) else {
            self.fetch.journal.document_limited(id);
            return Err(unavailable());
        };
        match self.plan(&entry, id, url) {
            Plan::Use(client) => Ok(Some(client)),
            Plan::Absent => Ok(None),
            Plan::Fail => Err(unavailable()),
            Plan::Wait(flight) => {
                // SECURITY: hosts that hang do not hold all of the server's requests (CWE-400);
                // sec_ci_08_few_requests_wait_for_documents
                let _place = self.waiting.try_acquire().map_err(|_| unavailable())?;
                landed(flight).await;
                entry.after_flight(self.fetch.clock.monotonic())
            }
        }
    }

    /// What is known of a document. Something unknown that could not be fetched now takes no room.
    fn entry(&self, id: &ClientId, url: &EndpointUrl) -> Option<Arc<Entry>> {
        if let Some(entry) = self.entries.get(id) {
            return Some(entry);
        }
        if !self.hosts.has_room(url) {
            return None;
        }
        let made = || Ok::<_, Infallible>(Arc::default());
        self.entries.get_or_insert_with(id, made).ok()
    }

    fn plan(&self, entry: &Arc<Entry>, id: &ClientId, url: EndpointUrl) -> Plan {
        let now = self.fetch.clock.monotonic();
        let mut state = entry.state();
        if let Some(plan) = state.settled(now) {
            return plan;
        }
        if let Some(flight) = state.flight.clone().filter(is_open) {
            return Plan::Wait(flight);
        }
        let Some(admission) = self.hosts.admit(&url) else {
            self.fetch.journal.document_limited(id);
            return state.last_resort(now).map_or(Plan::Fail, Plan::Use);
        };
        let flight = self.start(entry, (id.clone(), url), admission);
        state.flight = Some(flight.clone());
        Plan::Wait(flight)
    }

    fn start(
        &self,
        entry: &Arc<Entry>,
        (id, url): (ClientId, EndpointUrl),
        admission: Admission,
    ) -> Flight {
        let (running, flight) = watch::channel(());
        let (entry, fetch) = (Arc::clone(entry), Arc::clone(&self.fetch));
        tokio::spawn(async move {
            let rules = (fetch.rules, fetch.schemes.as_slice());
            let work = read::fetch(&fetch.fetcher, (&id, &url), rules);
            let outcome = admission.run(work).await;
            entry.land(&id, outcome, &fetch);
            drop(running);
        });
        flight
    }
}

impl Entry {
    fn land(&self, id: &ClientId, outcome: Result<Described, DocumentFault>, fetch: &Fetch) {
        let now = fetch.clock.monotonic();
        let mut state = self.state();
        match outcome {
            Ok(described) => {
                *state = State {
                    document: Some(Document {
                        client: Arc::new(described.client),
                        fetched_at: now,
                        good_for: described.good_for,
                    }),
                    ..State::default()
                }
            }
            // SECURITY: an error never stands for a document, nor does it end one
            // (draft-ietf-oauth-client-id-metadata-document section 4.4);
            // sec_ci_07_an_outage_is_no_document_and_ends_none
            Err(DocumentFault::Unavailable(error)) => {
                state.failed_at = Some(now);
                let goes_on = state.last_resort(now).is_some();
                fetch.journal.document_unavailable(id, &error, goes_on);
            }
            Err(fault) => {
                fetch.journal.document_refused(id, fault.reason());
                // SECURITY: what its owner has taken back ends at once
                // (draft-ietf-oauth-client-id-metadata-document section 4.4);
                // sec_ci_09_a_document_that_is_gone_ends_its_client
                *state = State {
                    absent_since: Some(now),
                    ..State::default()
                };
            }
        }
    }

    /// What there is once a fetch that was waited for has ended.
    fn after_flight(&self, now: Monotonic) -> Result<Option<Arc<Client>>, Unavailable> {
        match self.state().settled(now) {
            Some(Plan::Use(client)) => Ok(Some(client)),
            Some(Plan::Absent) => Ok(None),
            _ => Err(unavailable()),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What can be said without a fetch.
    fn settled(&self, now: Monotonic) -> Option<Plan> {
        let since = |at: Monotonic| now.saturating_since(at);
        let good = self
            .document
            .as_ref()
            // SECURITY: a redirect URI or a key that was taken back ends with the time that the
            // document is good for (RFC 9111 section 4.2); sec_ci_09_c8_a_change_counts_after_its_time
            .filter(|document| since(document.fetched_at) < document.good_for);
        if let Some(document) = good {
            return Some(Plan::Use(Arc::clone(&document.client)));
        }
        if self.absent_since.is_some_and(|at| since(at) < ABSENT_FOR) {
            return Some(Plan::Absent);
        }
        let last_resort = self.last_resort(now);
        let pause = if last_resort.is_some() {
            RETRY_STALE
        } else {
            RETRY
        };
        let paused = self.failed_at.is_some_and(|at| since(at) < pause);
        paused.then(|| last_resort.map_or(Plan::Fail, Plan::Use))
    }

    /// An older document, while there is no way to a newer one.
    fn last_resort(&self, now: Monotonic) -> Option<Arc<Client>> {
        let document = self.document.as_ref()?;
        // SECURITY: who cuts us off from a host keeps nothing alive for ever (RFC 9111 section 4.2.4);
        // sec_ci_07_an_old_document_ends_after_a_day
        let usable = now.saturating_since(document.fetched_at) < OLDEST;
        usable.then(|| Arc::clone(&document.client))
    }
}

fn is_open(flight: &Flight) -> bool {
    flight.has_changed().is_ok()
}

/// Waits until the fetch has ended.
async fn landed(mut flight: Flight) {
    // Nothing is ever sent: the sender's end is the news.
    while flight.changed().await.is_ok() {}
}

fn unavailable() -> Unavailable {
    Unavailable::new("the client's metadata document is out of reach").retry_after(RETRY)
}
