//! A store and its keys, as one hands them to a server.

#[cfg(unix)]
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use portcullis_oauth::{SharedClock, SharedEntropy};

use crate::lock::Lock;
use crate::{Records, SealingKeys, Store, StoreError};
#[cfg(unix)]
use crate::{data_keys, envelope};

/// How often expired records are swept, unless said otherwise.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// A store together with the keys that open it: what a server is given.
///
/// [`MemoryStore`](crate::MemoryStore) and `DiskStore` become one by themselves; a store of yours is
/// paired with its keys.
///
/// Whatever is opened of one store knows of each other: what one changes, the others feel on the next
/// request, as they feel what another process changes.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    store: Arc<dyn Store>,
    keys: Keys,
    sweep_interval: Duration,
}

#[derive(Clone, Debug)]
enum Keys {
    Given(SealingKeys),
    /// Read when it is opened; made if there is neither a file nor a store.
    #[cfg(unix)]
    File(KeyFile),
    /// None: what is stored can be read.
    None,
    /// Made when it is opened first, for a store that ends with this process.
    Made(Arc<OnceLock<SealingKeys>>),
}

/// A file of keys.
#[cfg(unix)]
#[derive(Clone, Debug)]
struct KeyFile {
    path: PathBuf,
    /// Whether somebody named it, who may have put a link there.
    is_named: bool,
}

#[cfg(unix)]
impl KeyFile {
    fn load(&self) -> Result<Option<SealingKeys>, StoreError> {
        if self.is_named {
            return SealingKeys::load(&self.path);
        }
        // SECURITY: in a folder of ours there are no links but such as somebody planted (CWE-59);
        // sec_st_08_links_in_the_place_of_a_file_are_refused
        SealingKeys::load_own(&self.path)
    }

    fn load_or_create(&self, entropy: &SharedEntropy) -> Result<SealingKeys, StoreError> {
        if self.is_named {
            return SealingKeys::load_or_create(&self.path, &**entropy);
        }
        SealingKeys::load_or_create_own(&self.path, &**entropy)
    }
}

impl StoreHandle {
    /// A store, and its keys.
    pub fn new(store: Arc<dyn Store>, keys: SealingKeys) -> Self {
        Self {
            store,
            keys: Keys::Given(keys),
            sweep_interval: SWEEP_INTERVAL,
        }
    }

    /// A store whose keys are in a file. It is read when the store is opened, and made when there is
    /// neither the file nor anything in the store; see [`SealingKeys::load_or_create`].
    #[cfg(unix)]
    pub fn with_key_file(store: Arc<dyn Store>, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let is_named = true;
        Self {
            store,
            keys: Keys::File(KeyFile { path, is_named }),
            sweep_interval: SWEEP_INTERVAL,
        }
    }

    /// A store whose keys are in a file beside it, where no link is.
    #[cfg(all(feature = "sqlite", unix))]
    pub(crate) fn with_own_key_file(store: Arc<dyn Store>, path: PathBuf) -> Self {
        let is_named = false;
        Self {
            store,
            keys: Keys::File(KeyFile { path, is_named }),
            sweep_interval: SWEEP_INTERVAL,
        }
    }

    /// The same store with other keys.
    #[cfg(all(feature = "sqlite", unix))]
    pub(crate) fn with_keys(self, keys: SealingKeys) -> Self {
        let keys = Keys::Given(keys);
        Self { keys, ..self }
    }

    /// The same store with the keys of another file.
    #[cfg(all(feature = "sqlite", unix))]
    pub(crate) fn with_keys_of(self, path: PathBuf) -> Self {
        let is_named = true;
        let keys = Keys::File(KeyFile { path, is_named });
        Self { keys, ..self }
    }

    /// A store whose keys need not outlive it.
    pub(crate) fn ephemeral(store: Arc<dyn Store>, keys: Arc<OnceLock<SealingKeys>>) -> Self {
        Self {
            store,
            keys: Keys::Made(keys),
            sweep_interval: SWEEP_INTERVAL,
        }
    }

