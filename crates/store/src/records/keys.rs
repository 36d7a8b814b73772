//! The data keys of a store: found or made when it is opened, and changed while it is used.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use portcullis_oauth::{SharedClock, SharedEntropy, Timestamp};

use super::{Cursor, Held, Inner, Records};
use crate::data_keys::{self, DataKeys};
use crate::lock::Lock;
use crate::{Change, Collection, Committed, Record, Row, SealingKeys, Store, StoreError};

/// How long a process may seal with keys that another one has changed.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// How often opening starts over when others write the same row meanwhile.
const TRIES: usize = 8;

impl Records {
    /// Opens a store: reads its data keys, or makes some when it has none. Of many processes that
    /// begin at once, one makes them, and all use those.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`] when the store was made with a key that is not among `sealing`, and
    /// [`StoreError::NotEncrypted`] when it was made without one; nothing is changed then.
    pub async fn open(
        store: Arc<dyn Store>,
        sealing: SealingKeys,
        clock: SharedClock,
        entropy: SharedEntropy,
    ) -> Result<Self, StoreError> {
        Self::unlock(store, Lock::Keys(sealing), (clock, entropy)).await
    }

    /// Opens a store behind a lock.
    pub(crate) async fn unlock(
        store: Arc<dyn Store>,
        lock: Lock,
        (clock, entropy): (SharedClock, SharedEntropy),
    ) -> Result<Self, StoreError> {
        let keys = found_or_made(&*store, &lock, &clock, &entropy).await?;
        let held = Held {
            keys: Arc::new(keys),
            read_at: clock.monotonic(),
        };
        let own = store.siblings().join();
        let inner = Inner {
            store,
            lock,
            clock,
            entropy,
            sweep_interval: crate::handle::SWEEP_INTERVAL,
            keys: RwLock::new(held),
            own,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Says how often to sweep.
    pub(crate) fn sweeping_each(mut self, interval: Duration) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.inner) {
            inner.sweep_interval = interval;
        }
        self
    }

