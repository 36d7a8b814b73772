//! `DiskStore`: a folder, or a file, that holds a server's state.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::system::SystemEntropy;
use portcullis_oauth::Entropy as _;

use crate::files::Folder;
use crate::handle::blocking;
use crate::sqlite::SqliteStore;
use crate::{DangerousStore, SealingKeys, StoreError, StoreHandle};

/// A store in a folder: the SQLite database `portcullis.db`, and beside it `portcullis.key`, the key
/// that opens it.
///
/// What was answered survives `kill -9` and a power cut. Several processes of one machine may share
/// the folder; a network file system will not do.
///
/// The folder and all in it are this user's alone: one that others can read, or that is a link, is
/// refused. Without the key nothing in the database can be read, so keep a copy of it elsewhere than
/// copies of the database.
///
/// ```no_run
/// use portcullis_store::DiskStore;
///
/// # async fn open() -> Result<(), portcullis_store::StoreError> {
/// let store = DiskStore::open("/var/lib/portcullis").await?;
/// # drop(store);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct DiskStore {
    handle: StoreHandle,
}

impl DiskStore {
    /// Opens a folder; it is made if there is none, with access for this user alone. The key is read,
    /// or made, when the server starts, unless one is [given](Self::key).
    ///
    /// # Errors
    /// [`StoreError::Place`] says what is wrong with the folder and how to mend it;
    /// [`StoreError::TooNew`] when a newer version wrote the database.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = folder.as_ref().to_owned();
        let (store, key_file) = blocking(move || {
            let folder = Folder::private(&path)?;
            let store = open_in(&folder, Path::new("portcullis.db"))?;
            Ok((store, path.join("portcullis.key")))
        })
        .await?;
        let handle = StoreHandle::with_own_key_file(Arc::new(store), key_file);
        Ok(Self { handle })
    }

    /// Opens a database of any name, whose keys come from elsewhere. The file is made if there is
    /// none, and so is its folder, for this user alone. One that is there is this user's or root's, and
    /// not everybody may write in it. Whom its group lets write is trusted.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_file(path: impl AsRef<Path>, keys: SealingKeys) -> Result<Self, StoreError> {
        let store = open_file(path.as_ref()).await?;
        let handle = StoreHandle::new(Arc::new(store), keys);
        Ok(Self { handle })
    }

    /// Opens a database of any name, as [`open_file`](Self::open_file) does, whose key is in a file of
    /// any name. That file is read, or made, when the server starts.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_file_with_key_file(
        path: impl AsRef<Path>,
        key_file: impl Into<PathBuf>,
    ) -> Result<Self, StoreError> {
        let store = open_file(path.as_ref()).await?;
        let handle = StoreHandle::with_key_file(Arc::new(store), key_file);
        Ok(Self { handle })
    }

    /// Takes these keys instead of `portcullis.key`, which is then neither read nor made.
    pub fn key(self, keys: SealingKeys) -> Self {
        let handle = self.handle.with_keys(keys);
        Self { handle }
    }

    /// Reads the key from that file instead of `portcullis.key`; it is made there if there is none.
    pub fn key_file(self, path: impl Into<PathBuf>) -> Self {
        let handle = self.handle.with_keys_of(path.into());
        Self { handle }
    }

    /// The same store with a hole.
    pub fn dangerous(self) -> DangerousStore {
        self.handle.dangerous()
    }

    /// How often expired records are deleted: every 60 seconds, unless said otherwise. The file does
    /// not shrink; its room is used again.
    pub fn sweep_interval(self, interval: Duration) -> Self {
        let handle = self.handle.sweep_interval(interval);
        Self { handle }
    }
}

impl From<DiskStore> for StoreHandle {
    fn from(store: DiskStore) -> Self {
        store.handle
    }
}

async fn open_file(path: &Path) -> Result<SqliteStore, StoreError> {
    let path = path.to_owned();
    blocking(move || {
        let name = path.file_name().ok_or_else(|| StoreError::Place {
            what: format!("`{}` names no file", path.display()),
            hint: "name a file, such as `/var/lib/portcullis/portcullis.db`",
        })?;
        open_in(&Folder::of(&path)?, Path::new(name))
    })
    .await
}

fn open_in(folder: &Folder, name: &Path) -> Result<SqliteStore, StoreError> {
    let entropy = SystemEntropy::new();
    let path = folder.database(name, &entropy)?;
    let mut writer = [0; 8];
    entropy.fill(&mut writer)?;
    SqliteStore::open(&path, i64::from_ne_bytes(writer))
}
