//! Whether another process has changed something.
//!
//! Each transaction that changes something writes into the file how many there were, who made it,
//! and how many others that one had seen. So one small read tells a process what is not its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::connection::Database;

/// Marks a number that counts all commits, since the last of them is another's.
const OTHERS: u64 = 1 << 62;
/// Marks a number that only says: it could not be read.
const UNKNOWN: u64 = 1 << 63;

pub(super) struct Watcher {
    database: Arc<Database>,
    writer: i64,
    connection: Mutex<Option<Connection>>,
    failures: AtomicU64,
}

impl Watcher {
    pub(super) fn new(database: Arc<Database>, writer: i64) -> Self {
        Self {
            database,
            writer,
            connection: Mutex::default(),
            failures: AtomicU64::new(0),
        }
    }

    pub(super) fn foreign_changes(&self) -> u64 {
        // SECURITY: when it cannot be known, every answer is a new one, so that nobody goes on to
        // trust what another process may have revoked; sec_st_14_an_unreadable_counter_never_stands_still
        self.read().unwrap_or_else(|_| {
            let failures = self.failures.fetch_add(1, Ordering::Relaxed);
            UNKNOWN | failures.wrapping_add(1)
        })
    }

    fn read(&self) -> rusqlite::Result<u64> {
        let held = self.connection.lock();
        let mut held = held.unwrap_or_else(PoisonError::into_inner);
        let connection = match held.take() {
            Some(connection) => connection,
            None => self.database.connect_to_read()?,
        };
        let query = "SELECT commits, writer, foreign_commits FROM state WHERE id = 1";
        let (commits, writer, foreign): (i64, i64, i64) = connection
            .prepare_cached(query)?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        *held = Some(connection);
        // A number of ours says what our last transaction had seen, and none came after it. As soon
        // as one does, the number is another, and it never comes back: both counts only grow.
        Ok(if writer == self.writer {
            foreign.unsigned_abs()
        } else {
            OTHERS | commits.unsigned_abs()
        })
    }
}