    /// Seals with a fresh data key from now on. What was sealed before stays readable; processes
    /// that share the store take the new key within a minute.
    ///
    /// # Errors
    /// [`StoreError`]; [`StoreError::TooLarge`] when 63 keys are retired and not forgotten.
    pub async fn rotate_data_key(&self) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let entropy = &*self.inner.entropy;
        self.change_keys(|keys| keys.rotated(entropy, now).map(Some))
            .await
    }

    /// Seals records of a collection anew that are sealed under a retired data key, looking at no
    /// more than `limit` of them. Where to go on; nothing when the collection is through.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn reseal<T: Record>(
        &self,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Option<Cursor>, StoreError> {
        self.reseal_in(T::COLLECTION, after, limit).await
    }

    /// [`reseal`](Self::reseal) for a collection whose records are of no matter.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn reseal_in(
        &self,
        collection: Collection,
        after: Option<Cursor>,
        limit: usize,
    ) -> Result<Option<Cursor>, StoreError> {
        let keys = self.fresh_keys().await?;
        let (inner, page) = (&*self.inner, super::page(after, limit));
        let rows = inner.store.list(collection, page).await?;
        let next = rows.last().map(|row| Cursor(row.key.digest));
        let next = next.filter(|_| rows.len() >= limit);
        let now = inner.clock.now();
        let old = |row: &Row| !keys.is_newest(row) && !row.is_expired(now);
        for row in rows.into_iter().filter(old) {
            let plain = self.open_value(&row).await?;
            let expected = row.value.clone();
            let value = keys.seal(&*inner.entropy, &row, &plain)?;
            let row = Row { value, ..row };
            // Whoever changed it meanwhile has sealed it anew.
            let (Committed::Yes | Committed::No) = inner
                .store
                .commit(vec![Change::Swap { expected, row }], now)
                .await?;
        }
        Ok(next)
    }

    /// Forgets data keys that were retired before that time. What is still sealed under one of them
    /// can never be read again: [`reseal`](Self::reseal) every collection first, and leave processes
    /// that share the store some minutes after [`rotate_data_key`](Self::rotate_data_key).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn forget_data_keys(&self, retired_before: Timestamp) -> Result<(), StoreError> {
        self.change_keys(|keys| keys.without_retired(retired_before))
            .await
    }

    /// The data keys, read again if that was long ago.
    pub(super) async fn fresh_keys(&self) -> Result<Arc<DataKeys>, StoreError> {
        let read_at = {
            let held = self.inner.keys.read();
            held.unwrap_or_else(PoisonError::into_inner).read_at
        };
        let age = self.inner.clock.monotonic().saturating_since(read_at);
        // SECURITY: a row sealed under a key that was retired and forgotten meanwhile is lost;
        // sec_st_05_no_process_seals_with_a_forgotten_key
        if age >= FRESH_FOR {
            return self.read_keys().await;
        }
        Ok(self.keys())
    }

    /// Reads the data keys again.
    pub(super) async fn read_keys(&self) -> Result<Arc<DataKeys>, StoreError> {
        let inner = &*self.inner;
        let row = inner.store.get(data_keys::ROW).await?;
        let row = row.ok_or(StoreError::Corrupt)?;
        let keys = DataKeys::from_row(&inner.lock, &row)?;
        Ok(self.hold(keys))
    }

    fn hold(&self, keys: DataKeys) -> Arc<DataKeys> {
        let keys = Arc::new(keys);
        let held = Held {
            keys: Arc::clone(&keys),
            read_at: self.inner.clock.monotonic(),
        };
        let place = self.inner.keys.write();
        *place.unwrap_or_else(PoisonError::into_inner) = held;
        keys
    }

    /// Changes the row of the keys, from whatever it is now; `change` may find nothing to do.
    async fn change_keys(
        &self,
        change: impl Fn(&DataKeys) -> Result<Option<DataKeys>, StoreError>,
    ) -> Result<(), StoreError> {
        let inner = &*self.inner;
        for _ in 0..TRIES {
            let row = inner.store.get(data_keys::ROW).await?;
            let read = row.ok_or(StoreError::Corrupt)?;
            let keys = DataKeys::from_row(&inner.lock, &read)?;
            let Some(next) = change(&keys)? else {
                self.hold(keys);
                return Ok(());
            };
            let row = next.to_row(&inner.lock, &*inner.entropy)?;
            let expected = read.value;
            let swap = vec![Change::Swap { expected, row }];
            if inner.store.commit(swap, inner.clock.now()).await? == Committed::Yes {
                self.hold(next);
                return Ok(());
            }
        }
        Err(busy())
    }
}

async fn found_or_made(
    store: &dyn Store,
    lock: &Lock,
    clock: &SharedClock,
    entropy: &SharedEntropy,
) -> Result<DataKeys, StoreError> {
    for _ in 0..TRIES {
        let (keys, change) = if let Some(row) = store.get(data_keys::ROW).await? {
            let keys = DataKeys::from_row(lock, &row)?;
            if lock.is_newest(&row) {
                return Ok(keys);
            }
            let expected = row.value;
            let row = keys.to_row(lock, &**entropy)?;
            (keys, Change::Swap { expected, row })
        } else {
            let keys = DataKeys::generate(&**entropy)?.behind(lock);
            let row = keys.to_row(lock, &**entropy)?;
            (keys, Change::Insert(row))
        };
        // SECURITY: of two processes that begin at once the second must take the keys of the first;
        // sec_st_11_all_who_open_an_empty_store_use_the_same_keys
        if store.commit(vec![change], clock.now()).await? == Committed::Yes {
            return Ok(keys);
        }
    }
    Err(busy())
}

fn busy() -> StoreError {
    StoreError::unavailable("others keep changing the keys of the store")
}
