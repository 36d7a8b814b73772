//! From settings to a server, or to all that is wrong with them.

use std::sync::Arc;

use portcullis_resource_server::{ConfigError, ConfigErrors};
use portcullis_store::MemoryStore;

use super::OAuthProviderBuilder;
use crate::client::{ClientSettings, RedirectCeiling};
use crate::endpoint::path;
use crate::faults::Faults;
use crate::provider::check::{base_url, ceiling, check_lifetimes, check_scopes, elsewhere, issuer};
use crate::provider::plan::{Plan, UsersPlan};
use crate::provider::settings::IssuerPlace;
use crate::provider::{OAuthProvider, Settings};
use crate::ui::Pages;

impl OAuthProviderBuilder {
    /// Checks the settings. Nothing is opened or made before the server starts.
    ///
    /// # Errors
    /// [`ConfigErrors`] for all mistakes.
    pub fn build(self) -> Result<OAuthProvider, ConfigErrors> {
        let mut faults = Faults::default();
        let base_url = base_url(self.base_url.as_deref());
        // The rest is checked with another address.
        let base_url = faults.note(base_url).map_or_else(elsewhere, Ok)?;
        let issuer = issuer(self.issuer_url.as_deref(), &base_url);
        let issuer = faults.note(issuer);
        let issuer = issuer.map_or_else(|| IssuerPlace::of(&base_url), Ok)?;
        check_lifetimes(&self.lifetimes, &self.sessions, &mut faults);
        faults.note(self.registration.check());
        if let Some(fault) = self.texts_fault {
            faults.add(ConfigError::new("scope_text", fault));
        }
        for (field, some) in [
            ("default_scopes", self.default_scopes.as_ref()),
            ("required_scopes", Some(&self.required_scopes)),
        ] {
            faults.note(check_scopes(self.scopes.as_ref(), field, some));
        }
        let ceiling = faults.note(ceiling(self.redirect_uris));
        let clients = ClientSettings {
            issuer: issuer.name.clone(),
            token_endpoint: base_url.join(path::TOKEN),
            registry: self.registry,
            configured: self.clients,
            registration: self.registration,
            documents: self.documents,
            // Nobody is served where there is a mistake.
            ceiling: ceiling.unwrap_or_else(RedirectCeiling::well_known),
            fetcher: self.fetcher,
        };
        let clients = faults.note(clients.check());
        let keyring = self
            .keys
            .access_token_lifetime(self.lifetimes.access)
            .secrets(self.secrets)
            .clock(Arc::clone(&self.clock))
            .entropy(Arc::clone(&self.entropy));
        faults.note(keyring.check());
        let pages = faults.note(Pages::new(&self.theme, &base_url));
        let (clients, pages) = faults.check(clients.zip(pages))?;
        let settings = Settings {
            scopes: self.scopes,
            default_scopes: self.default_scopes,
            required_scopes: self.required_scopes,
            hierarchy: self.hierarchy,
            scope_texts: self.scope_texts,
            lifetimes: self.lifetimes,
            introspection: self.introspection,
            callback: self.upstream.as_ref().map(|plan| plan.callback.clone()),
            issuer_place: issuer.place,
            ..Settings::new(issuer.name, base_url)
        };
        let users = match (self.upstream, self.users) {
            (Some(upstream), _) => UsersPlan::Upstream(Box::new(upstream)),
            (None, Some(users)) => UsersPlan::Given(users),
            (None, None) => UsersPlan::Accounts(self.passwords),
        };
        let is_forgetful = self.store.is_none();
        Ok(OAuthProvider::of(Plan {
            settings: Arc::new(settings),
            store: self.store.unwrap_or_else(|| MemoryStore::new().into()),
            is_forgetful,
            users,
            clients,
            keyring,
            pages: Arc::new(pages),
            rate_limits: self.rate_limits,
            counts: self.counts,
            sessions: self.sessions,
            is_strict: self.is_strict,
            clock: self.clock,
            entropy: self.entropy,
        }))
    }
}
