//! Signed statements on callers, for servers behind.

use std::time::Duration;

use anyhow::Result;
use portcullis_authorization_server::{Keyring, KeyringSettings};
use portcullis_oauth::{BaseUrl, Issuer};
use portcullis_resource_server::Auth;
use tokio_util::task::AbortOnDropHandle;

use crate::config::{Settings, Signer};
use crate::report::Failure;
use crate::report::Problem;
use crate::store;

/// How often the keys are looked after.
const TICK: Duration = Duration::from_secs(30);

/// Who signs them, with which keys.
pub(super) struct Statements {
    keyring: Keyring,
    signer: Signer,
    _tick: AbortOnDropHandle<()>,
}

impl Statements {
    /// What signs them, if a server behind wants any. It signs as `base`.
    pub(super) async fn start(
        settings: &Settings,
        base: &BaseUrl,
    ) -> Result<Option<Self>, Failure> {
        if !settings.wants_statements() {
            return Ok(None);
        }
        let started = Self::with_keys(settings, base).await;
        started.map(Some).map_err(|error| {
            let told = error.downcast::<Failure>();
            told.unwrap_or_else(|error| {
                let problem = Problem::new("statements on callers cannot be signed");
                problem.because(error).into()
            })
        })
    }

    async fn with_keys(settings: &Settings, base: &BaseUrl) -> Result<Self> {
        let opened = store::open_at(&settings.store().place).await?;
        let ring = KeyringSettings::new()
            .clock(opened.clock)
            .entropy(opened.entropy);
        let keyring = Keyring::open(&opened.records, ring).await?;
        let issuer = Issuer::parse(base.as_str())?;
        tracing::info!(
            keys = base.join(Keyring::JWKS_PATH),
            "servers behind are told who is calling in signed statements",
        );
        let ticking = keyring.clone();
        let tick = tokio::spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                if let Err(error) = ticking.tick().await {
                    tracing::warn!(%error, "the signing keys cannot be looked after");
                }
            }
        });
        Ok(Self {
            signer: keyring.identity_signer(issuer),
            keyring,
            _tick: AbortOnDropHandle::new(tick),
        })
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Publishes the keys.
    pub(super) fn publish(&self, auth: Auth) -> Auth {
        auth.route(Keyring::JWKS_PATH, self.keyring.jwks_route())
    }
}
