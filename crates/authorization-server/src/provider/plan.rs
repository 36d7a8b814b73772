//! What was configured, without a mistake, and how it becomes a server that runs.

use std::sync::{Arc, OnceLock};

use portcullis_oauth::{EntropyError, SecretBytes, SharedClock, SharedEntropy};
use portcullis_resource_server::StartError;
use portcullis_store::{Records, StoreError, StoreHandle};

use super::Settings;
use crate::client::{CheckedClientSettings, Clients, ClientsParts};
use crate::context::Context;
use crate::csrf::Csrf;
use crate::event::Events;
use crate::grant::Ledger;
use crate::grant::ledger::LedgerParts;
use crate::identity::Identity;
use crate::keyring::{Keyring, KeyringSettings};
use crate::limits::{Counts, Limits, RateLimits};
use crate::proxy::{Broker, BrokerSettings};
use crate::resources::Resources;
use crate::session::{SessionLifetimes, Sessions};
use crate::ui::Pages;
use crate::ui::cookie::CookieNames;
use crate::upstream::UpstreamClient;
use crate::users::accounts::PasswordPolicy;
use crate::users::{Accounts, SharedUsers};

/// What was configured.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) settings: Arc<Settings>,
    pub(super) store: StoreHandle,
    /// Whether nobody said where the state is to be kept.
    pub(super) is_forgetful: bool,
    pub(super) users: UsersPlan,
    pub(super) clients: CheckedClientSettings,
    pub(super) keyring: KeyringSettings,
    pub(super) pages: Arc<Pages>,
    pub(super) rate_limits: RateLimits,
    /// Made when the first of those starts that share it.
    pub(super) counts: Arc<OnceLock<Arc<Counts>>>,
    pub(super) sessions: SessionLifetimes,
    pub(super) is_strict: bool,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
}

/// Whose users there are.
#[derive(Debug)]
pub(super) enum UsersPlan {
    Given(SharedUsers),
    Accounts(PasswordPolicy),
    Upstream(Box<UpstreamPlan>),
}

/// Users of an identity provider.
#[derive(Debug)]
pub(crate) struct UpstreamPlan {
    pub(crate) client: UpstreamClient,
    pub(crate) settings: BrokerSettings,
    /// The path where they come back.
    pub(crate) callback: String,
}

impl Plan {
    /// Whether clients get tokens of an identity provider in the place of ours.
    pub(super) fn hands_out(&self) -> bool {
        match &self.users {
            UsersPlan::Upstream(plan) => plan.settings.passes_through.is_some(),
            UsersPlan::Given(_) | UsersPlan::Accounts(_) => false,
        }
    }

    /// Opens the store, makes or loads the keys, and puts everything together.
    pub(super) async fn open(
        &self,
        resources: &Arc<Resources>,
        events: &Arc<Events>,
    ) -> Result<Context, StartError> {
        if self.is_forgetful {
            tracing::warn!(
                "grants, clients and keys are kept in memory: all of them end with this process"
            );
        }
        if !self.store.is_encrypted() {
            tracing::warn!(
                target: "portcullis::security",
                event = "dangerous_setting",
                setting = "without_encryption",
                "the store is not encrypted: whoever reads it has the keys that sign tokens, and all \
                 tokens of an identity provider"
            );
        }
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        let store = self.store.clone();
        let records = store.open(clock, entropy).await.map_err(no_store)?;
        let keyring = Keyring::open(&records, self.keyring.clone()).await;
        let keyring = keyring.map_err(no_keys)?;
        let verifier = keyring.verifier(&self.settings.issuer).map_err(no_keys)?;
        let broker = self.broker(&records);
        let ledger = self.ledger(&records, events, broker.clone());
        let (identity, accounts) = match broker {
            Some(broker) => (Identity::Upstream(broker), None),
            None => self.users(&records, &ledger)?,
        };
        Ok(Context {
            settings: Arc::clone(&self.settings),
            resources: Arc::clone(resources),
            events: Arc::clone(events),
            clients: self.clients(&records),
            sessions: self.sessions(&records),
            limits: self.limits(&records)?,
            pages: Arc::clone(&self.pages),
            cookies: CookieNames::for_base(&self.settings.base_url),
            csrf: Csrf::new(records.derive("csrf")),
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            records,
            keyring,
            verifier,
            ledger,
            identity,
            accounts,
        })
    }

