//! Who logs users in, where the authorization server is one's own.

use anyhow::Result;
use portcullis_authorization_server::{AllowList, OAuthProvider, OAuthProxy};
use portcullis_oauth::{BaseUrl, ScopeSet};
use portcullis_store::{MemoryStore, StoreHandle};

use crate::config::{ProxyPlan, ServerPlan, Settings, Surroundings, problems};
use crate::dev::Personas;
use crate::report::Failure;
use crate::store;

/// What stays while settings change: the store, the users of `dev`, and what was counted.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    store: StoreHandle,
    personas: Option<Personas>,
    /// The server of the settings before.
    before: Option<OAuthProvider>,
}

impl Login {
    /// Opens the store that the settings name.
    pub(crate) async fn open(settings: &Settings, personas: Option<Personas>) -> Result<Self> {
        let store = settings.store_place().open().await;
        Ok(Self {
            store: store.map_err(store::failed)?,
            personas,
            before: None,
        })
    }

    /// One that keeps nothing, to see whether settings fit together.
    pub(crate) fn for_checking(personas: Option<Personas>) -> Self {
        Self {
            store: MemoryStore::new().into(),
            personas,
            before: None,
        }
    }

    /// The same, for a server behind which other scopes are known.
    pub(crate) fn with_scopes(&self, all: &ScopeSet, required: &ScopeSet) -> Self {
        let personas = self.personas.as_ref();
        Self {
            store: self.store.clone(),
            personas: personas.map(|_| Personas::new(all, required)),
            before: self.before.clone(),
        }
    }

    /// The same, after this server.
    pub(crate) fn after(self, provider: Option<OAuthProvider>) -> Self {
        let before = provider.or(self.before);
        Self { before, ..self }
    }

    pub(crate) fn personas(&self) -> Option<&Personas> {
        self.personas.as_ref()
    }

    /// What a server of any settings is built with.
    pub(crate) fn surroundings<'a>(
        &'a self,
        base: &'a BaseUrl,
        allow: Option<&'a AllowList>,
    ) -> Surroundings<'a> {
        Surroundings {
            base,
            store: self.store.clone(),
            allow,
            before: self.before.as_ref(),
        }
    }

    /// The authorization server of these settings, in front of an identity provider.
    pub(crate) fn proxy(
        &self,
        plan: &ProxyPlan,
        base: &BaseUrl,
        allow: Option<&AllowList>,
    ) -> Result<OAuthProxy, Failure> {
        plan.proxy(&self.surroundings(base, allow))
    }

    /// The authorization server of these settings.
    pub(crate) fn provider(
        &self,
        plan: &ServerPlan,
        base: &BaseUrl,
        scopes: &ScopeSet,
    ) -> Result<OAuthProvider, Failure> {
        let builder = plan
            .builder(scopes)
            .base_url(base.as_str())
            .store(self.store.clone());
        let builder = match &self.personas {
            Some(personas) => builder.users(personas.clone()),
            None => builder,
        };
        // SECURITY: whoever guesses passwords gets no more of them by a new configuration (CWE-307);
        // sec_op_14_a_reload_gives_nobody_more_attempts
        let builder = match &self.before {
            Some(before) => builder.succeeds(before),
            None => builder,
        };
        builder.build().map_err(problems)
    }
}
