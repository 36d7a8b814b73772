//! Records in a store: hashed and sealed on their way down, opened on their way up.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use portcullis_oauth::{Monotonic, SharedClock, SharedEntropy, json};
use zeroize::Zeroizing;

use crate::data_keys::{DataKeys, OpenError};
use crate::lock::Lock;
use crate::siblings::Sibling;
use crate::{Committed, Family, Page, Record, Row, RowKey, Store, StoreError};

mod batch;
mod expired;
mod keys;
mod values;

pub use self::batch::Batch;

/// Bytes of a record at most, as JSON.
const MAX_RECORD: usize = 64 * 1024;

/// Records in a [`Store`]: what the authorization server reads and writes.
///
/// Keys are digests under a key (HMAC-SHA-256), values are sealed (AES-256-GCM) to the place where
/// they are: nobody reads anything out of the database, nor moves a value to another key, another
/// collection or another end. What it cannot prevent is that somebody who can write the database
/// puts a whole row, or the whole file, back to what it once was.
///
/// Cheap to clone; all clones are one.
///
/// ```
/// use std::borrow::Cow;
/// use std::sync::Arc;
///
/// use portcullis_fetch::system::{SystemClock, SystemEntropy};
/// use portcullis_oauth::Timestamp;
/// use portcullis_store::{Collection, Committed, MemoryStore, Record, StoreHandle};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Voucher { code: String, worth: u32, ends: i64 }
///
/// impl Record for Voucher {
///     const COLLECTION: Collection = Collection::new("voucher");
///     fn key(&self) -> Cow<'_, [u8]> { self.code.as_bytes().into() }
///     fn expires_at(&self) -> Option<Timestamp> { Some(Timestamp::from_secs(self.ends)) }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let store = StoreHandle::from(MemoryStore::new());
/// let (clock, entropy) = (Arc::new(SystemClock::new()), Arc::new(SystemEntropy::new()));
/// let records = store.open(clock, entropy).await?;
///
/// let voucher = Voucher { code: "spring".into(), worth: 20, ends: 4_000_000_000 };
/// assert!(records.insert_new(&voucher).await?);
/// assert!(!records.insert_new(&voucher).await?, "there is one");
///
/// let read = records.get::<Voucher>(b"spring").await?.unwrap();
/// let half = Voucher { code: "spring".into(), worth: 10, ends: read.ends };
/// let batch = records.batch().swap(&read, &half);
/// assert_eq!(batch.commit().await?, Committed::Yes);
/// assert!(!records.compare_and_swap(&read, &half).await?, "it is not what was read any more");
///
/// assert_eq!(records.take::<Voucher>(b"spring").await?.unwrap().worth, 10);
/// assert!(records.take::<Voucher>(b"spring").await?.is_none(), "taken once");
/// # Ok::<(), portcullis_store::StoreError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Records {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    lock: Lock,
    clock: SharedClock,
    entropy: SharedEntropy,
    sweep_interval: Duration,
    keys: RwLock<Held>,
    own: Sibling,
}

/// The data keys, and when they were read.
struct Held {
    keys: Arc<DataKeys>,
    read_at: Monotonic,
}

impl Records {
    /// The record of that key; nothing if there is none, or an expired one.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::Corrupt`] when there is something else than was written.
    pub async fn get<T: Record>(&self, key: &[u8]) -> Result<Option<Stored<T>>, StoreError> {
        match self.inner.store.get(self.row_key::<T>(key)).await? {
            Some(row) => self.open_row(row).await,
            None => Ok(None),
        }
    }

