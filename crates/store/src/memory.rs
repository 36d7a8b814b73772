//! A store in memory: for tests, for development, and for servers that may forget.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use portcullis_oauth::Timestamp;

use crate::{
    Change, Collection, Committed, DangerousStore, Page, Row, RowKey, SealingKeys, Siblings, Store,
    StoreError, StoreHandle,
};

/// Rows that are swept before others have a turn.
const SWEEP_AT_ONCE: usize = 200;

/// A store in memory. It ends with the process, and so does every login in it.
///
/// Cheap to clone; all clones are one store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    tables: Arc<Mutex<Tables>>,
    keys: Arc<OnceLock<SealingKeys>>,
    siblings: Siblings,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same store with a hole.
    pub fn dangerous(self) -> DangerousStore {
        StoreHandle::from(self).dangerous()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing in here panics between two changes of a batch.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl From<MemoryStore> for StoreHandle {
    fn from(store: MemoryStore) -> Self {
        let keys = Arc::clone(&store.keys);
        Self::ephemeral(Arc::new(store), keys)
    }
}

impl Store for MemoryStore {
    fn get(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        Box::pin(async move { Ok(self.tables().rows.get(&key).cloned()) })
    }

    fn take(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        Box::pin(async move { Ok(self.tables().replace(key, None)) })
    }

    fn commit(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Committed, StoreError>> {
        Box::pin(async move { Ok(self.tables().commit(changes, now)) })
    }

    fn list(
        &self,
        collection: Collection,
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            let tables = self.tables();
            let range = tables.rows.range(range(collection, page.after));
            Ok(range.map(|(_, row)| row.clone()).take(page.limit).collect())
        })
    }

    fn list_family(
        &self,
        collection: Collection,
        family: [u8; 32],
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            let tables = self.tables();
            let Some(keys) = tables.families.get(&family) else {
                return Ok(Vec::new());
            };
            let keys = keys.range(range(collection, page.after));
            let rows = keys.filter_map(|key| tables.rows.get(key).cloned());
            Ok(rows.take(page.limit).collect())
        })
    }

    fn count(&self, collection: Collection) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move { Ok(self.tables().counts.get(&collection).map_or(0, |n| *n)) })
    }

    fn count_family(
        &self,
        collection: Collection,
        family: [u8; 32],
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let tables = self.tables();
            let members = tables.families.get(&family);
            let count = members.map_or(0, |keys| keys.range(range(collection, None)).count());
            Ok(u64::try_from(count).unwrap_or(u64::MAX))
        })
    }

    fn list_ending(
        &self,
        collection: Collection,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        Box::pin(async move {
            let tables = self.tables();
            let ends = tables.ends_of(collection).map(|(_, _, key)| key);
            let endless = tables.rows.range(range(collection, None));
            let endless = endless.filter(|(_, row)| row.expires_at.is_none());
            let keys = ends.chain(endless.map(|(key, _)| key));
            let rows = keys.filter_map(|key| tables.rows.get(key).cloned());
            Ok(rows.take(limit).collect())
        })
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let (mut swept, mut left) = (0_u64, limit);
            while left > 0 {
                let some = left.min(SWEEP_AT_ONCE);
                let done = self.tables().sweep(now, some);
                swept = swept.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
                if done < some {
                    break;
                }
                left -= some;
            }
            Ok(swept)
        })
    }

    fn siblings(&self) -> &Siblings {
        &self.siblings
    }

    /// Memory is shared with nobody.
    fn foreign_changes(&self) -> u64 {
        0
    }
}

#[derive(Default)]
struct Tables {
    rows: BTreeMap<RowKey, Row>,
    families: BTreeMap<[u8; 32], BTreeSet<RowKey>>,
    ends: BTreeSet<End>,
    /// How many rows each collection has, if any.
    counts: BTreeMap<Collection, u64>,
    /// Which collection was swept first the last time.
    swept_first: Option<Collection>,
}

/// When a row ends, in the order in which they are looked for.
type End = (Collection, Timestamp, RowKey);

impl Tables {
    fn commit(&mut self, changes: Vec<Change>, now: Timestamp) -> Committed {
        let mut undo = Vec::with_capacity(changes.len());
        for change in changes {
            if !self.holds(&change, now) {
                for (key, before) in undo.into_iter().rev() {
                    self.replace(key, before);
                }
                return Committed::No;
            }
            self.make(change, &mut undo);
        }
        Committed::Yes
    }

