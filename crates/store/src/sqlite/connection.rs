//! Connections to the file, all set up alike.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, Result};

use super::place::Place;
use crate::StoreError;

/// How long a process waits for another one that writes.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// How often it looks meanwhile, where it has to look itself.
const TRIES: u32 = 500;
/// More statements than there are in these modules.
const STATEMENTS: usize = 32;

/// How large the log gets, as long as nobody reads for very long.
const LOG_BYTES: i64 = 16 << 20;
/// What `SQLite` takes unless it is told otherwise.
const PAGE_BYTES: i64 = 4096;

/// The file that connections are made to. It goes after all of them.
pub(super) struct Database {
    path: PathBuf,
    place: Place,
}

impl Database {
    /// Opens the file, which stays open as long as this does.
    pub(super) fn open(path: PathBuf) -> Result<Self, StoreError> {
        let fault = |error| super::schema::fault(&path, error);
        let first = connect(&path).map_err(fault)?;
        let place = Place::of(&path, first)?;
        Ok(Self { path, place })
    }

    /// A connection that can write.
    pub(super) fn connect(&self) -> Result<Connection> {
        let connection = connect(&self.path)?;
        // KiB of pages it keeps, as soon as it has met that many: keys are random, so each change is
        // somewhere else.
        connection.pragma_update(None, "cache_size", -16 * 1024)?;
        // Pages in the log before it is written back, within a commit. The more there are, the more of
        // them are the same.
        let pages = LOG_BYTES / PAGE_BYTES;
        connection.pragma_update_and_check(None, "wal_autocheckpoint", pages, |_| Ok(()))?;
        Ok(connection)
    }

    /// A connection that only reads.
    pub(super) fn connect_to_read(&self) -> Result<Connection> {
        let connection = connect(&self.path)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }

    /// Where it is.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }
}

fn connect(path: &std::path::Path) -> Result<Connection> {
    // SECURITY: a link in the place of the file would have another file opened, and written
    // (CWE-59); sec_st_08_no_connection_follows_a_link
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    write_ahead(&connection)?;
    // What was answered is on the disk: a commit waits for it (`FULL`), and on macOS for the
    // platter as well.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // KiB of pages a connection keeps, and what is left of the log file when it starts over.
    connection.pragma_update(None, "cache_size", -1024)?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))?;
    Ok(connection)
}

/// Has a log written ahead. Whoever does so first needs the file alone for a moment, and `SQLite` does
/// not wait for that as it waits for other locks.
fn write_ahead(connection: &Connection) -> Result<()> {
    let switch = || connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
    for _ in 0..TRIES {
        match switch() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(BUSY / TRIES);
            }
            done => return done,
        }
    }
    switch()
}
