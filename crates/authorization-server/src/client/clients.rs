//! All clients: found, registered and kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use portcullis_fetch::{FetchError, Fetcher};
use portcullis_oauth::crypto::{base64url, hex};
use portcullis_oauth::redirect::RedirectUri;
use portcullis_oauth::register::{IssuedSecret, RegistrationRequest, RegistrationResponse};
use portcullis_oauth::secret::ClientSecret;
use portcullis_oauth::{ClientId, EntropyError, Issuer, SecretBytes, SharedClock, SharedEntropy};
use portcullis_resource_server::{ConfigError, Unavailable};
use portcullis_store::{Batch, Committed, Records, StoreError, Stored};

use super::document::Documents;
use super::document::hosts::Hosts;
use super::event::Journal;
use super::initial_token::{Admission, UsesRecord};
use super::keys::KeySets;
use super::registration::{RegisterError, Registration, narrow};
use super::secret::SecretKey;
use super::{
    Client, ClientOrigin, ClientRecord, ConfiguredClient, DocumentPolicy, RedirectCeiling,
    RegistrationPolicy, SharedRegistry,
};

/// What is configured of clients.
#[derive(Debug)]
pub(crate) struct ClientSettings {
    /// Our issuer, the audience of assertions.
    pub(crate) issuer: Issuer,
    /// The URL of our token endpoint, as metadata has it.
    pub(crate) token_endpoint: String,
    /// The user's own clients.
    pub(crate) registry: Option<SharedRegistry>,
    /// Configured ones.
    pub(crate) configured: Vec<ConfiguredClient>,
    /// Whether others may register.
    pub(crate) registration: RegistrationPolicy,
    /// Whether others may bring documents.
    pub(crate) documents: DocumentPolicy,
    /// Where codes for others may go.
    pub(crate) ceiling: RedirectCeiling,
    /// The way to documents and keys, in the place of the guarded one.
    pub(crate) fetcher: Option<Fetcher>,
}

impl ClientSettings {
    /// Checks the settings, and makes what can be made without a store.
    ///
    /// # Errors
    /// [`ConfigError`] for the first mistake.
    pub(crate) fn check(self) -> Result<CheckedClientSettings, ConfigError> {
        self.documents.check()?;
        let mut configured = BTreeMap::new();
        for client in self.configured {
            let client = client.build()?;
            let id = client.id.clone();
            if configured.insert(id.clone(), client).is_some() {
                return Err(ConfigError::new(
                    format!("client `{id}`"),
                    "it is configured twice",
                ));
            }
        }
        let unusable = |error: FetchError| ConfigError::new("documents", error.to_string());
        let (fetcher, key_fetcher) = match self.fetcher {
            Some(fetcher) => (fetcher.clone(), fetcher),
            None => (
                self.documents.fetcher().map_err(unusable)?,
                self.documents.key_fetcher().map_err(unusable)?,
            ),
        };
        Ok(CheckedClientSettings {
            issuer: self.issuer,
            token_endpoint: self.token_endpoint,
            registry: self.registry,
            configured,
            registration: self.registration,
            documents: self.documents,
            ceiling: self.ceiling,
            fetcher,
            key_fetcher,
        })
    }
}

/// Settings without a mistake.
#[derive(Clone, Debug)]
pub(crate) struct CheckedClientSettings {
    pub(super) issuer: Issuer,
    pub(super) token_endpoint: String,
    registry: Option<SharedRegistry>,
    configured: BTreeMap<ClientId, Client>,
    registration: RegistrationPolicy,
    documents: DocumentPolicy,
    ceiling: RedirectCeiling,
    fetcher: Fetcher,
    key_fetcher: Fetcher,
}

impl CheckedClientSettings {
    /// Whether and how strangers may register.
    pub(crate) fn registration(&self) -> &RegistrationPolicy {
        &self.registration
    }

    /// Whether clients may be known by a document.
    pub(crate) fn documents(&self) -> &DocumentPolicy {
        &self.documents
    }
}