    /// Removes the record of that key and returns it. Of many callers, in this process or another,
    /// at most one gets it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn take<T: Record>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        let taken = self.inner.store.take(self.row_key::<T>(key)).await;
        self.inner.own.tell();
        let row = match taken? {
            Some(row) => self.open_row(row).await?,
            None => None,
        };
        Ok(row.map(Stored::into_inner))
    }

    /// Stores a record, unless there is one of its key that is not expired. Whether it did.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn insert_new<T: Record>(&self, record: &T) -> Result<bool, StoreError> {
        self.batch().insert(record).commit().await.map(happened)
    }

    /// Stores a record in the place of one that was read, if that is still what is stored. Whether
    /// it did. Both have the same key.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn compare_and_swap<T: Record>(
        &self,
        read: &Stored<T>,
        next: &T,
    ) -> Result<bool, StoreError> {
        self.batch().swap(read, next).commit().await.map(happened)
    }

    /// Stores a record, whatever was there.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn put<T: Record>(&self, record: &T) -> Result<(), StoreError> {
        self.batch().put(record).commit().await.map(|_| ())
    }

    /// Removes the record of that key, if there is one.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn delete<T: Record>(&self, key: &[u8]) -> Result<(), StoreError> {
        self.batch().delete::<T>(key).commit().await.map(|_| ())
    }

    /// Removes all records that belong to a family, of every collection.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn delete_family(&self, family: &Family) -> Result<(), StoreError> {
        let batch = self.batch().delete_family(family);
        batch.commit().await.map(|_| ())
    }

    /// Changes that happen together or not at all.
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// A page of a collection, in an order that means nothing and stays.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list<T: Record>(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Listing<T>, StoreError> {
        let page = page(after, limit);
        let rows = self.inner.store.list(T::COLLECTION, page).await?;
        self.open_page(rows, limit).await
    }

    /// A page of what a collection has of a family.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list_family<T: Record>(
        &self,
        family: &Family,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Listing<T>, StoreError> {
        let (page, family) = (page(after, limit), self.keys().family(family));
        let store = &self.inner.store;
        let rows = store.list_family(T::COLLECTION, family, page).await?;
        self.open_page(rows, limit).await
    }

    /// Records of a collection that end first, at most so many; those without an end come last.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn list_ending<T: Record>(&self, limit: usize) -> Result<Vec<T>, StoreError> {
        let store = &self.inner.store;
        let rows = store.list_ending(T::COLLECTION, limit).await?;
        self.open_page(rows, limit).await.map(|page| page.items)
    }

    /// About how many records a collection has, expired ones included until they are swept.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn count<T: Record>(&self) -> Result<u64, StoreError> {
        self.inner.store.count(T::COLLECTION).await
    }

    /// How many records a collection has of a family, expired ones included until they are swept. None
    /// of them is read or opened for it.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn count_family<T: Record>(&self, family: &Family) -> Result<u64, StoreError> {
        let family = self.keys().family(family);
        self.inner.store.count_family(T::COLLECTION, family).await
    }

    /// Deletes at most `limit` expired records of any collection, and says how many.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn sweep(&self, limit: usize) -> Result<u64, StoreError> {
        let now = self.inner.clock.now();
        self.inner.store.sweep(now, limit).await
    }

    /// How often to sweep, as the store was set up.
    pub fn sweep_interval(&self) -> Duration {
        self.inner.sweep_interval
    }

    /// A number that differs from the last one if somebody else may have changed something since:
    /// another process, or whoever opened the same [`StoreHandle`](crate::StoreHandle) in this one.
    /// Cheap enough for the way of every request.
    pub fn foreign_changes(&self) -> u64 {
        // Both numbers only grow as long as they are of one kind, so no sum comes back.
        let processes = self.inner.store.foreign_changes();
        processes.wrapping_add(self.inner.own.heard())
    }

    fn row_key<T: Record>(&self, key: &[u8]) -> RowKey {
        RowKey::new(T::COLLECTION, self.keys().digest(T::COLLECTION, key))
    }

    async fn open_page<T: Record>(
        &self,
        rows: Vec<Row>,
        limit: usize,
    ) -> Result<Listing<T>, StoreError> {
        let last = rows.last().map(|row| Cursor(row.key.digest));
        let next = last.filter(|_| rows.len() >= limit);
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.extend(self.open_row(row).await?.map(Stored::into_inner));
        }
        Ok(Listing { items, next })
    }

    /// What a row holds; nothing if it is expired.
    async fn open_row<T: Record>(&self, row: Row) -> Result<Option<Stored<T>>, StoreError> {
        // SECURITY: what is expired is gone, whether it was swept or not; sec_st_11_expired_is_gone
        if row.is_expired(self.inner.clock.now()) {
            return Ok(None);
        }
        let plain = self.open_value(&row).await?;
        // It was opened under a key that nobody else has, and no record is written that is too large.
        let record = json::from_own(&plain).map_err(|_| StoreError::Corrupt)?;
        Ok(Some(Stored {
            record,
            value: row.value,
        }))
    }

    async fn open_value(&self, row: &Row) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        match self.keys().open(row) {
            Ok(plain) => return Ok(plain),
            Err(OpenError::Store(error)) => return Err(error),
            Err(OpenError::UnknownKey) => {}
        }
        // Another process may have begun to seal with a newer key.
        match self.read_keys().await?.open(row) {
            Ok(plain) => Ok(plain),
            Err(OpenError::Store(error)) => Err(error),
            Err(OpenError::UnknownKey) => Err(StoreError::Corrupt),
        }
    }

    fn keys(&self) -> Arc<DataKeys> {
        let held = self.inner.keys.read();
        Arc::clone(&held.unwrap_or_else(PoisonError::into_inner).keys)
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("store", &self.inner.store)
            .finish_non_exhaustive()
    }
}

/// A record as it was read, and the proof of what was read: what [`Records::compare_and_swap`]
/// compares with.
#[derive(Clone)]
pub struct Stored<T> {
    record: T,
    value: Bytes,
}

impl<T> Stored<T> {
    /// How many bytes it takes in the store, sealed.
    pub fn sealed_len(&self) -> usize {
        self.value.len()
    }

    /// The record alone.
    pub fn into_inner(self) -> T {
        self.record
    }
}

impl<T> Deref for Stored<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.record
    }
}

impl<T: fmt::Debug> fmt::Debug for Stored<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stored").field(&self.record).finish()
    }
}

/// A page of records.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listing<T> {
    /// The records; there may be fewer than asked for, even none, before the last page.
    pub items: Vec<T>,
    /// Where the next page begins; nothing behind the last.
    pub next: Option<Cursor>,
}

/// Where a listing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor([u8; 32]);

fn page(after: Option<Cursor>, limit: usize) -> Page {
    match after {
        Some(Cursor(digest)) => Page::after(digest, limit),
        None => Page::first(limit),
    }
}

fn happened(committed: Committed) -> bool {
    committed == Committed::Yes
}
