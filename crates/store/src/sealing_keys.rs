//! The keys that a store is opened with.

use std::fmt;
#[cfg(unix)]
use std::path::Path;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{Entropy, SecretString};
use zeroize::Zeroizing;

use crate::envelope::{Envelope, KeyId, SealKey};
#[cfg(unix)]
use crate::files::Folder;
use crate::{Row, StoreError};

/// The keys that a store is opened with: the first seals, all open.
///
/// They seal one row alone, which holds the random keys of everything else. So a new key in the front
/// takes effect at the next start, at once and for all that was ever written; an old one can then be
/// left out.
///
/// ```
/// use portcullis_oauth::SecretString;
/// use portcullis_store::SealingKeys;
///
/// let key = SecretString::from("0sYAJ5kq3tNnVvB2zKfXoG7hQeW4rLc8mUiPdTxEaSg");
/// let keys = SealingKeys::from_secrets(&[key])?;
/// assert_eq!(format!("{keys:?}"), "SealingKeys(1)");
/// assert!(SealingKeys::from_secrets(&["too short".into()]).is_err());
/// # Ok::<(), portcullis_store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct SealingKeys {
    first: SealKey,
    others: Vec<SealKey>,
}

impl SealingKeys {
    /// Bytes that a secret has at least.
    pub const MIN_SECRET: usize = 32;

    /// A key that nobody else has, and that is gone with this value.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] without randomness.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, StoreError> {
        Self::from_secrets(&[Self::generate_secret(entropy)?])
    }

    /// The keys that follow from these secrets, which are random texts such as `openssl rand
    /// -base64 32` prints; the first seals.
    ///
    /// # Errors
    /// [`StoreError::Place`] when there is none, or one of under 32 bytes.
    pub fn from_secrets(secrets: &[SecretString]) -> Result<Self, StoreError> {
        let mut keys = Vec::with_capacity(secrets.len());
        for secret in secrets {
            // SECURITY: a short secret can be found by trying all of them; sec_st_05_a_short_secret_is_no_key
            if secret.expose().len() < Self::MIN_SECRET {
                return Err(StoreError::Place {
                    what: "a key of the store has fewer than 32 bytes".to_owned(),
                    hint: "make one with `openssl rand -base64 32`",
                });
            }
            keys.push(SealKey::new(secret.expose().as_bytes())?);
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or_else(|| StoreError::Place {
            what: "there is no key for the store".to_owned(),
            hint: "make one with `openssl rand -base64 32`",
        })?;
        Ok(Self {
            first,
            others: keys.collect(),
        })
    }

    /// The keys in a file: one a line, the first seals; empty lines and such as begin with `#` do
    /// not count. Nothing if there is no file.
    ///
    /// The file is this user's, readable to nobody else, or root's and readable for its group at most.
    /// It may be a link that only this user and root can change, such as a mounted secret is.
    ///
    /// # Errors
    /// [`StoreError::Place`] when it is no such file, or holds no key.
    #[cfg(unix)]
    pub fn load(path: impl AsRef<Path>) -> Result<Option<Self>, StoreError> {
        Self::load_own(&crate::links::follow(path.as_ref())?)
    }

    /// The same, of a file that is no link.
    #[cfg(unix)]
    pub(crate) fn load_own(path: &Path) -> Result<Option<Self>, StoreError> {
        let secrets = crate::files::read_secrets(path)?;
        secrets
            .map(|secrets| Self::from_secrets(&secrets))
            .transpose()
    }

    /// The keys in a file, which is made with a fresh one if there is none. Of many processes that
    /// begin at once, one makes it, and all use that.
    ///
    /// # Errors
    /// As [`load`](Self::load), and when no file can be made there.
    #[cfg(unix)]
    pub fn load_or_create(
        path: impl AsRef<Path>,
        entropy: &dyn Entropy,
    ) -> Result<Self, StoreError> {
        let path = crate::links::follow(path.as_ref())?;
        Self::load_or_create_own(&path, entropy)
    }

    /// The same, of a file that is no link.
    #[cfg(unix)]
    pub(crate) fn load_or_create_own(
        path: &Path,
        entropy: &dyn Entropy,
    ) -> Result<Self, StoreError> {
        if let Some(keys) = Self::load_own(path)? {
            return Ok(keys);
        }
        let name = path.file_name().ok_or_else(|| StoreError::Place {
            what: format!("`{}` names no file", path.display()),
            hint: "name a file, such as `/var/lib/portcullis/portcullis.key`",
        })?;
        let secret = Self::generate_secret(entropy)?;
        let line = Zeroizing::new(format!("{}\n", secret.expose()));
        let folder = Folder::of(path)?;
        folder.publish(Path::new(name), line.as_bytes(), entropy)?;
        // What is there now may be another's.
        Self::load_own(path)?.ok_or_else(|| StoreError::unavailable("the key file vanished"))
    }

    /// A text to make a key from: 256 random bits in base64url.
    pub(crate) fn generate_secret(entropy: &dyn Entropy) -> Result<SecretString, StoreError> {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(bytes.as_mut_slice())?;
        Ok(SecretString::new(base64url::encode(bytes.as_slice())))
    }

    pub(crate) const fn first(&self) -> &SealKey {
        &self.first
    }

    pub(crate) fn find(&self, id: KeyId) -> Option<&SealKey> {
        std::iter::once(&self.first)
            .chain(&self.others)
            .find(|key| key.id() == id)
    }

    /// Whether a row is sealed under the first key.
    pub(crate) fn is_newest(&self, row: &Row) -> bool {
        Envelope::parse(&row.value).is_ok_and(|envelope| *envelope.key == self.first.id())
    }
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SECURITY: how many there are is all that is shown; sec_op_01_keys_of_a_store_do_not_print
        write!(f, "SealingKeys({})", 1 + self.others.len())
    }
}
