//! Client id metadata documents: clients whose id is the `https` URL at which they describe
//! themselves (draft-ietf-oauth-client-id-metadata-document, MCP authorization).
//!
//! # Rules
//!
//! * The URL is judged before anything is fetched. A fetch goes through the guard against server-side
//!   request forgery, follows no redirect, takes 5 seconds and a few KiB at most.
//! * A document is good for as long as its server says, between a minute and a day; an hour if it does
//!   not say. From three quarters of that time on a request starts the next fetch and does not wait for
//!   it. After it, which takes a client without users, requests wait.
//! * An older document serves on where a newer one cannot be had in time: a day after it was fetched at
//!   most, and five minutes after its time where its server forbids that (`must-revalidate`,
//!   `no-cache`, `no-store`; RFC 9111 section 4.2.4). So nobody waits longer than a second for a newer
//!   one, nobody at all in an outage that is known, and nobody where there is no place to wait.
//! * A document that is gone, redirects or is not valid any more ends at once.
//! * What is not there is not asked for again for a minute. No error is ever kept in the place of a
//!   document.
//! * There is one fetch of a document at a time, as a task of its own, and few of one host
//!   ([`hosts`]). Few requests wait for the same fetch, and few for all together; the documents of
//!   [well-known clients](super::profile) have places of their own.

mod entry;
pub(super) mod hosts;
mod policy;
mod read;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::Fetcher;
use portcullis_oauth::{ClientId, EndpointUrl, SharedClock};
use portcullis_resource_server::Unavailable;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use self::entry::{Entry, Flight, Plan, RETRY};
use self::hosts::{Admission, Hosts};
pub use self::policy::DocumentPolicy;
use self::read::Reader;
use super::event::Journal;
use super::{Client, profile};
use crate::limits::Standing;

/// The most documents that are kept.
const MOST_DOCUMENTS: usize = 1000;
/// The most requests that wait for documents, those of well-known clients aside.
const MOST_WAITING: usize = 512;
/// The longest time that a request waits for a document of which nothing is known.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest time that a request waits for a newer document.
const PATIENCE_FOR_NEWER: Duration = Duration::from_secs(1);

/// The documents of all clients.
#[derive(Debug)]
pub(super) struct Documents {
    policy: DocumentPolicy,
    fetch: Arc<Fetch>,
    entries: Cache<ClientId, Arc<Entry>>,
    hosts: Arc<Hosts>,
    waiting: Semaphore,
}

/// What documents are fetched with.
#[derive(Debug)]
pub(super) struct DocumentsParts {
    pub(super) policy: DocumentPolicy,
    pub(super) fetcher: Fetcher,
    /// The schemes of apps that redirect URIs may have.
    pub(super) schemes: Vec<String>,
    pub(super) hosts: Arc<Hosts>,
    pub(super) clock: SharedClock,
    pub(super) journal: Journal,
}

/// What a fetch needs.
#[derive(Debug)]
struct Fetch {
    fetcher: Fetcher,
    reader: Reader,
    clock: SharedClock,
    journal: Journal,
}

/// A document, by the client that it describes and by where it is.
#[derive(Clone, Debug)]
struct DocumentId {
    client: ClientId,
    url: EndpointUrl,
}

impl DocumentId {
    /// Whether many people use that client.
    fn is_known(&self) -> bool {
        profile::is_known_url(self.url.as_str())
    }
}

impl Documents {
    pub(super) fn new(parts: DocumentsParts) -> Self {
        let reader = Reader {
            longest: parts.policy.longest(),
            loopback: parts.policy.allows_loopback(),
            schemes: parts.schemes,
        };
        Self {
            policy: parts.policy,
            fetch: Arc::new(Fetch {
                fetcher: parts.fetcher,
                reader,
                clock: parts.clock,
                journal: parts.journal,
            }),
            entries: Cache::new(MOST_DOCUMENTS),
            hosts: parts.hosts,
            waiting: Semaphore::new(MOST_WAITING),
        }
    }

    /// The URL of the document that an id names, if documents there are believed.
    pub(super) fn url(&self, id: &ClientId) -> Option<EndpointUrl> {
        self.policy.url(id)
    }

    /// Whether to find that client would ask its host.
    pub(super) fn would_fetch(&self, id: &ClientId) -> bool {
        let Some(entry) = self.entries.get(id) else {
            return self.url(id).is_some();
        };
        let now = self.fetch.clock.monotonic();
        entry.state().settled(now).is_none()
    }