    /// A store with a hole.
    pub fn dangerous(self) -> DangerousStore {
        DangerousStore(self)
    }

    /// Whether what is stored can be read with a key alone.
    pub fn is_encrypted(&self) -> bool {
        !matches!(self.keys, Keys::None)
    }

    /// The database alone.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// How often the server deletes expired records: every 60 seconds, unless said otherwise. What
    /// is expired is never given out, swept or not.
    #[must_use]
    pub fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = interval;
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// As [`Records::open`].
    pub async fn open(
        self,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Result<Records, StoreError> {
        let keys = match self.keys {
            Keys::Given(keys) => keys,
            Keys::None => {
                let records = Records::unlock(self.store, Lock::None, (clock, entropy)).await?;
                return Ok(records.sweeping_each(self.sweep_interval));
            }
            #[cfg(unix)]
            Keys::File(file) => keys_of(&*self.store, file, &entropy).await?,
            Keys::Made(cell) => {
                let fresh = SealingKeys::generate(&*entropy)?;
                cell.get_or_init(|| fresh).clone()
            }
        };
        let records = Records::open(self.store, keys, clock, entropy).await?;
        Ok(records.sweeping_each(self.sweep_interval))
    }
}

/// A store with a hole. Servers warn of it at every start.
#[derive(Debug)]
#[must_use]
pub struct DangerousStore(StoreHandle);

impl DangerousStore {
    /// Stores values as they are, for whoever looks into the database while developing.
    ///
    /// What breaks: whoever reads the database, a backup or a disk that was thrown away has the keys
    /// that sign tokens and the tokens of the identity provider, and whoever writes it can make any
    /// record. Who is hurt: every user. When it is right: where all of this is made up.
    ///
    /// Names are digests all the same, and so are refresh tokens, codes and passwords, of which nothing
    /// else was ever kept. A value still says where it belongs, so that one that was damaged or moved by
    /// accident is noticed; against somebody who has read the database that is no help. What browsers
    /// and clients carry stays sealed. A store that was made with a key does not open so
    /// ([`StoreError::Encrypted`]), and one that was made so does not open with a key
    /// ([`StoreError::NotEncrypted`]).
    ///
    /// ```
    /// use portcullis_store::{MemoryStore, StoreHandle};
    ///
    /// let store = StoreHandle::from(MemoryStore::new()).dangerous().without_encryption();
    /// assert!(!store.is_encrypted());
    /// ```
    pub fn without_encryption(self) -> StoreHandle {
        StoreHandle {
            keys: Keys::None,
            ..self.0
        }
    }
}

impl<S: Store> From<(S, SealingKeys)> for StoreHandle {
    fn from((store, keys): (S, SealingKeys)) -> Self {
        Self::new(Arc::new(store), keys)
    }
}

/// The keys in a file. They are made where there is no file, unless there is a store already that
/// was made with keys which are then missing.
#[cfg(unix)]
async fn keys_of(
    store: &dyn Store,
    file: KeyFile,
    entropy: &SharedEntropy,
) -> Result<SealingKeys, StoreError> {
    let read = || {
        let file = file.clone();
        blocking(move || file.load())
    };
    if let Some(keys) = read().await? {
        return Ok(keys);
    }
    let row = store.get(data_keys::ROW).await?;
    if row
        .as_ref()
        .is_some_and(|row| envelope::read(&row.value).is_some())
    {
        return Err(StoreError::NotEncrypted);
    }
    if row.is_none() {
        let (file, entropy) = (file.clone(), Arc::clone(entropy));
        return blocking(move || file.load_or_create(&entropy)).await;
    }
    // Whoever made the store has made the file before it.
    read().await?.ok_or_else(|| StoreError::Place {
        what: format!("the key file `{}` is missing", file.path.display()),
        hint: "put it back from where it was saved, or move the database away to begin anew",
    })
}

/// Runs what waits for the disk where it holds nobody up.
#[cfg(unix)]
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(StoreError::unavailable)?
}
