//! The format of the file, and how an older one becomes the one of this version.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use crate::StoreError;

/// Marks a file of ours: "PCLS".
const APPLICATION_ID: i32 = 0x5043_4c53;

/// What leads from each version of the format to the next. An entry never changes.
pub(super) const MIGRATIONS: [&str; 3] = [
    // Rows are large and their keys random: so they stand in the order in which they come, and only
    // their index is in the order of keys.
    "CREATE TABLE rows (
         id INTEGER PRIMARY KEY,
         collection TEXT NOT NULL,
         digest BLOB NOT NULL,
         value BLOB NOT NULL,
         expires_at INTEGER,
         families BLOB NOT NULL
     ) STRICT;
     CREATE UNIQUE INDEX rows_by_key ON rows (collection, digest);
     CREATE INDEX rows_by_end ON rows (collection, expires_at);
     CREATE TABLE families (
         family BLOB NOT NULL,
         collection TEXT NOT NULL,
         digest BLOB NOT NULL,
         PRIMARY KEY (family, collection, digest)
     ) STRICT, WITHOUT ROWID;
     CREATE TABLE state (
         id INTEGER PRIMARY KEY CHECK (id = 1),
         commits INTEGER NOT NULL,
         writer INTEGER NOT NULL,
         foreign_commits INTEGER NOT NULL
     ) STRICT;
     INSERT INTO state VALUES (1, 0, 0, 0);",
    // To count rows takes the longer the more there are, and each registration asks.
    "CREATE TABLE counts (
         collection TEXT PRIMARY KEY,
         number INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     INSERT INTO counts SELECT collection, count(*) FROM rows GROUP BY collection;
     CREATE TRIGGER row_comes AFTER INSERT ON rows BEGIN
         INSERT INTO counts VALUES (NEW.collection, 1)
             ON CONFLICT (collection) DO UPDATE SET number = number + 1;
     END;
     CREATE TRIGGER row_goes AFTER DELETE ON rows BEGIN
         UPDATE counts SET number = number - 1 WHERE collection = OLD.collection;
     END;",
    // A statement with a trigger that might be aborted keeps a copy of each page that it changes.
    // These end as `OR FAIL` says, and whoever made the change rolls it back.
    "DROP TRIGGER row_comes;
     DROP TRIGGER row_goes;
     CREATE TRIGGER row_comes AFTER INSERT ON rows BEGIN
         INSERT OR FAIL INTO counts SELECT NEW.collection, 0
             WHERE NOT EXISTS (SELECT 1 FROM counts WHERE collection = NEW.collection);
         UPDATE OR FAIL counts SET number = number + 1 WHERE collection = NEW.collection;
     END;
     CREATE TRIGGER row_goes AFTER DELETE ON rows BEGIN
         UPDATE OR FAIL counts SET number = number - 1 WHERE collection = OLD.collection;
     END;",
];

/// Brings the file to the format of this version, whole or not at all, and says how many commits
/// there were.
pub(super) fn migrate(path: &Path, connection: &Connection) -> Result<i64, StoreError> {
    let fault = |error| fault(path, error);
    connection.execute_batch("BEGIN IMMEDIATE").map_err(fault)?;
    let migrated = migrate_within(path, connection);
    let end = if migrated.is_ok() {
        "COMMIT"
    } else {
        "ROLLBACK"
    };
    connection.execute_batch(end).map_err(fault)?;
    migrated
}

fn migrate_within(path: &Path, connection: &Connection) -> Result<i64, StoreError> {
    let fault = |error| fault(path, error);
    let pragma = |name| connection.pragma_query_value::<i32, _>(None, name, |row| row.get(0));
    let application = pragma("application_id").map_err(fault)?;
    let version = pragma("user_version").map_err(fault)?;
    let version = usize::try_from(version).map_err(|_| StoreError::Corrupt)?;
    let tables = "SELECT count(*) FROM sqlite_schema";
    let tables: i64 = connection
        .query_row(tables, (), |row| row.get(0))
        .map_err(fault)?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        return Err(StoreError::Place {
            what: format!("`{}` is a database of another program", path.display()),
            hint: "name another file, or move that one away",
        });
    }
    let steps = MIGRATIONS.get(version..).ok_or(StoreError::TooNew)?;
    for step in steps {
        connection.execute_batch(step).map_err(fault)?;
    }
    if !steps.is_empty() {
        let newest = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        let update = |name, value: i64| connection.pragma_update(None, name, value);
        update("application_id", i64::from(APPLICATION_ID)).map_err(fault)?;
        update("user_version", newest).map_err(fault)?;
    }
    let commits = "SELECT commits FROM state WHERE id = 1";
    connection
        .query_row(commits, (), |row| row.get(0))
        .map_err(fault)
}

/// What is wrong when the file cannot be opened.
pub(super) fn fault(path: &Path, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Place {
            what: format!("`{}` is no database", path.display()),
            hint: "name another file, or move that one away",
        },
        Some(ErrorCode::CannotOpen) => StoreError::Place {
            what: format!("the database `{}` cannot be opened", path.display()),
            hint: "it must be a file, no link, that this user may read and write, in a folder where \
                   this user may make files",
        },
        _ => StoreError::unavailable(error),
    }
}