/// All clients.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(super) settings: CheckedClientSettings,
    pub(super) records: Records,
    pub(super) clock: SharedClock,
    entropy: SharedEntropy,
    documents: Documents,
    pub(super) key_sets: KeySets,
    pub(super) secrets: SecretKey,
    pub(super) journal: Journal,
}

/// How often a registration is tried again that others get in the way of.
const ATTEMPTS: usize = 8;
/// Among how many of the registrations that end first an unused one is looked for.
const CANDIDATES: usize = 64;

impl Clients {
    /// All clients, those of the store among them.
    pub(crate) fn new(
        settings: CheckedClientSettings,
        records: Records,
        (clock, entropy): (SharedClock, SharedEntropy),
    ) -> Self {
        let journal = Journal::new(Arc::clone(&clock));
        let hosts = Arc::new(Hosts::new(Arc::clone(&clock)));
        let schemes = settings.ceiling.schemes();
        let schemes = schemes.into_iter().map(str::to_owned).collect();
        let documents = Documents::new(
            settings.documents.clone(),
            (settings.fetcher.clone(), schemes),
            (Arc::clone(&hosts), Arc::clone(&clock), journal.clone()),
        );
        Self {
            documents,
            key_sets: KeySets::new(settings.key_fetcher.clone(), hosts, Arc::clone(&clock)),
            secrets: SecretKey::new(SecretBytes::new(records.derive("client secret"))),
            settings,
            records,
            clock,
            entropy,
            journal,
        }
    }

    /// The client of that id.
    ///
    /// # Errors
    /// [`Unavailable`] when it cannot be said whether there is one.
    pub(crate) async fn find(&self, id: &ClientId) -> Result<Option<Client>, Unavailable> {
        if let Some(registry) = &self.settings.registry
            && let Some(client) = registry.find(id, &self.journal).await?
        {
            return Ok(Some(client));
        }
        if let Some(client) = self.settings.configured.get(id) {
            return Ok(Some(client.clone()));
        }
        if self.documents.url(id).is_some() {
            return self.documents.find(id).await;
        }
        let stored = self.records.get::<ClientRecord>(id.as_str().as_bytes());
        let stored = stored.await.map_err(no_answer)?;
        Ok(stored.and_then(|record| record.client(&self.settings.ceiling.schemes())))
    }

