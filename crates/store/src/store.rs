//! The contract between a database and everything that is kept in it.

use std::fmt;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use portcullis_oauth::Timestamp;

use crate::{Collection, Siblings, StoreError};

/// Where a row is: its collection, and the digest of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct RowKey {
    /// The collection.
    pub collection: Collection,
    /// A keyed digest of the key. Nothing can be read from it.
    pub digest: [u8; 32],
}

impl RowKey {
    /// The place in that collection.
    pub const fn new(collection: Collection, digest: [u8; 32]) -> Self {
        Self { collection, digest }
    }
}

/// A row. No two values that were ever written are equal, because each is sealed under a nonce of its
/// own; so comparing values tells whether a row was changed since it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Row {
    /// Where it is.
    pub key: RowKey,
    /// What is in it, sealed.
    pub value: Bytes,
    /// From when on it is as good as gone; nothing if never.
    pub expires_at: Option<Timestamp>,
    /// Digests of the families that it belongs to.
    pub families: Vec<[u8; 32]>,
}

impl Row {
    /// A row without an end, in no family.
    pub const fn new(key: RowKey, value: Bytes) -> Self {
        Self {
            key,
            value,
            expires_at: None,
            families: Vec::new(),
        }
    }

    /// Whether it is as good as gone.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}

/// One change of a batch. The first three have a condition; if one of a batch does not hold, nothing
/// of the batch happens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a store that does not know a change cannot make it"
)]
pub enum Change {
    /// A new row. Condition: there is none at its key, or an expired one.
    Insert(Row),
    /// Another row in the place of one that was read. Condition: the row at its key still has this
    /// value, and is not expired.
    Swap {
        /// The value that was read.
        expected: Bytes,
        /// What comes in its place.
        row: Row,
    },
    /// No row in the place of one that was read. Condition: as for `Swap`.
    Remove {
        /// Where it is.
        key: RowKey,
        /// The value that was read.
        expected: Bytes,
    },
    /// A row, whatever was there.
    Put(Row),
    /// No row, whatever was there.
    Delete(RowKey),
    /// No row of this family.
    DeleteFamily([u8; 32]),
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a batch may not have happened"]
#[expect(clippy::exhaustive_enums, reason = "all or nothing")]
pub enum Committed {
    /// All of it happened.
    Yes,
    /// A condition did not hold, and nothing happened.
    No,
}

/// Where a listing goes on: behind this digest, at most so many rows, in the order of digests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The last row that was seen.
    pub after: Option<[u8; 32]>,
    /// The most rows.
    pub limit: usize,
}

impl Page {
    /// So many rows from the start.
    pub const fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// So many rows behind that one.
    pub const fn after(digest: [u8; 32], limit: usize) -> Self {
        Self {
            after: Some(digest),
            limit,
        }
    }
}

/// A database.
///
/// All of it is linearizable, and `commit` is atomic over its whole batch: a database that cannot do
/// that is no store. `now` comes from the caller, so that one clock decides what is expired.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The row at a key, also when it is expired: the caller looks at its end.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], as every operation.
    fn get(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>>;

    /// Removes the row at a key and returns it. Of many callers at most one gets it.
    fn take(&self, key: RowKey) -> BoxFuture<'_, Result<Option<Row>, StoreError>>;

    /// Makes all of these changes, in their order, or none of them.
    fn commit(
        &self,
        changes: Vec<Change>,
        now: Timestamp,
    ) -> BoxFuture<'_, Result<Committed, StoreError>>;

    /// Rows of a collection.
    fn list(
        &self,
        collection: Collection,
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>>;

    /// Rows of one collection that belong to a family.
    fn list_family(
        &self,
        collection: Collection,
        family: [u8; 32],
        page: Page,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>>;

    /// About how many rows of a collection there are, expired ones included.
    fn count(&self, collection: Collection) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// How many rows of one collection belong to a family, expired ones included. No row is read for
    /// it, so it costs little however large they are.
    fn count_family(
        &self,
        collection: Collection,
        family: [u8; 32],
    ) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Rows of a collection that end first, at most so many; those without an end last.
    fn list_ending(
        &self,
        collection: Collection,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Row>, StoreError>>;

    /// Deletes at most `limit` expired rows and says how many. It never blocks other operations for
    /// long.
    fn sweep(&self, now: Timestamp, limit: usize) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Who has opened this store in this process: one value for as long as there is the store, and the
    /// same for everything that is this store, clones too. It makes up for what
    /// [`foreign_changes`](Self::foreign_changes) does not count.
    fn siblings(&self) -> &Siblings;

    /// A number that differs from the last one if another process may have changed something since.
    /// Changes of this process do not count. Called on the way of requests: it must be cheap, and
    /// answers from memory or from a file that is mapped.
    fn foreign_changes(&self) -> u64;
}
