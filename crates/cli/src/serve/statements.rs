//! Signed statements on callers, for servers behind.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use portcullis_authorization_server::{Keyring, KeyringSettings, OAuthProvider};
use portcullis_oauth::{BaseUrl, Issuer};
use portcullis_resource_server::Auth;
use tokio_util::task::AbortOnDropHandle;

use super::failed_to_start;
use crate::config::{Settings, Signer};
use crate::report::Failure;
use crate::report::Problem;
use crate::store;

/// How often the keys are looked after.
const TICK: Duration = Duration::from_secs(30);

/// Who signs them, with which keys. Clones are the same.
#[derive(Clone)]
pub(super) struct Statements {
    signer: Signer,
    /// The keys, where no authorization server of one's own has some.
    own: Option<Arc<OwnKeys>>,
}

struct OwnKeys {
    keyring: Keyring,
    _tick: AbortOnDropHandle<()>,
}

impl Statements {
    /// What signs them, if a server behind wants any: `provider`, or keys of the store, as `base`.
    pub(super) async fn start(
        settings: &Settings,
        base: &BaseUrl,
        provider: Option<&OAuthProvider>,
    ) -> Result<Option<Self>, Failure> {
        if !settings.wants_statements() {
            return Ok(None);
        }
        if let Some(provider) = provider {
            let keyring = provider.keyring().await.map_err(failed_to_start)?;
            let signer = keyring.identity_signer(provider.issuer().clone());
            return Ok(Some(Self { signer, own: None }));
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

    /// The same for other settings: keys of one's own stay until an authorization server has some.
    pub(super) async fn after(
        before: Option<&Self>,
        settings: &Settings,
        (base, provider): (&BaseUrl, Option<&OAuthProvider>),
    ) -> Result<Option<Self>, Failure> {
        let own = before.filter(|before| before.own.is_some() && provider.is_none());
        match own {
            Some(own) => Ok(Some(own.clone())),
            None => Self::start(settings, base, provider).await,
        }
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
            own: Some(Arc::new(OwnKeys {
                keyring,
                _tick: AbortOnDropHandle::new(tick),
            })),
        })
    }

    pub(super) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Publishes the keys, unless an authorization server does.
    pub(super) fn publish(&self, auth: Auth) -> Auth {
        match &self.own {
            Some(own) => auth.route(Keyring::JWKS_PATH, own.keyring.jwks_route()),
            None => auth,
        }
    }
}
