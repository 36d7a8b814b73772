//! The settings of a key ring.

use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::system::{SystemClock, SystemEntropy};
use portcullis_oauth::crypto::KeyKind;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::{SharedClock, SharedEntropy};
use portcullis_resource_server::ConfigError;
use zeroize::Zeroizing;

use super::KeyringError;
use super::secret::SigningSecret;
use super::view::Held;

/// What a server signs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256, which every verifier knows.
    #[default]
    Es256,
    /// `EdDSA` on Ed25519.
    EdDsa,
}

impl KeyAlgorithm {
    /// That of a key.
    pub(super) fn of(kind: KeyKind) -> Self {
        match kind {
            KeyKind::Ed25519 => Self::EdDsa,
            _ => Self::Es256,
        }
    }

    pub(super) fn generate(self, entropy: &SharedEntropy) -> Result<SigningKey, KeyringError> {
        match self {
            Self::Es256 => (0..DRAWS)
                .find_map(|_| match seed(entropy) {
                    Ok(seed) => SigningKey::p256_from_scalar(&seed).ok().map(Ok),
                    Err(error) => Some(Err(error)),
                })
                .unwrap_or(Err(KeyringError::Key)),
            Self::EdDsa => {
                let seed = seed(entropy)?;
                SigningKey::ed25519_from_seed(&seed).map_err(|_| KeyringError::Key)
            }
        }
    }
}

/// How often a scalar is drawn. One of 2^32 is beyond the order of the curve.
const DRAWS: usize = 4;

fn seed(entropy: &SharedEntropy) -> Result<Zeroizing<[u8; 32]>, KeyringError> {
    let mut seed = Zeroizing::new([0; 32]);
    entropy.fill(&mut *seed).map_err(|_| KeyringError::Key)?;
    Ok(seed)
}

/// The settings of a [`Keyring`](super::Keyring).
///
/// | setting | default |
/// |---|---|
/// | [`algorithm`](Self::algorithm) of new keys | ES256, then as before |
/// | [`access_token_lifetime`](Self::access_token_lifetime) | 1 hour |
/// | [`rotate_every`](Self::rotate_every) | 90 days |
/// | [`secrets`](Self::secrets) | none: keys are generated and kept in the store |
#[derive(Clone, Debug)]
#[must_use]
pub struct KeyringSettings {
    pub(super) algorithm: Option<KeyAlgorithm>,
    pub(super) life: Duration,
    pub(super) rotate_every: Option<Duration>,
    pub(super) secrets: Vec<SigningSecret>,
    pub(super) clock: SharedClock,
    pub(super) entropy: SharedEntropy,
}

impl KeyringSettings {
    /// The default settings.
    pub fn new() -> Self {
        Self {
            algorithm: None,
            life: Duration::from_secs(3600),
            rotate_every: Some(Duration::from_secs(90 * 24 * 3600)),
            secrets: Vec::new(),
            clock: Arc::new(SystemClock::new()),
            entropy: Arc::new(SystemEntropy::new()),
        }
    }

    /// What keys are made for from now on. Keys that are there stay as they are. Unless set, a new
    /// key is like the one before.
    pub fn algorithm(mut self, algorithm: KeyAlgorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// The longest life of a token. A key is published for so long after its last signature.
    pub fn access_token_lifetime(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// How long a key signs before another one takes its place; `None`: until somebody says so.
    pub fn rotate_every(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.rotate_every = age.into();
        self
    }

    /// Derives the keys from these secrets, instead of keeping any: an Ed25519 key of each. The first
    /// one signs, all of them verify. So a new secret is put first, and the old one is taken away
    /// when its last token has ended.
    pub fn secrets(mut self, secrets: impl IntoIterator<Item = SigningSecret>) -> Self {
        self.secrets = secrets.into_iter().collect();
        self
    }

    /// The clock; the system's unless set.
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// The randomness; the system's unless set.
    pub fn entropy(mut self, entropy: SharedEntropy) -> Self {
        self.entropy = entropy;
        self
    }

    /// Checks what can be checked before the store is there.
    ///
    /// # Errors
    /// [`ConfigError`] of `jwt_signing_key` when a secret is too weak to sign with.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.derived().map(drop)
    }

    /// The keys out of the secrets.
    pub(super) fn derived(&self) -> Result<Vec<Held>, ConfigError> {
        let keys = self.secrets.iter().map(|secret| {
            let key = secret.key()?;
            Held::new(key).map_err(|error| ConfigError::new("jwt_signing_key", error.to_string()))
        });
        keys.collect()
    }
}

impl Default for KeyringSettings {
    fn default() -> Self {
        Self::new()
    }
}
