//! The keys that sign tokens.
//!
//! # Rules
//!
//! * Without [secrets](KeyringSettings::secrets) keys are generated, and kept in one record of the
//!   store, so that all replicas have the same. The record changes by compare-and-swap alone.
//! * A key is published 15 minutes before it signs, and a published set may be kept for 10: so
//!   whoever verifies has a key before its first token comes. It stays published until the last
//!   token that it may have signed has expired.
//! * [`Rotation::Revoke`] takes every key away at once, and with them all tokens. This process
//!   refuses them on the next request, and so does another one on the same file; elsewhere it takes
//!   as long as the store needs to tell of changes, at most a minute. Who fetched our keys may keep
//!   them for 10 minutes.
//! * A record that cannot be read for a minute is no proof of a key: tokens cannot be verified
//!   then (503), and none are signed.
//!
//! # Sources
//!
//! RFC 7517, RFC 7638, RFC 9068, NIST SP 800-57 part 1 (cryptoperiods).

mod error;
mod identity;
mod kept;
mod ring;
mod secret;
mod settings;
mod sure;
#[cfg(test)]
mod tests;
mod verify;
mod view;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use portcullis_oauth::crypto::KeyKind;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::{BearerToken, Monotonic, SharedClock, SharedEntropy, Timestamp};
use portcullis_store::{Records, StoreError};

use self::ring::{Ring, RingKey};
use self::sure::Sure;
use self::view::{Published, View};
use crate::issuer::AccessTokenClaims;

pub use self::error::KeyringError;
pub use self::ring::KeyState;
pub use self::secret::SigningSecret;
pub(crate) use self::secret::fault_of;
pub use self::settings::{KeyAlgorithm, KeyringSettings};

/// How often keys that nobody knows make us look into the store.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// The keys that sign tokens. Clones are the same keys.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<Inner>,
}

struct Inner {
    /// Where the keys are kept; nothing where they are derived.
    records: Option<Records>,
    settings: KeyringSettings,
    view: RwLock<Arc<View>>,
    sure: Sure,
    /// How many looks into the store have begun.
    looks: AtomicU64,
    /// The last one. Whoever holds this looks, for all who wait.
    looked: tokio::sync::Mutex<Looked>,
}

/// A look into the store.
struct Looked {
    at: Monotonic,
    has_failed: bool,
}

/// Another look at the same time found nothing.
#[derive(Debug, thiserror::Error)]
#[error("the store had no answer a moment ago")]
struct NoAnswer;

/// How keys are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// A new key is published, and signs 15 minutes later. Tokens stay good.
    Overlap,
    /// A new key signs at once, and the others are gone: every token ends.
    Revoke,
}

/// What there is to know of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its id: the thumbprint (RFC 7638).
    pub id: String,
    /// The name of its algorithm.
    pub algorithm: &'static str,
    /// What it is for.
    pub state: KeyState,
    /// When it was made; nothing for one that is derived.
    pub made_at: Option<Timestamp>,
}

impl Keyring {
    /// Reads the keys out of the store, or makes the first one. With secrets nothing is read or made.
    ///
    /// # Errors
    /// [`KeyringError::Store`] when the store has no answer, [`KeyringError::Secret`] when a secret is
    /// too weak.
    pub async fn open(records: &Records, settings: KeyringSettings) -> Result<Self, KeyringError> {
        let derived = settings.derived()?;
        let (records, view) = if derived.is_empty() {
            let now = settings.clock.now();
            let ring = kept::load_or_make(records, &settings, now).await?;
            (Some(records.clone()), View::of_ring(ring, None, now)?)
        } else {
            (None, View::of_derived(derived)?)
        };
        let keyring = Self {
            inner: Arc::new(Inner {
                sure: Sure::new(Arc::clone(&settings.clock)),
                looks: AtomicU64::new(0),
                looked: tokio::sync::Mutex::new(Looked {
                    at: settings.clock.monotonic(),
                    has_failed: false,
                }),
                records,
                settings,
                view: RwLock::new(Arc::new(view)),
            }),
        };
        keyring.refresh().await?;
        Ok(keyring)
    }

