//! A store in one SQLite file, which several processes may share.
//!
//! One thread writes. Changes that arrive while it waits for the disk go into its next transaction
//! together. If one of them fails half-way, all are rolled back and done again, each in a savepoint of
//! its own, so that it fails alone. They are answered once all is on the disk: many callers share one
//! `fsync`. Reads have connections of their own, see everything that was answered, and wait for no
//! writer; what was written lately is read out of memory, as long as no other process has changed
//! anything since.

use std::fmt;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use portcullis_oauth::Timestamp;

use self::connection::Database;
use self::readers::Readers;
use self::recent::Recent;
use self::watcher::Watcher;
use self::writer::{Writer, Writing};
use crate::{Change, Collection, Committed, Page, Row, RowKey, Siblings, Store, StoreError};

mod changes;
mod connection;
mod index;
mod place;
mod readers;
mod recent;
mod rows;
mod schema;
mod watcher;
mod writer;

/// Rows that one transaction sweeps; others wait for it.
const SWEEP_AT_ONCE: usize = 200;
/// Rows of a family that are read without another thread; most users have one or two.
const FEW: usize = 100;

/// A store in a SQLite file.
pub(crate) struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: Arc<Readers>,
    recent: Arc<Recent>,
    watcher: Watcher,
    siblings: Siblings,
    /// Which collection was swept first the last time. Each time it is another, so that one where much
    /// ends keeps none of the others.
    swept_first: Mutex<String>,
}

impl SqliteStore {
    /// Opens the file, which there is, and brings it to the format of this version. This waits for
    /// the disk.
    pub(crate) fn open(path: &Path, writer_id: i64) -> Result<Self, StoreError> {
        let database = Arc::new(Database::open(path.to_owned())?);
        let connection = database
            .connect()
            .map_err(|error| schema::fault(path, error))?;
        let commits = schema::migrate(path, &connection)?;
        let watcher = Watcher::start(Arc::clone(&database), writer_id)?;
        let recent = Arc::new(Recent::new());
        let (shared, numbers) = (Arc::clone(&database), (writer_id, commits));
        let writer = Writer::start(shared, connection, numbers, Arc::clone(&recent))?;
        Ok(Self {
            path: path.to_owned(),
            writer,
            readers: Arc::new(Readers::new(database)),
            recent,
            watcher,
            siblings: Siblings::default(),
            swept_first: Mutex::default(),
        })
    }
}

impl SqliteStore {
    fn swept_first(&self) -> MutexGuard<'_, String> {
        let held = self.swept_first.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Store for SqliteStore {
    fn get(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        let foreign = self.watcher.foreign_changes();
        if let Some(row) = self.recent.get(&key, foreign) {
            return Box::pin(ready(Ok(Some(row))));
        }
        Box::pin(self.readers.read_soon(move |connection| {
            let found = rows::find(connection, key.collection.name(), &key.digest)?;
            Ok(found.map(|found| found.into_row(key)))
        }))
    }

    fn take(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>> {
        Box::pin(
            self.writer
                .run(move |writing: &Writing<'_>| changes::take(writing, key)),
        )
    }

    fn commit(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Committed, StoreError>> {
        let work = move |writing: &Writing<'_>| changes::commit(writing, &changes, now);
        Box::pin(self.writer.run(work))
    }

    fn list(
        &self,
        collection: Collection,
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        let query = move |connection: &_| rows::list(connection, collection, page);
        Box::pin(self.readers.read(query))
    }

    fn list_family(
        &self,
        collection: Collection,
        family: [u8; 32],
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        let query = move |connection: &_| rows::list_family(connection, collection, &family, page);
        Box::pin(async move {
            if page.limit <= FEW {
                return self.readers.read_soon(query).await;
            }
            self.readers.read(query).await
        })
    }

    fn count(&self, collection: Collection) -> BoxFuture<'_, Result<u64, StoreError>> {
        let query = move |connection: &_| rows::count(connection, collection);
        Box::pin(self.readers.read_soon(query))
    }

    fn count_family(
        &self,
        collection: Collection,
        family: [u8; 32],
    ) -> BoxFuture<'_, Result<u64, StoreError>> {
        let query = move |connection: &_| rows::count_family(connection, collection, &family);
        Box::pin(self.readers.read_soon(query))
    }

    fn list_ending(
        &self,
        collection: Collection,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>> {
        let query = move |connection: &_| rows::list_ending(connection, collection, limit);
        Box::pin(self.readers.read(query))
    }

    fn sweep(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>> {
        Box::pin(async move {
            let (mut swept, mut left) = (0_u64, limit);
            while left > 0 {
                let some = left.min(SWEEP_AT_ONCE);
                let after = self.swept_first().clone();
                let work = move |writing: &Writing<'_>| changes::sweep(writing, now, some, &after);
                let done = self.writer.run(work).await?;
                *self.swept_first() = done.first;
                swept = swept.saturating_add(u64::try_from(done.rows).unwrap_or(u64::MAX));
                if done.rows < some {
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

    fn foreign_changes(&self) -> u64 {
        self.watcher.foreign_changes()
    }
}

#[cfg(test)]
mod tests;
