//! What is known of one document, and what a request does with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portcullis_oauth::{ClientId, Monotonic};
use portcullis_resource_server::Unavailable;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use super::read::{Described, DocumentFault, Freshness};
use super::{Fetch, unavailable};
use crate::client::Client;

/// For how long an absent document is not asked for again.
const ABSENT_FOR: Duration = Duration::from_secs(60);
/// How often a document is asked for that cannot be fetched.
pub(super) const RETRY: Duration = Duration::from_secs(5);
/// The same while there is an older one to go on with.
const RETRY_STALE: Duration = Duration::from_secs(30);
/// The most requests that wait for one document.
const MOST_WAITING: usize = 16;
/// The same for the document of a well-known client.
const MOST_WAITING_KNOWN: usize = 256;

/// What is known of one document.
#[derive(Debug)]
pub(super) struct Entry {
    state: Mutex<State>,
    places: Arc<Semaphore>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    document: Option<Document>,
    absent_since: Option<Monotonic>,
    failed_at: Option<Monotonic>,
    /// The last fetch, open while it is under way.
    pub(super) flight: Option<Flight>,
}

#[derive(Debug)]
struct Document {
    client: Arc<Client>,
    fetched_at: Monotonic,
    freshness: Freshness,
}

/// A fetch, closed when it has ended, whatever became of it.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    running: watch::Receiver<()>,
    places: Arc<Semaphore>,
}

/// What a request does for its client.
pub(super) enum Plan {
    Use(Arc<Client>),
    Absent,
    Wait {
        flight: Flight,
        /// What is there to go on with.
        older: Option<Arc<Client>>,
    },
    Fail,
}

impl Flight {
    /// A place to wait in, if there is one.
    pub(super) fn place(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    /// Waits until the fetch has ended.
    pub(super) async fn landed(&self) {
        let mut running = self.running.clone();
        // Nothing is ever sent: the sender's end is the news.
        while running.changed().await.is_ok() {}
    }

    fn is_open(&self) -> bool {
        self.running.has_changed().is_ok()
    }
}

impl Entry {
    /// Nothing is known yet of the document of that kind of client.
    pub(super) fn new(is_known: bool) -> Self {
        let places = if is_known {
            MOST_WAITING_KNOWN
        } else {
            MOST_WAITING
        };
        Self {
            state: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
        }
    }

    /// A fetch that begins now. It has ended when the sender is gone.
    pub(super) fn flight(&self) -> (watch::Sender<()>, Flight) {
        let (sender, running) = watch::channel(());
        let places = Arc::clone(&self.places);
        (sender, Flight { running, places })
    }

    /// What a fetch brought.
    pub(super) fn land(
        &self,
        id: &ClientId,
        outcome: Result<Described, DocumentFault>,
        fetch: &Fetch,
    ) {
        let now = fetch.clock.monotonic();
        let mut state = self.state();
        match outcome {
            Ok(described) => {
                *state = State {
                    document: Some(Document {
                        client: Arc::new(described.client),
                        fetched_at: now,
                        freshness: described.freshness,
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
    pub(super) fn after_flight(&self, now: Monotonic) -> Result<Option<Arc<Client>>, Unavailable> {
        match self.state().settled(now) {
            Some(Plan::Use(client)) => Ok(Some(client)),
            Some(Plan::Absent) => Ok(None),
            _ => Err(unavailable()),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What can be said without a fetch.
    pub(super) fn settled(&self, now: Monotonic) -> Option<Plan> {
        let since = |at: Monotonic| now.saturating_since(at);
        let good = self
            .document
            .as_ref()
            // SECURITY: a redirect URI or a key that was taken back ends with the time that the
            // document is good for (RFC 9111 section 4.2); sec_ci_09_c8_a_change_counts_after_its_time
            .filter(|document| since(document.fetched_at) < document.freshness.good_for);
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
    pub(super) fn last_resort(&self, now: Monotonic) -> Option<Arc<Client>> {
        let document = self.document.as_ref()?;
        // SECURITY: who cuts us off from a host keeps nothing alive for ever, and what its server
        // wants to be asked for ends soon (RFC 9111 section 4.2.4);
        // sec_ci_07_an_old_document_ends_after_a_day,
        // sec_ci_07_what_must_be_revalidated_is_not_used_for_long
        let usable = now.saturating_since(document.fetched_at) < document.freshness.usable_for;
        usable.then(|| Arc::clone(&document.client))
    }
    /// Whether the next fetch begins, though the document is good: so nobody waits for it.
    pub(super) fn is_due(&self, now: Monotonic) -> bool {
        let since = |at: Monotonic| now.saturating_since(at);
        let Some(document) = &self.document else {
            return false;
        };
        since(document.fetched_at) >= document.freshness.good_for / 4 * 3
            && self.failed_at.is_none_or(|at| since(at) >= RETRY_STALE)
            && self.open_flight().is_none()
    }

    /// Whether there is nothing to go on with, and nobody has asked for it yet.
    pub(super) fn is_unknown(&self, now: Monotonic) -> bool {
        self.settled(now).is_none()
            && self.last_resort(now).is_none()
            && self.open_flight().is_none()
    }

    /// Whether the last fetch failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed_at.is_some()
    }

    /// The fetch that is under way.
    pub(super) fn open_flight(&self) -> Option<Flight> {
        self.flight.clone().filter(Flight::is_open)
    }
}
