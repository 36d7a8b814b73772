//! Several changes as one.

use std::fmt;

use bytes::Bytes;
use portcullis_oauth::json;
use zeroize::Zeroizing;

use super::{MAX_RECORD, Records, Stored};
use crate::data_keys::DataKeys;
use crate::{Change, Committed, Family, Record, Row, RowKey, StoreError};

const MAX_FAMILIES: usize = 4;

/// Changes that happen together or not at all, in the order in which they were named.
///
/// A record that cannot be stored, because it is too large, is told by [`commit`](Self::commit).
#[must_use = "nothing happens before `commit`"]
pub struct Batch<'a> {
    records: &'a Records,
    drafts: Vec<Draft>,
    fault: Option<StoreError>,
}

/// A change whose value is not sealed yet: with which key that is done, is decided when it is
/// committed.
enum Draft {
    Insert(Plain),
    Swap { expected: Bytes, next: Plain },
    Put(Plain),
    Ready(Change),
}

struct Plain {
    row: Row,
    body: Zeroizing<Vec<u8>>,
}

impl<'a> Batch<'a> {
    pub(super) const fn new(records: &'a Records) -> Self {
        Self {
            records,
            drafts: Vec::new(),
            fault: None,
        }
    }

    /// Stores a record. Condition: there is none of its key, or an expired one.
    pub fn insert<T: Record>(self, record: &T) -> Self {
        self.draft(record, Draft::Insert)
    }

    /// Stores a record in the place of one that was read. Condition: that is still there, and not
    /// expired. Both have the same key.
    pub fn swap<T: Record>(self, read: &Stored<T>, next: &T) -> Self {
        let expected = read.value.clone();
        self.draft(next, |next| Draft::Swap { expected, next })
    }

    /// Removes a record that was read. Condition: it is still there, and not expired.
    pub fn remove<T: Record>(mut self, read: &Stored<T>) -> Self {
        let change = Change::Remove {
            key: self.records.row_key::<T>(&read.key()),
            expected: read.value.clone(),
        };
        self.drafts.push(Draft::Ready(change));
        self
    }

    /// Stores a record, whatever was there.
    pub fn put<T: Record>(self, record: &T) -> Self {
        self.draft(record, Draft::Put)
    }

    /// Removes the record of that key, if there is one.
    pub fn delete<T: Record>(mut self, key: &[u8]) -> Self {
        let change = Change::Delete(self.records.row_key::<T>(key));
        self.drafts.push(Draft::Ready(change));
        self
    }

    /// Removes all records that belong to a family, of every collection.
    pub fn delete_family(mut self, family: &Family) -> Self {
        let change = Change::DeleteFamily(self.records.keys().family(family));
        self.drafts.push(Draft::Ready(change));
        self
    }

    /// Makes all of the changes, or, when a condition does not hold, none of them.
    ///
    /// # Errors
    /// [`StoreError`]; after [`StoreError::Unavailable`] all or nothing happened, and which of them
    /// is not known.
    pub async fn commit(self) -> Result<Committed, StoreError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.drafts.is_empty() {
            return Ok(Committed::Yes);
        }
        let keys = self.records.fresh_keys().await?;
        let seal = |draft| self.records.seal_draft(&keys, draft);
        let changes: Result<Vec<_>, _> = self.drafts.into_iter().map(seal).collect();
        let inner = &self.records.inner;
        let committed = inner.store.commit(changes?, inner.clock.now()).await;
        // SECURITY: whoever remembers what it read forgets it before this is answered, also where
        // nobody knows whether it happened (RFC 7009 section 2.1);
        // sec_rv_02_whoever_shares_a_store_in_one_process_hears_of_changes,
        // sec_rv_02_a_change_whose_answer_is_lost_is_heard_of
        if !matches!(committed, Ok(Committed::No)) {
            inner.own.tell();
        }
        committed
    }

    fn draft<T: Record>(mut self, record: &T, kind: impl FnOnce(Plain) -> Draft) -> Self {
        match self.records.plain(record) {
            Ok(plain) => self.drafts.push(kind(plain)),
            Err(fault) => self.fault = self.fault.or(Some(fault)),
        }
        self
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("changes", &self.drafts.len())
            .finish_non_exhaustive()
    }
}

impl Records {
    /// The row of a record, without its value, which comes beside it.
    fn plain<T: Record>(&self, record: &T) -> Result<Plain, StoreError> {
        let body = json::to_vec(record).map(Zeroizing::new);
        let body = body.map_err(StoreError::unavailable)?;
        let keys = self.keys();
        let families = record.families();
        if body.len() > MAX_RECORD || families.len() > MAX_FAMILIES {
            return Err(StoreError::TooLarge);
        }
        let digest = keys.digest(T::COLLECTION, &record.key());
        let mut row = Row::new(RowKey::new(T::COLLECTION, digest), Bytes::new());
        row.expires_at = record.expires_at();
        row.families = families.iter().map(|family| keys.family(family)).collect();
        row.families.sort_unstable();
        row.families.dedup();
        Ok(Plain { row, body })
    }

    fn seal_draft(&self, keys: &DataKeys, draft: Draft) -> Result<Change, StoreError> {
        let seal = |mut plain: Plain| {
            let entropy = &*self.inner.entropy;
            plain.row.value = keys.seal(entropy, &plain.row, &plain.body)?;
            Ok::<_, StoreError>(plain.row)
        };
        Ok(match draft {
            Draft::Insert(plain) => Change::Insert(seal(plain)?),
            Draft::Put(plain) => Change::Put(seal(plain)?),
            Draft::Swap { expected, next } => Change::Swap {
                expected,
                row: seal(next)?,
            },
            Draft::Ready(change) => change,
        })
    }
}