    /// The way to an identity provider, where users come from one.
    fn broker(&self, records: &Records) -> Option<Arc<Broker>> {
        let UsersPlan::Upstream(plan) = &self.users else {
            return None;
        };
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        let (client, settings) = (plan.client.clone(), plan.settings.clone());
        settings.warn(&client);
        let records = (records.clone(), self.is_strict);
        let broker = Broker::new(client, settings, records, (clock, entropy));
        Some(Arc::new(broker))
    }

    fn ledger(
        &self,
        records: &Records,
        events: &Arc<Events>,
        broker: Option<Arc<Broker>>,
    ) -> Arc<Ledger> {
        Arc::new(Ledger::new(LedgerParts {
            records: records.clone(),
            events: Arc::clone(events),
            lifetimes: self.settings.lifetimes,
            broker,
            configured: self.clients.configured_ids(),
            is_strict: self.is_strict,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
        }))
    }

    fn users(
        &self,
        records: &Records,
        ledger: &Arc<Ledger>,
    ) -> Result<(Identity, Option<Accounts>), StartError> {
        let policy = match &self.users {
            UsersPlan::Given(users) => return Ok((Identity::Users(users.clone()), None)),
            UsersPlan::Accounts(policy) => policy.clone(),
            UsersPlan::Upstream(_) => PasswordPolicy::default(),
        };
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        let accounts = Accounts::with_policy(records.clone(), policy, clock, entropy);
        let accounts = accounts
            .map_err(|error| StartError::new("the accounts cannot be opened").caused_by(error))?;
        let ledger = Arc::downgrade(ledger);
        accounts.on_end(move |subject| {
            if let Some(ledger) = ledger.upgrade() {
                ledger.user_ended(subject);
            }
        });
        let users = SharedUsers::new(accounts.clone());
        Ok((Identity::Users(users), Some(accounts)))
    }

    fn clients(&self, records: &Records) -> Clients {
        Clients::new(ClientsParts {
            settings: self.clients.clone(),
            records: records.clone(),
            is_strict: self.is_strict,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
        })
    }

    fn sessions(&self, records: &Records) -> Sessions {
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        Sessions::new(records.clone(), self.sessions, clock, entropy)
    }

    fn limits(&self, records: &Records) -> Result<Limits, StartError> {
        let key = SecretBytes::new(records.derive("device cookie"));
        let counts = self.counts();
        let counts = counts
            .map_err(|error| StartError::new("the limits cannot be set up").caused_by(error))?;
        let entropy = Arc::clone(&self.entropy);
        Ok(Limits::new(self.rate_limits.clone(), counts, key, entropy))
    }

    /// What was counted before, by the server whose place this one takes, or nothing.
    fn counts(&self) -> Result<Arc<Counts>, EntropyError> {
        if let Some(counts) = self.counts.get() {
            return Ok(Arc::clone(counts));
        }
        let fresh = Counts::new(Arc::clone(&self.clock), &self.entropy)?;
        Ok(Arc::clone(self.counts.get_or_init(|| Arc::new(fresh))))
    }
}

fn no_store(error: StoreError) -> StartError {
    let hint = error.hint();
    StartError::new("the store of the authorization server cannot be opened")
        .with_hint(hint)
        .caused_by(error)
}

fn no_keys(error: impl std::error::Error + Send + Sync + 'static) -> StartError {
    StartError::new("the signing keys cannot be loaded or made").caused_by(error)
}