    /// The keys, in the order in which they sign.
    ///
    /// # Errors
    /// [`KeyringError::Store`].
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, KeyringError> {
        self.refresh().await?;
        let view = self.view()?;
        let states = view.states(self.clock().now()).into_iter();
        let keys = states.map(|(held, state, made_at)| KeyInfo {
            id: held.id.clone(),
            algorithm: held.key.default_algorithm().as_str(),
            state,
            made_at,
        });
        Ok(keys.collect())
    }

    /// Exchanges the key that signs, and says what the new one is.
    ///
    /// # Errors
    /// [`KeyringError::Rotating`] when another key is about to sign, [`KeyringError::Derived`] when
    /// the keys are not ours to change, [`KeyringError::Store`].
    pub async fn rotate(&self, rotation: Rotation) -> Result<KeyInfo, KeyringError> {
        let kind = self.view()?.signing.key.kind();
        let (id, key) = self.inner.settings.fresh(Some(kind))?;
        let algorithm = key.default_algorithm().as_str();
        let life = self.inner.settings.life;
        let private = key.to_pkcs8_der().ok_or(KeyringError::Key)?;
        let now = self.clock().now();
        let fresh = RingKey::new(id.clone(), private, life, now);
        self.change(|ring| match rotation {
            Rotation::Overlap => Ok(Some(ring.rotated(fresh.clone(), now)?)),
            // SECURITY: whoever has one key of the ring may have them all (NIST SP 800-57 part 1,
            // section 5.5); sec_key_16_a_revoked_key_takes_every_token_along
            Rotation::Revoke => Ok(Some(ring.revoked(fresh.clone()))),
        })
        .await?;
        let from = now.saturating_add(ring::OVERLAP);
        let state = match rotation {
            Rotation::Overlap => KeyState::Next { from },
            Rotation::Revoke => KeyState::Active,
        };
        tracing::info!(
            target: "portcullis::security",
            event = "signing_key_rotated",
            key = id,
            revoked = rotation == Rotation::Revoke,
            "there is another signing key",
        );
        Ok(KeyInfo {
            id,
            algorithm,
            state,
            made_at: Some(now),
        })
    }

    /// What has to be done from time to time, at least once a minute: follows what others changed,
    /// takes away keys that are of no use any more, and [exchanges](KeyringSettings::rotate_every)
    /// the one that signs. Returns the new key, if it made one.
    ///
    /// # Errors
    /// [`KeyringError::Store`]. The next call tries again.
    pub async fn tick(&self) -> Result<Option<KeyInfo>, KeyringError> {
        let Some(records) = &self.inner.records else {
            return Ok(None);
        };
        let ring = match self.look(None).await? {
            Some(ring) => ring,
            // Another one looked.
            None => Self::read(records).await?,
        };
        let now = self.clock().now();
        let settings = &self.inner.settings;
        if settings
            .rotate_every
            .is_some_and(|age| ring.is_due(age, now))
        {
            return match self.rotate(Rotation::Overlap).await {
                Ok(key) => Ok(Some(key)),
                // Another replica was first.
                Err(KeyringError::Rotating { .. }) => Ok(None),
                Err(error) => Err(error),
            };
        }
        if ring.has_waste(now) {
            self.change(|ring| Ok(ring.has_waste(now).then(|| ring.pruned(now))))
                .await?;
        }
        Ok(None)
    }

    /// Signs an access token (RFC 9068) with the key of now.
    ///
    /// # Errors
    /// [`KeyringError::Store`] when it cannot be said which key that is, [`KeyringError::Claims`].
    pub(crate) async fn sign_access_token(
        &self,
        claims: &AccessTokenClaims<'_>,
    ) -> Result<BearerToken, KeyringError> {
        self.refresh().await?;
        let view = self.view()?;
        Ok(claims.sign(
            &view.signing.id,
            &view.signing.key,
            self.inner.settings.life,
        )?)
    }

    /// The public keys, for whoever verifies.
    pub(crate) fn jwks(&self) -> Result<Published, KeyringError> {
        Ok(self.view()?.published.clone())
    }

    /// Looks into the store, if something may have changed there.
    pub(crate) async fn refresh(&self) -> Result<(), KeyringError> {
        if self.inner.is_sure() {
            return Ok(());
        }
        self.look(None).await.map(drop)
    }