    /// Whether [`find`](Self::find) would ask another host, so that it is limited before.
    pub(crate) fn would_fetch(&self, id: &ClientId) -> bool {
        !self.settings.configured.contains_key(id) && self.documents.would_fetch(id)
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

    /// Registers a client (RFC 7591 section 3).
    ///
    /// # Errors
    /// [`RegisterError`]; nothing has changed then.
    pub(crate) async fn register(
        &self,
        request: Registration<'_>,
    ) -> Result<RegistrationResponse, RegisterError> {
        let policy = &self.settings.registration;
        if !policy.enabled {
            return Err(RegisterError::Disabled);
        }
        let admission = policy.admits(request.token).ok_or(RegisterError::Token)?;
        let ceiling = &self.settings.ceiling;
        let said = RegistrationRequest::parse_allowing(request.body, &ceiling.schemes())?;
        let accepted = narrow(said, ceiling, request.scopes)?;
        let now = self.clock.now();
        // SECURITY: 128 random bits, which no document's URL can be
        // (draft-ietf-oauth-client-id-metadata-document section 3);
        // sec_dr_03_the_server_chooses_id_and_secret
        let id = ClientId::parse(&hex::encode(self.random::<16>()?));
        let id = id.map_err(|_| EntropyError::new())?;
        let mut record =
            ClientRecord::new(id.clone(), accepted.metadata.clone(), now, policy.unused);
        let mut answer = RegistrationResponse::new(id, accepted.metadata);
        answer.issued_at = Some(now);
        if accepted.method.needs_secret() {
            let secret = ClientSecret::new(base64url::encode(self.random::<32>()?));
            record = record.with_secret(self.secrets.digest(&answer.client_id, &secret));
            answer.secret = Some(IssuedSecret::new(secret, None));
        }
        self.keep(&record, &admission).await?;
        Ok(answer)
    }

    /// Stores a registration, in the place of the oldest unused one where there is no other room.
    async fn keep(
        &self,
        record: &ClientRecord,
        admission: &Admission,
    ) -> Result<(), RegisterError> {
        for _ in 0..ATTEMPTS {
            let batch = self.records.batch().insert(record);
            let batch = self.count(batch, admission).await?;
            let (batch, evicted) =
                if self.records.count::<ClientRecord>().await? < self.settings.registration.limit {
                    (batch, None)
                } else {
                    let oldest = self.oldest_unused().await?.ok_or(RegisterError::Full)?;
                    (batch.remove(&oldest), Some(oldest))
                };
            if batch.commit().await? == Committed::Yes {
                if let Some(evicted) = evicted {
                    self.journal.registration_evicted(evicted.id());
                }
                return Ok(());
            }
        }
        Err(RegisterError::Full)
    }

    /// Counts the registration too, if it is one of so many.
    async fn count<'a>(
        &'a self,
        batch: Batch<'a>,
        admission: &Admission,
    ) -> Result<Batch<'a>, RegisterError> {
        let Admission::Counted { token, most } = admission else {
            return Ok(batch);
        };
        let read = self.records.get::<UsesRecord>(token.as_bytes()).await?;
        let next = UsesRecord::after(read.as_deref(), token, *most).ok_or(RegisterError::Token)?;
        Ok(match &read {
            Some(read) => batch.swap(read, &next),
            None => batch.insert(&next),
        })
    }

    /// The registration that was never used, and ends first.
    async fn oldest_unused(&self) -> Result<Option<Stored<ClientRecord>>, StoreError> {
        for record in self.records.list_ending::<ClientRecord>(CANDIDATES).await? {
            let stored = self
                .records
                .get::<ClientRecord>(record.id().as_str().as_bytes());
            // SECURITY: a flood of registrations does not take a client from anybody who uses it
            // (RFC 7591 section 5); sec_dr_01_a_used_registration_is_never_evicted
            let unused = stored.await?.filter(|record| record.used_at().is_none());
            if unused.is_some() {
                return Ok(unused);
            }
        }
        Ok(None)
    }

    /// What is to be noted when the client is granted something, so that its registration lives on;
    /// nothing where that is known already.
    ///
    /// # Errors
    /// [`StoreError`] when the registration cannot be read.
    pub(crate) async fn use_of(&self, client: &Client) -> Result<Option<Use>, StoreError> {
        if client.origin != ClientOrigin::Registered {
            return Ok(None);
        }
        let key = client.id.as_str().as_bytes();
        let Some(read) = self.records.get::<ClientRecord>(key).await? else {
            return Ok(None);
        };
        let next = read.used(self.clock.now(), self.settings.registration.used);
        Ok(next.map(|next| Use { read, next }))
    }

    fn random<const LENGTH: usize>(&self) -> Result<[u8; LENGTH], EntropyError> {
        let mut bytes = [0; LENGTH];
        self.entropy.fill(&mut bytes)?;
        Ok(bytes)
    }
}

/// That a registered client was granted something. It is noted together with the grant, so that it
/// costs no second wait for the disk.
#[derive(Debug)]
pub(crate) struct Use {
    read: Stored<ClientRecord>,
    next: ClientRecord,
}

impl Use {
    /// The changes, and this note, if nobody changes the registration meanwhile.
    pub(crate) fn with<'a>(&self, changes: Batch<'a>) -> Batch<'a> {
        changes.swap(&self.read, &self.next)
    }
}

/// The store cannot say.
pub(super) fn no_answer(error: StoreError) -> Unavailable {
    Unavailable::new("the store has no answer").caused_by(error)
}