    /// Whether the condition of a change holds.
    fn holds(&self, change: &Change, now: Timestamp) -> bool {
        let live = |key| self.rows.get(key).filter(|row| !row.is_expired(now));
        let is = |key, expected: &Bytes| live(key).is_some_and(|row| row.value == *expected);
        match change {
            Change::Insert(row) => live(&row.key).is_none(),
            Change::Swap { expected, row } => is(&row.key, expected),
            Change::Remove { key, expected } => is(key, expected),
            Change::Put(_) | Change::Delete(_) | Change::DeleteFamily(_) => true,
        }
    }

    fn make(&mut self, change: Change, undo: &mut Vec<(RowKey, Option<Row>)>) {
        match change {
            Change::Insert(row) | Change::Swap { row, .. } | Change::Put(row) => {
                undo.push((row.key, self.replace(row.key, Some(row))));
            }
            Change::Remove { key, .. } | Change::Delete(key) => {
                undo.push((key, self.replace(key, None)));
            }
            Change::DeleteFamily(family) => {
                for key in self.families.get(&family).cloned().unwrap_or_default() {
                    undo.push((key, self.replace(key, None)));
                }
            }
        }
    }

    /// Puts a row, or none, in the place of what is there.
    fn replace(&mut self, key: RowKey, row: Option<Row>) -> Option<Row> {
        let before = self.rows.remove(&key);
        if let Some(before) = &before {
            self.count(key.collection, -1);
            if let Some(end) = before.expires_at {
                self.ends.remove(&(key.collection, end, key));
            }
            for family in &before.families {
                if let Some(keys) = self.families.get_mut(family) {
                    keys.remove(&key);
                    if keys.is_empty() {
                        self.families.remove(family);
                    }
                }
            }
        }
        if let Some(row) = row {
            self.count(key.collection, 1);
            if let Some(end) = row.expires_at {
                self.ends.insert((key.collection, end, key));
            }
            for family in &row.families {
                self.families.entry(*family).or_default().insert(key);
            }
            self.rows.insert(key, row);
        }
        before
    }

    /// One row more, or less.
    fn count(&mut self, collection: Collection, change: i64) {
        let count = self.counts.entry(collection).or_default();
        *count = count.saturating_add_signed(change);
        if *count == 0 {
            self.counts.remove(&collection);
        }
    }

    /// Deletes at most so many expired rows. Each time another collection comes first, so that one
    /// where much ends keeps none of the others.
    fn sweep(&mut self, now: Timestamp, limit: usize) -> usize {
        let after = |last: Option<Collection>| match last {
            Some(last) => (Bound::Excluded(last), Bound::Unbounded),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let behind = self.counts.range(after(self.swept_first));
        let all: Vec<_> = behind.chain(&self.counts).map(|(name, _)| *name).collect();
        self.swept_first = all.first().copied();
        let mut swept = 0;
        for collection in all {
            let expired = self.ends_of(collection);
            let expired = expired.take_while(|(_, end, _)| *end <= now);
            let keys: Vec<_> = expired
                .take(limit - swept)
                .map(|(_, _, key)| *key)
                .collect();
            swept += keys.len();
            for key in keys {
                self.replace(key, None);
            }
        }
        swept
    }

    /// What ends of a collection, the first first.
    fn ends_of(&self, collection: Collection) -> impl Iterator<Item = &End> {
        let first = RowKey::new(collection, [0; 32]);
        let ends = self
            .ends
            .range((collection, Timestamp::from_secs(i64::MIN), first)..);
        ends.take_while(move |(of, _, _)| *of == collection)
    }
}

/// The keys of a collection behind a digest.
fn range(collection: Collection, after: Option<[u8; 32]>) -> (Bound<RowKey>, Bound<RowKey>) {
    let first = match after {
        Some(digest) => Bound::Excluded(RowKey::new(collection, digest)),
        None => Bound::Included(RowKey::new(collection, [0; 32])),
    };
    let last = Bound::Included(RowKey::new(collection, [u8::MAX; 32]));
    (first, last)
}