    /// The keys of now, as far as this process knows.
    fn view(&self) -> Result<Arc<View>, KeyringError> {
        let now = self.clock().now();
        let view = self.inner.seen();
        if !view.is_over(now) {
            return Ok(view);
        }
        self.inner.show(|view| view.at(now))?;
        Ok(self.inner.seen())
    }

    /// Reads the record, and says what is in it; nothing where another one has read it. With `unless`,
    /// only if that much time has gone by since the last time.
    async fn look(&self, unless: Option<Duration>) -> Result<Option<Ring>, KeyringError> {
        let Some(records) = &self.inner.records else {
            return Ok(None);
        };
        let begun = self.inner.looks.load(Ordering::Acquire);
        let mut looked = self.inner.looked.lock().await;
        // While this one waited, another one began to look, and has ended.
        let is_shared = self.inner.looks.load(Ordering::Acquire) != begun;
        let now = self.clock().monotonic();
        match unless {
            Some(pause) if now.saturating_since(looked.at) < pause => return Ok(None),
            // What failed for one is not tried by all who waited, one after the other.
            None if is_shared && looked.has_failed => {
                return Err(StoreError::unavailable(NoAnswer).into());
            }
            None if is_shared && self.inner.is_sure() => return Ok(None),
            _ => {}
        }
        self.inner.looks.fetch_add(1, Ordering::AcqRel);
        *looked = Looked {
            at: now,
            has_failed: false,
        };
        let read = self.read_and_show(records).await;
        looked.has_failed = read.is_err();
        read.map(Some)
    }

    async fn read_and_show(&self, records: &Records) -> Result<Ring, KeyringError> {
        let foreign = records.foreign_changes();
        let ring = Self::read(records).await?;
        let (now, shown) = (self.clock().now(), ring.clone());
        self.inner
            .show(|view| View::of_ring(shown, Some(view), now).map(Some))?;
        self.inner.sure.is(foreign);
        Ok(ring)
    }

    async fn read(records: &Records) -> Result<Ring, KeyringError> {
        let ring = records.get::<Ring>(Ring::KEY).await?;
        Ok(ring.ok_or(KeyringError::Key)?.into_inner())
    }

    /// Changes the record, as often as it takes. Whoever changes it to nothing leaves it.
    async fn change(
        &self,
        change: impl Fn(&Ring) -> Result<Option<Ring>, KeyringError>,
    ) -> Result<(), KeyringError> {
        let records = self.inner.records.as_ref().ok_or(KeyringError::Derived)?;
        kept::change(records, change).await?;
        self.look(None).await.map(drop)
    }

    /// The time that it goes by.
    pub(crate) fn clock(&self) -> &SharedClock {
        &self.inner.settings.clock
    }

    /// Where its keys are drawn from.
    pub(crate) fn entropy(&self) -> &SharedEntropy {
        &self.inner.settings.entropy
    }
}

impl Inner {
    /// Whether the keys that are seen are those of the store, by all that is known.
    fn is_sure(&self) -> bool {
        match &self.records {
            Some(records) => self.sure.holds(records.foreign_changes()),
            None => true,
        }
    }

    /// The generation of the published keys, unless time has changed them.
    fn generation(&self, now: Timestamp) -> Option<u64> {
        let view = self.view.read().unwrap_or_else(PoisonError::into_inner);
        (!view.is_over(now)).then_some(view.generation)
    }

    fn seen(&self) -> Arc<View> {
        Arc::clone(&self.view.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets what is seen to what comes of it.
    fn show(
        &self,
        change: impl FnOnce(&View) -> Result<Option<View>, KeyringError>,
    ) -> Result<(), KeyringError> {
        let mut seen = self.view.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(view) = change(&seen)? {
            *seen = Arc::new(view);
        }
        Ok(())
    }
}

impl KeyringSettings {
    /// A new key and its id; of the kind of another one, unless something was set.
    fn fresh(&self, like: Option<KeyKind>) -> Result<(String, SigningKey), KeyringError> {
        let known = like.map(KeyAlgorithm::of);
        let algorithm = self.algorithm.or(known).unwrap_or_default();
        let held = view::Held::new(algorithm.generate(&self.entropy)?)?;
        Ok((held.id, held.key))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("signing", &self.inner.seen().signing.id)
            .finish_non_exhaustive()
    }
}
