//! What is expired, for whoever has to do more than forget it.

use portcullis_oauth::json;

use super::{Record, Records, StoreError};

impl Records {
    /// Removes expired records of a collection, at most so many, and returns what they held: for what
    /// has to be undone elsewhere. Of many callers, in this process or another, at most one gets each,
    /// and what was [swept](Self::sweep) before nobody gets, nor what cannot be opened. For collections
    /// whose keys are never used again.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn take_expired<T: Record>(&self, limit: usize) -> Result<Vec<T>, StoreError> {
        let now = self.inner.clock.now();
        let store = &self.inner.store;
        let rows = store.list_ending(T::COLLECTION, limit).await?;
        let mut all = Vec::new();
        for row in rows.into_iter().filter(|row| row.is_expired(now)) {
            let taken = store.take(row.key).await;
            self.inner.own.tell();
            let Some(taken) = taken? else {
                continue;
            };
            let plain = self.open_value(&taken).await;
            all.extend(plain.ok().and_then(|plain| json::from_own(&plain).ok()));
        }
        Ok(all)
    }
}
