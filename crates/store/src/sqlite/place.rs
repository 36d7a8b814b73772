//! Where the database is, and whether it still is there.
//!
//! `SQLite` has three files open, and goes on with them when they are deleted, renamed or exchanged:
//! all that is written then is lost with the process, and what another process writes into the new
//! file never arrives here. So what is open is compared with what is there.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, io};

use rusqlite::Connection;

use super::index::{FileId, Index};
use crate::StoreError;

/// What stands behind the name of a database in the names of its log and of the index of that.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// The files of a database.
pub(super) struct Place {
    /// Does nothing but be there. As long as it is, `SQLite` of no process deletes the log and its
    /// index: if they are gone, it was somebody else.
    _open: Mutex<Connection>,
    /// Closed after that.
    index: Index,
    files: Vec<(PathBuf, FileId)>,
    is_gone: AtomicBool,
}

impl Place {
    /// The files of that database, which this connection has opened.
    pub(super) fn of(database: &Path, connection: Connection) -> Result<Self, StoreError> {
        // Only what was read is open, with its log.
        let read = connection.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()));
        read.map_err(|error| super::schema::fault(database, error))?;
        let found = || {
            let [log, index] = COMPANIONS.map(|end| beside(database, end));
            let opened = Index::open(&index)?;
            let files = vec![
                (database.to_owned(), FileId::at(database)?),
                (FileId::at(&log).map(|id| (log, id)))?,
                (index, opened.id()),
            ];
            Ok::<_, io::Error>((opened, files))
        };
        let (index, files) = found().map_err(StoreError::unavailable)?;
        Ok(Self {
            _open: Mutex::new(connection),
            index,
            files,
            is_gone: AtomicBool::new(false),
        })
    }

    /// The index of the log.
    pub(super) const fn index(&self) -> &Index {
        &self.index
    }

    /// Looks whether all files still are where they were, and remembers it if one is not.
    pub(super) fn look(&self) {
        if self.is_gone.load(Ordering::Acquire) {
            return;
        }
        let is_gone = |(path, id): &&(PathBuf, FileId)| match FileId::at(path) {
            Ok(found) => found != *id,
            // Of what cannot be looked at, nothing is known.
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        // A database has a page at least; whoever copies something empty over it leaves none.
        let is_empty =
            |(path, _): &&(PathBuf, FileId)| fs::metadata(path).is_ok_and(|found| found.len() == 0);
        let mut database = self.files.iter().take(1);
        let gone = self.files.iter().find(is_gone);
        if let Some((path, _)) = gone.or_else(|| database.find(is_empty)) {
            self.is_gone.store(true, Ordering::Release);
            tracing::error!(
                file = %path.display(),
                "a file of the store was deleted, moved, replaced or emptied while it was in use: nothing \
                 is read or written any more, so that nothing is lost; restart with the files that are \
                 to be used"
            );
        }
    }

    /// Nothing may be read or written any more, if it is gone.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        // SECURITY: who was shut out in the file that is there now would not be here, and what is
        // granted here would be lost; sec_st_14_a_file_that_was_replaced_is_not_used_any_more
        if self.is_gone.load(Ordering::Acquire) {
            return Err(StoreError::unavailable(Gone));
        }
        Ok(())
    }
}

/// A file of the store is not there any more.
#[derive(Debug, thiserror::Error)]
#[error("a file of the store was deleted, moved, replaced or emptied while it was in use")]
struct Gone;

/// The path of a file beside the database, as `SQLite` calls it.
fn beside(database: &Path, end: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(end);
    path.into()
}
