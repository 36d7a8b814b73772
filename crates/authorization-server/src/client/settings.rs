//! What is configured of clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portcullis_fetch::{FetchError, Fetcher};
use portcullis_oauth::{ClientId, Issuer};
use portcullis_resource_server::{ConfigError, ConfigErrors};

use super::{
    Client, ConfiguredClient, DocumentPolicy, RedirectCeiling, RegistrationPolicy, SharedRegistry,
};
use crate::faults::Faults;

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
    /// [`ConfigErrors`] for all mistakes.
    pub(crate) fn check(self) -> Result<CheckedClientSettings, ConfigErrors> {
        let mut faults = Faults::default();
        faults.note(self.documents.check());
        let mut configured: BTreeMap<ClientId, Arc<Client>> = BTreeMap::new();
        for client in self.configured {
            let Some(client) = faults.note(client.build()) else {
                continue;
            };
            let id = client.id.clone();
            if configured.insert(id.clone(), Arc::new(client)).is_some() {
                let twice = "it is configured twice";
                faults.add(ConfigError::new(format!("client `{id}`"), twice));
            }
        }
        faults.check(Some(()))?;
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
    pub(super) registry: Option<SharedRegistry>,
    pub(super) configured: BTreeMap<ClientId, Arc<Client>>,
    pub(super) registration: RegistrationPolicy,
    pub(super) documents: DocumentPolicy,
    pub(super) ceiling: RedirectCeiling,
    pub(super) fetcher: Fetcher,
    pub(super) key_fetcher: Fetcher,
}

impl CheckedClientSettings {
    /// The clients of the configuration.
    pub(crate) fn configured_ids(&self) -> BTreeSet<ClientId> {
        self.configured.keys().cloned().collect()
    }

    /// Whether and how strangers may register.
    pub(crate) fn registration(&self) -> &RegistrationPolicy {
        &self.registration
    }

    /// Whether clients may be known by a document.
    pub(crate) fn documents(&self) -> &DocumentPolicy {
        &self.documents
    }
}
