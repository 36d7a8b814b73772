//! Rows, as they are read. Every parameter is bound; no statement is put together from values.

use portcullis_oauth::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Result};

use crate::{Collection, Page, Row, RowKey};

/// A row of the table, as it stands there.
pub(super) struct Found {
    pub(super) id: i64,
    pub(super) value: Vec<u8>,
    pub(super) expires_at: Option<i64>,
    pub(super) families: Vec<u8>,
}

impl Found {
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now.as_secs())
    }

    pub(super) fn into_row(self, key: RowKey) -> Row {
        let (families, _) = self.families.as_chunks();
        let mut row = Row::new(key, self.value.into());
        row.expires_at = self.expires_at.map(Timestamp::from_secs);
        row.families = families.to_vec();
        row
    }

    fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            value: row.get(1)?,
            expires_at: row.get(2)?,
            families: row.get(3)?,
        })
    }
}

/// The row at a key.
pub(super) fn find(
    connection: &Connection,
    collection: &str,
    digest: &[u8],
) -> Result<Option<Found>> {
    let query = "SELECT id, value, expires_at, families FROM rows
                 WHERE collection = ?1 AND digest = ?2";
    let mut query = connection.prepare_cached(query)?;
    query
        .query_row((collection, digest), Found::read)
        .optional()
}

/// Rows of a collection, in the order of digests.
pub(super) fn list(
    connection: &Connection,
    collection: Collection,
    page: Page,
) -> Result<Vec<Row>> {
    let query = "SELECT id, value, expires_at, families, digest FROM rows
                 WHERE collection = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3";
    let query = connection.prepare_cached(query)?;
    let (after, limit) = (after(&page), limit(page.limit));
    all(query, collection, (collection.name(), after, limit))
}

/// Rows of a family, in the order of digests.
pub(super) fn list_family(
    connection: &Connection,
    collection: Collection,
    family: &[u8; 32],
    page: Page,
) -> Result<Vec<Row>> {
    let query = "SELECT rows.id, value, expires_at, families, digest
                 FROM families CROSS JOIN rows USING (collection, digest)
                 WHERE family = ?1 AND collection = ?2 AND digest > ?3
                 ORDER BY digest LIMIT ?4";
    let query = connection.prepare_cached(query)?;
    let (after, limit) = (after(&page), limit(page.limit));
    all(query, collection, (family, collection.name(), after, limit))
}

/// Rows of a collection that end first; those without an end last.
pub(super) fn list_ending(
    connection: &Connection,
    collection: Collection,
    most: usize,
) -> Result<Vec<Row>> {
    let query = "SELECT id, value, expires_at, families, digest FROM rows
                 WHERE collection = ?1 AND expires_at IS NOT NULL ORDER BY expires_at LIMIT ?2";
    let ending = connection.prepare_cached(query)?;
    let mut rows = all(ending, collection, (collection.name(), limit(most)))?;
    let left = limit(most.saturating_sub(rows.len()));
    if left > 0 {
        let query = "SELECT id, value, expires_at, families, digest FROM rows
                     WHERE collection = ?1 AND expires_at IS NULL LIMIT ?2";
        let endless = connection.prepare_cached(query)?;
        rows.extend(all(endless, collection, (collection.name(), left))?);
    }
    Ok(rows)
}

/// How many rows a collection has, which is written down and not counted.
pub(super) fn count(connection: &Connection, collection: Collection) -> Result<u64> {
    let query = "SELECT number FROM counts WHERE collection = ?1";
    let mut query = connection.prepare_cached(query)?;
    let count = query.query_row((collection.name(),), |row| row.get::<_, i64>(0));
    Ok(count.optional()?.map_or(0, i64::unsigned_abs))
}

/// How many rows of a collection are in a family, by its index alone.
pub(super) fn count_family(
    connection: &Connection,
    collection: Collection,
    family: &[u8; 32],
) -> Result<u64> {
    let query = "SELECT count(*) FROM families WHERE family = ?1 AND collection = ?2";
    let mut query = connection.prepare_cached(query)?;
    let count = query.query_row((family, collection.name()), |row| row.get::<_, i64>(0));
    Ok(count?.unsigned_abs())
}

fn all(
    mut query: CachedStatement<'_>,
    collection: Collection,
    parameters: impl Params,
) -> Result<Vec<Row>> {
    let rows = query.query_map(parameters, |row| {
        let key = RowKey::new(collection, row.get(4)?);
        Found::read(row).map(|found| found.into_row(key))
    })?;
    rows.collect()
}

/// Every digest is greater than no bytes at all.
fn after(page: &Page) -> &[u8] {
    page.after.as_ref().map_or(&[], |digest| digest.as_slice())
}

/// As SQL counts. There a negative number would be no limit at all.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
