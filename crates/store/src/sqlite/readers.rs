//! Connections that read, as many as are needed at once, up to a bound.

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection::Database;
use crate::StoreError;

/// Connections at most. Each keeps pages in memory, and a read takes microseconds.
const MOST: usize = 4;

pub(super) struct Readers {
    database: Arc<Database>,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(database: Arc<Database>) -> Self {
        Self {
            database,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(MOST)),
        }
    }

    /// Runs a query where it may wait for the disk. It sees everything that was answered before.
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

    fn run<T>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let reused = idle().pop();
        let connection = match reused {
            Some(connection) => connection,
            None => self
                .database
                .connect_to_read()
                .map_err(StoreError::unavailable)?,
        };
        let answer = query(&connection).map_err(StoreError::unavailable)?;
        // One that failed is not used again.
        idle().push(connection);
        Ok(answer)
    }
}
