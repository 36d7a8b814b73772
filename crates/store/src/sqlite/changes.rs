//! Changes, as they are made within the writer's transaction.

use portcullis_oauth::Timestamp;
use rusqlite::{OptionalExtension as _, Result};

use super::recent::Touched;
use super::rows::{self, Found};
use super::writer::{Done, Writing};
use crate::{Change, Committed, Row, RowKey};

/// Makes all changes; what was made before one that cannot be made is to go.
pub(super) fn commit(
    writing: &Writing<'_>,
    changes: &[Change],
    now: Timestamp,
) -> Result<Done<Committed>> {
    for change in changes {
        if make(writing, change, now)? == Committed::No {
            return Ok(Done::Undone(Committed::No));
        }
    }
    Ok(Done::Kept(Committed::Yes))
}

/// Removes the row at a key and returns it.
pub(super) fn take(writing: &Writing<'_>, key: RowKey) -> Result<Done<Option<Row>>> {
    let found = rows::find(writing, key.collection.name(), &key.digest)?;
    if let Some(found) = &found {
        erase(writing, key.collection.name(), &key.digest, found)?;
    }
    Ok(Done::Kept(found.map(|found| found.into_row(key))))
}

/// Deletes expired rows, at most so many. It begins behind that collection, and goes round.
pub(super) fn sweep(
    writing: &Writing<'_>,
    now: Timestamp,
    limit: usize,
    after: &str,
) -> Result<Done<Swept>> {
    let mut all = Vec::new();
    while let Some(next) = next_collection(writing, all.last().map_or("", String::as_str))? {
        all.push(next);
    }
    let behind = all.partition_point(|name| name.as_str() <= after);
    all.rotate_left(behind);
    let mut rows = 0;
    for name in &all {
        for digest in expired(writing, name, now, limit.saturating_sub(rows))? {
            delete(writing, name, &digest)?;
            rows += 1;
        }
    }
    let first = all.into_iter().next().unwrap_or_default();
    Ok(Done::Kept(Swept { rows, first }))
}

/// What became of sweeping.
pub(super) struct Swept {
    pub(super) rows: usize,
    /// The collection that came first.
    pub(super) first: String,
}

/// Makes one change, if its condition holds.
fn make(writing: &Writing<'_>, change: &Change, now: Timestamp) -> Result<Committed> {
    let live = |found: &Option<Found>| found.as_ref().is_some_and(|found| !found.is_expired(now));
    let is = |found: &Option<Found>, expected: &[u8]| {
        live(found) && found.as_ref().is_some_and(|found| found.value == expected)
    };
    let at = |key: &RowKey| rows::find(writing, key.collection.name(), &key.digest);
    match change {
        Change::Insert(row) => {
            let found = at(&row.key)?;
            if live(&found) {
                return Ok(Committed::No);
            }
            write(writing, found, row)?;
        }
        Change::Swap { expected, row } => {
            let found = at(&row.key)?;
            if !is(&found, expected) {
                return Ok(Committed::No);
            }
            write(writing, found, row)?;
        }
        Change::Remove { key, expected } => {
            let found = at(key)?;
            if !is(&found, expected) {
                return Ok(Committed::No);
            }
            if let Some(found) = found {
                erase(writing, key.collection.name(), &key.digest, &found)?;
            }
        }
        Change::Put(row) => write(writing, at(&row.key)?, row)?,
        Change::Delete(key) => delete(writing, key.collection.name(), &key.digest)?,
        Change::DeleteFamily(family) => {
            for (collection, digest) in members(writing, family)? {
                delete(writing, &collection, &digest)?;
            }
        }
    }
    Ok(Committed::Yes)
}

/// Writes a row in the place of what is there.
fn write(writing: &Writing<'_>, found: Option<Found>, row: &Row) -> Result<()> {
    let (collection, digest) = (row.key.collection.name(), &row.key.digest);
    let families = row.families.as_flattened();
    let expires_at = row.expires_at.map(Timestamp::as_secs);
    let kept = found
        .as_ref()
        .is_some_and(|found| found.families == families);
    if let Some(found) = found {
        let update = "UPDATE rows SET value = ?2, expires_at = ?3, families = ?4 WHERE id = ?1";
        let mut update = writing.prepare_cached(update)?;
        update.execute((found.id, &*row.value, expires_at, families))?;
        if !kept {
            leave_families(writing, collection, digest, &found)?;
        }
    } else {
        // Otherwise each insert keeps a copy of the pages that it changes; see the triggers.
        let insert = "INSERT OR FAIL INTO rows (collection, digest, value, expires_at, families)
                      VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = writing.prepare_cached(insert)?;
        insert.execute((collection, digest, &*row.value, expires_at, families))?;
    }
    if !kept {
        let join = "INSERT OR IGNORE INTO families VALUES (?1, ?2, ?3)";
        let mut join = writing.prepare_cached(join)?;
        for family in &row.families {
            join.execute((family, collection, digest))?;
        }
    }
    writing.touch(Touched::Written(row.clone()));
    Ok(())
}

fn delete(writing: &Writing<'_>, collection: &str, digest: &[u8]) -> Result<()> {
    match rows::find(writing, collection, digest)? {
        Some(found) => erase(writing, collection, digest, &found),
        None => Ok(()),
    }
}

fn erase(writing: &Writing<'_>, collection: &str, digest: &[u8], found: &Found) -> Result<()> {
    let delete = "DELETE FROM rows WHERE id = ?1";
    writing.prepare_cached(delete)?.execute((found.id,))?;
    // Of another length there is none that was kept.
    if let Ok(digest) = digest.try_into() {
        writing.touch(Touched::Erased(digest));
    }
    leave_families(writing, collection, digest, found)
}

fn leave_families(
    writing: &Writing<'_>,
    collection: &str,
    digest: &[u8],
    found: &Found,
) -> Result<()> {
    let leave = "DELETE FROM families WHERE family = ?1 AND collection = ?2 AND digest = ?3";
    let mut leave = writing.prepare_cached(leave)?;
    let (families, _) = found.families.as_chunks::<32>();
    for family in families {
        leave.execute((family, collection, digest))?;
    }
    Ok(())
}

fn members(writing: &Writing<'_>, family: &[u8; 32]) -> Result<Vec<(String, Vec<u8>)>> {
    let query = "SELECT collection, digest FROM families WHERE family = ?1";
    let mut query = writing.prepare_cached(query)?;
    let members = query.query_map((family,), |row| Ok((row.get(0)?, row.get(1)?)))?;
    members.collect()
}

fn next_collection(writing: &Writing<'_>, after: &str) -> Result<Option<String>> {
    let query = "SELECT collection FROM rows WHERE collection > ?1 ORDER BY collection LIMIT 1";
    let mut query = writing.prepare_cached(query)?;
    query.query_row((after,), |row| row.get(0)).optional()
}

fn expired(
    writing: &Writing<'_>,
    collection: &str,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Vec<u8>>> {
    let query = "SELECT digest FROM rows WHERE collection = ?1 AND expires_at <= ?2
                 ORDER BY expires_at LIMIT ?3";
    let mut query = writing.prepare_cached(query)?;
    let parameters = (collection, now.as_secs(), rows::limit(limit));
    query.query_map(parameters, |row| row.get(0))?.collect()
}
