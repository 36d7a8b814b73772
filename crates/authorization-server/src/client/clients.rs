//! All clients, and where codes for them may go.

use std::sync::Arc;

use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::{ClientId, SecretBytes, SharedClock, SharedEntropy};
use portcullis_resource_server::Unavailable;
use portcullis_store::{Records, StoreError, Stored};

use super::document::hosts::Hosts;
use super::document::{Documents, DocumentsParts};
use super::event::Journal;
use super::keys::KeySets;
use super::remembered::Remembered;
use super::secret::SecretKey;
use super::{CheckedClientSettings, Client, ClientOrigin, ClientRecord};
use crate::limits::Standing;

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(super) settings: CheckedClientSettings,
    pub(super) records: Records,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
    /// Whether registrations are read for each request.
    pub(super) is_strict: bool,
    pub(super) remembered: Arc<Remembered>,
    /// The schemes of apps that redirect URIs may have.
    schemes: Vec<String>,
    documents: Documents,
    pub(super) key_sets: KeySets,
    pub(super) secrets: SecretKey,
    pub(super) journal: Journal,
}

/// What clients are looked up with.
#[derive(Debug)]
pub(crate) struct ClientsParts {
    pub(crate) settings: CheckedClientSettings,
    pub(crate) records: Records,
    /// Whether nothing of what the store has is remembered.
    pub(crate) is_strict: bool,
    pub(crate) clock: SharedClock,
    pub(crate) entropy: SharedEntropy,
}

/// A client as it was found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) client: Arc<Client>,
    /// What it was read from, if it registered itself.
    pub(super) registration: Option<Arc<Stored<ClientRecord>>>,
}

impl From<Arc<Client>> for Found {
    fn from(client: Arc<Client>) -> Self {
        Self {
            client,
            registration: None,
        }
    }
}

impl Clients {
    /// All clients, those of the store among them.
    pub(crate) fn new(parts: ClientsParts) -> Self {
        let ClientsParts {
            settings,
            records,
            is_strict,
            clock,
            entropy,
        } = parts;
        let journal = Journal::new(Arc::clone(&clock));
        let hosts = Arc::new(Hosts::new(Arc::clone(&clock)));
        let schemes = settings.ceiling.schemes();
        let schemes: Vec<String> = schemes.into_iter().map(str::to_owned).collect();
        let documents = Documents::new(DocumentsParts {
            policy: settings.documents.clone(),
            fetcher: settings.fetcher.clone(),
            schemes: schemes.clone(),
            hosts: Arc::clone(&hosts),
            clock: Arc::clone(&clock),
            journal: journal.clone(),
        });
        Self {
            documents,
            key_sets: KeySets::new(settings.key_fetcher.clone(), hosts, Arc::clone(&clock)),
            secrets: SecretKey::new(SecretBytes::new(records.derive("client secret"))),
            settings,
            records,
            clock,
            entropy,
            is_strict,
            remembered: Arc::new(Remembered::new()),
            schemes,
            journal,
        }
    }

    /// The client of that id.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said whether there is one.
    pub(crate) async fn find(&self, id: &ClientId) -> Result<Option<Arc<Client>>, Unavailable> {
        self.find_for(id, Standing::Again).await
    }

    /// The client of that id, for somebody who stands so with the
    /// [host that is asked](Self::host_to_ask).
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) async fn find_for(
        &self,
        id: &ClientId,
        standing: Standing,
    ) -> Result<Option<Arc<Client>>, Unavailable> {
        let found = self.look_up(id, standing).await?;
        Ok(found.map(|found| found.client))
    }

    /// The same, with what it was read from.
    pub(super) async fn look_up(
        &self,
        id: &ClientId,
        standing: Standing,
    ) -> Result<Option<Found>, Unavailable> {
        if let Some(registry) = &self.settings.registry
            && let Some(client) = registry.find(id, &self.journal).await?
        {
            return Ok(Some(Arc::new(client).into()));
        }
        if let Some(client) = self.settings.configured.get(id) {
            return Ok(Some(Arc::clone(client).into()));
        }
        if self.documents.url(id).is_some() {
            let found = self.documents.find(id, standing).await?;
            return Ok(found.map(Found::from));
        }
        self.registered(id).await.map_err(no_answer)
    }

    /// The client that registered itself under that id.
    pub(super) async fn registered(&self, id: &ClientId) -> Result<Option<Found>, StoreError> {
        // SECURITY: who wants it sure gets it from the store each time (RFC 7009 section 2.1);
        // sec_rv_02_strict_revocation_reads_a_client_each_time
        if self.is_strict {
            return self.read(id).await;
        }
        let foreign = self.records.foreign_changes();
        let known = self.remembered.get(id, foreign, self.clock.now());
        if known.is_some() {
            return Ok(known);
        }
        let since = self.remembered.moment(id, foreign);
        let found = self.read(id).await?;
        if let Some(found) = &found {
            self.remembered.keep(id, found, since);
        }
        Ok(found)
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Found>, StoreError> {
        let stored = self.records.get::<ClientRecord>(id.as_str().as_bytes());
        let stored = stored.await?;
        let schemes: Vec<&str> = self.schemes.iter().map(String::as_str).collect();
        Ok(stored.and_then(|record| {
            Some(Found {
                client: Arc::new(record.client(&schemes)?),
                registration: Some(Arc::new(record)),
            })
        }))
    }

    /// Whether [`find`](Self::find) would ask another host, and may wait for it.
    pub(crate) fn would_fetch(&self, id: &ClientId) -> bool {
        !self.settings.configured.contains_key(id) && self.documents.would_fetch(id)
    }

    /// The host that is asked to [find](Self::find) a client, for a document of which nothing is known:
    /// a stranger's wish, which is limited before.
    pub(crate) fn host_to_ask(&self, id: &ClientId) -> Option<String> {
        if self.settings.configured.contains_key(id) {
            return None;
        }
        self.documents.host_to_ask(id)
    }

    /// Whether a client of that id has a metadata document.
    pub(crate) fn has_document(&self, id: &ClientId) -> bool {
        !self.settings.configured.contains_key(id) && self.documents.url(id).is_some()
    }

    /// Whether strangers may register.
    pub(crate) fn takes_registrations(&self) -> bool {
        self.settings.registration.is_enabled()
    }

    /// Whether a code for that client may be sent there. Ask right before each redirect, with the
    /// client as it is then.
    pub(crate) fn may_redirect(&self, client: &Client, uri: &RedirectUri) -> bool {
        // SECURITY: exact but for the port of a loopback URI (RFC 9700 section 2.1);
        // sec_ru_01_a_uri_that_nobody_registered_gets_nothing
        let registered = client.redirect_uris.iter().any(|known| known.matches(uri));
        let below_ceiling = match client.origin {
            // The operator's own word.
            ClientOrigin::Configured => true,
            ClientOrigin::MetadataDocument => {
                let document = self.documents.url(&client.id);
                document.is_some_and(|url| self.settings.ceiling.allows(uri, Some(&url)))
            }
            ClientOrigin::Registered => self.settings.ceiling.allows(uri, None),
        };
        // SECURITY: the ceiling may have been lowered since the client became known (RFC 9700 section
        // 4.1); sec_ru_18_the_ceiling_is_asked_before_each_redirect
        registered && below_ceiling
    }
}

/// The store cannot say.
pub(super) fn no_answer(error: StoreError) -> Unavailable {
    Unavailable::new("the store has no answer").caused_by(error)
}
