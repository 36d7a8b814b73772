//! Rows that this process wrote lately: whoever reads what was just written asks no database.
//!
//! The thread that writes is the only one that keeps rows here. It forgets what it is about to change
//! before it commits, and keeps what it wrote before that is answered. With each row stands how many
//! commits of others there were before it: after one more, nobody believes it.

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::{Row, RowKey};

/// About how many bytes of rows are kept.
const MOST: u64 = 8 * 1024 * 1024;
/// How many rows that is, as they are.
const USUAL: usize = 8 * 1024;
/// What a row takes beside its value.
const MORE: usize = 256;

/// What was written lately, sealed as it is in the file.
pub(super) struct Recent(Cache<[u8; 32], Kept, Weights>);

#[derive(Clone)]
struct Kept {
    row: Row,
    foreign: u64,
}

#[derive(Clone)]
struct Weights;

impl Weighter<[u8; 32], Kept> for Weights {
    fn weight(&self, _: &[u8; 32], kept: &Kept) -> u64 {
        let bytes = kept.row.value.len().saturating_add(MORE);
        u64::try_from(bytes).unwrap_or(MOST)
    }
}

/// What a transaction does to a row.
pub(super) enum Touched {
    /// It is this now.
    Written(Row),
    /// The row of that digest is gone.
    Erased([u8; 32]),
}

impl Touched {
    fn digest(&self) -> &[u8; 32] {
        match self {
            Self::Written(row) => &row.key.digest,
            Self::Erased(digest) => digest,
        }
    }
}

impl Recent {
    pub(super) fn new() -> Self {
        Self(Cache::with_weighter(USUAL, MOST, Weights))
    }

    /// The row at a key, if it is known. `foreign` was
    /// [asked](super::watcher::Watcher::foreign_changes) before.
    pub(super) fn get(&self, key: &RowKey, foreign: u64) -> Option<Row> {
        let kept = self.0.get(&key.digest)?;
        // SECURITY: what another process may have changed since is asked of the file (RFC 7009 section
        // 2.1); sec_rv_02_a_row_that_another_process_changes_is_read_anew
        let is_current = kept.foreign == foreign && kept.row.key == *key;
        is_current.then_some(kept.row)
    }

    /// Called before a commit. Until it has succeeded, these rows are read from the file.
    pub(super) fn changing(&self, touched: Vec<Touched>) -> Changing<'_> {
        // SECURITY: once others can see the change nobody here is given what was there before, also
        // where nobody knows whether it happened (RFC 7009 section 2.1);
        // sec_rv_02_what_may_have_changed_is_read_anew
        for touched in &touched {
            self.0.remove(touched.digest());
        }
        Changing {
            recent: self,
            touched,
        }
    }
}

/// Rows that are about to change.
#[must_use = "rows are kept once they have changed"]
pub(super) struct Changing<'a> {
    recent: &'a Recent,
    touched: Vec<Touched>,
}

impl Changing<'_> {
    /// They have changed, after so many commits of others.
    pub(super) fn happened(self, foreign: u64) {
        let rows = &self.recent.0;
        for touched in self.touched {
            match touched {
                Touched::Written(row) => rows.insert(row.key.digest, Kept { row, foreign }),
                Touched::Erased(digest) => drop(rows.remove(&digest)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Collection;

    fn row(at: u8, value: &'static str) -> Row {
        let key = RowKey::new(Collection::new("note"), [at; 32]);
        Row::new(key, value.as_bytes().into())
    }

    fn written(at: u8, value: &'static str) -> Vec<Touched> {
        vec![Touched::Written(row(at, value))]
    }

    #[test]
    fn sec_rv_02_what_may_have_changed_is_read_anew() {
        let recent = Recent::new();
        recent.changing(written(1, "first")).happened(0);
        assert_eq!(recent.get(&row(1, "").key, 0), Some(row(1, "first")));
        let changing = recent.changing(written(1, "second"));
        assert_eq!(recent.get(&row(1, "").key, 0), None, "it may be there");
        drop(changing);
        assert_eq!(recent.get(&row(1, "").key, 0), None, "and stay");
    }

    #[test]
    fn the_last_of_a_transaction_counts() {
        let recent = Recent::new();
        let mut touched = written(1, "first");
        touched.push(Touched::Erased([1; 32]));
        touched.extend(written(2, "first"));
        touched.extend(written(2, "second"));
        recent.changing(touched).happened(3);
        assert_eq!(recent.get(&row(1, "").key, 3), None);
        assert_eq!(recent.get(&row(2, "").key, 3), Some(row(2, "second")));
        assert_eq!(recent.get(&row(2, "").key, 4), None, "others came");
        let elsewhere = RowKey::new(Collection::new("other"), [2; 32]);
        assert_eq!(recent.get(&elsewhere, 3), None);
    }

    #[test]
    fn there_is_a_bound() {
        let recent = Recent::new();
        let large = "x".repeat(60_000).leak();
        for at in 0..u8::MAX {
            for other in 0..4 {
                let mut row = row(at, large);
                row.key.digest[0] = other;
                recent.changing(vec![Touched::Written(row)]).happened(0);
            }
        }
        assert!(recent.0.weight() <= MOST);
    }
}