    /// The host that we would ask to find that client, and would not otherwise: nothing is known of
    /// the document, and no fetch of it is under way. Well-known clients are asked for by everybody.
    pub(super) fn host_to_ask(&self, id: &ClientId) -> Option<String> {
        let document = self.document(id).filter(|document| !document.is_known())?;
        let entry = self.entries.get(id);
        let now = self.fetch.clock.monotonic();
        let is_unknown = entry.is_none_or(|entry| entry.state().is_unknown(now));
        is_unknown.then(|| document.url.host().to_owned())
    }

    /// The client that is described at that URL; none if nothing is, or nothing that is valid.
    pub(super) async fn find(
        &self,
        id: &ClientId,
        standing: Standing,
    ) -> Result<Option<Arc<Client>>, Unavailable> {
        let Some(document) = self.document(id) else {
            return Ok(None);
        };
        let Some(entry) = self.entry(&document, standing) else {
            self.fetch.journal.document_limited(id);
            return Err(unavailable());
        };
        match self.plan(&entry, &document, standing) {
            Plan::Use(client) => Ok(Some(client)),
            Plan::Absent => Ok(None),
            Plan::Fail => Err(unavailable()),
            Plan::Wait { flight, older } => {
                if self.has_landed(&flight, &document, older.is_some()).await {
                    return entry.after_flight(self.fetch.clock.monotonic());
                }
                older.map(Some).ok_or_else(unavailable)
            }
        }
    }

    fn document(&self, id: &ClientId) -> Option<DocumentId> {
        let url = self.url(id)?;
        let client = id.clone();
        Some(DocumentId { client, url })
    }

    /// What is known of a document. Something unknown that could not be fetched now takes no room.
    fn entry(&self, document: &DocumentId, standing: Standing) -> Option<Arc<Entry>> {
        if let Some(entry) = self.entries.get(&document.client) {
            return Some(entry);
        }
        if !self.hosts.has_room(&document.url, standing) {
            return None;
        }
        let made = || Ok::<_, Infallible>(Arc::new(Entry::new(document.is_known())));
        self.entries.get_or_insert_with(&document.client, made).ok()
    }

    fn plan(&self, entry: &Arc<Entry>, document: &DocumentId, standing: Standing) -> Plan {
        let now = self.fetch.clock.monotonic();
        let mut state = entry.state();
        if let Some(plan) = state.settled(now) {
            if state.is_due(now)
                && let Some(admission) = self.hosts.admit(&document.url, standing)
            {
                state.flight = Some(self.start(entry, document, admission));
            }
            return plan;
        }
        let older = state.last_resort(now);
        let flight = if let Some(flight) = state.open_flight() {
            flight
        } else if let Some(admission) = self.hosts.admit(&document.url, standing) {
            let flight = self.start(entry, document, admission);
            state.flight.insert(flight).clone()
        } else {
            self.fetch.journal.document_limited(&document.client);
            return older.map_or(Plan::Fail, Plan::Use);
        };
        match older {
            // An outage that is known holds nobody up.
            Some(older) if state.has_failed() => Plan::Use(older),
            older => Plan::Wait { flight, older },
        }
    }

    fn start(&self, entry: &Arc<Entry>, document: &DocumentId, admission: Admission) -> Flight {
        let (running, flight) = entry.flight();
        let (entry, fetch) = (Arc::clone(entry), Arc::clone(&self.fetch));
        let document = document.clone();
        tokio::spawn(async move {
            let work = fetch.reader.fetch(&fetch.fetcher, &document);
            let outcome = admission.run(work).await;
            entry.land(&document.client, outcome, &fetch);
            drop(running);
        });
        flight
    }

    /// Waits until a fetch has ended. No, if there is no place to wait, or it takes too long.
    async fn has_landed(&self, flight: &Flight, document: &DocumentId, has_older: bool) -> bool {
        // SECURITY: hosts that hang do not hold all of the server's requests, and one of them not all
        // of the places (CWE-400); sec_ci_08_few_requests_wait_for_a_document,
        // sec_ci_08_few_requests_wait_for_documents
        let Some(_place) = flight.place() else {
            return false;
        };
        // SECURITY: strangers' hosts do not keep the users of well-known clients from a place
        // (CWE-400); sec_ci_08_well_known_clients_have_places_of_their_own
        let _place = if document.is_known() {
            None
        } else {
            match self.waiting.try_acquire() {
                Ok(place) => Some(place),
                Err(_) => return false,
            }
        };
        let patience = if has_older {
            PATIENCE_FOR_NEWER
        } else {
            PATIENCE
        };
        let landed = tokio::time::timeout(patience, flight.landed());
        landed.await.is_ok()
    }
}

fn unavailable() -> Unavailable {
    Unavailable::new("the client's metadata document is out of reach").retry_after(RETRY)
}
