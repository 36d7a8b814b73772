//! Connections that read, as many as are needed at once, up to a bound.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::Semaphore;

use super::connection::{BUSY, Database};
use crate::StoreError;

/// Connections at most. Each keeps pages in memory, and a read takes microseconds.
const MOST: usize = 4;

pub(super) struct Readers {
    /// None of these waits for a lock, unless it is told to.
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    database: Arc<Database>,
}

impl Readers {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self {
            database,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MOST)),
        }
    }

    /// Runs a query that reads a few pages, right here if that needs no waiting: pages that are used
    /// are in the system's memory, and to hand the query to another thread and back takes longer than
    /// to run it. It sees everything that was answered before.
    pub(super) async fn read_soon<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.read_now(&query) {
            Some(answer) => answer,
            None => self.read(query).await,
        }
    }

    /// Runs a query where it may wait for the disk and for other processes. It sees everything that
    /// was answered before.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(StoreError::unavailable)?;
        let readers = Arc::clone(self);
        let query = move || {
            let _permit = permit;
            readers.run(query)
        };
        let answer = tokio::task::spawn_blocking(query).await;
        answer.map_err(StoreError::unavailable)?
    }

    /// Runs a query on a connection that is there and idle; nothing where there is none, or somebody
    /// holds a lock that has to be waited for.
    pub(super) fn read_now<T>(
        &self,
        query: impl Fn(&Connection) -> rusqlite::Result<T>,
    ) -> Option<Result<T, StoreError>> {
        if let Err(gone) = self.database.place().check() {
            return Some(Err(gone));
        }
        let _permit = self.permits.try_acquire().ok()?;
        let connection = self.idle().pop()?;
        match query(&connection) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                self.idle().push(connection);
                None
            }
            answer => Some(self.keep_if_good(connection, answer)),
        }
    }

    fn run<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.database.place().check()?;
        let reused = self.idle().pop();
        let connection = match reused {
            Some(connection) => Ok(connection),
            None => self.database.connect_to_read(),
        };
        let connection = connection.map_err(StoreError::unavailable)?;
        let answer = connection
            .busy_timeout(BUSY)
            .and_then(|()| query(&connection));
        let quick = connection.busy_timeout(Duration::ZERO);
        self.keep_if_good(connection, answer.and_then(|done| quick.map(|()| done)))
    }

    /// One that failed is not used again.
    fn keep_if_good<T>(
        &self,
        connection: Connection,
        answer: rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let answer = answer.map_err(StoreError::unavailable)?;
        self.idle().push(connection);
        Ok(answer)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
