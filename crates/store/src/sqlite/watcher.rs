//! Whether another process has changed something.
//!
//! Each transaction that changes something writes into the file how many there were, who made it,
//! and how many others that one had seen. So one small query tells a process what is not its own;
//! and the head of the log's [index](super::index) tells, for less than that, whether anything was
//! committed since it was asked.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use super::connection::Database;
use super::index::{Head, IS_COHERENT};
use crate::StoreError;

/// Marks a number that counts all commits, since the last of them is another's.
const OTHERS: u64 = 1 << 62;
/// Marks a number that only says: it could not be read.
const UNKNOWN: u64 = 1 << 63;
/// How often the files are looked at, and how often a connection is tried that could not be made.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Answers on the way of requests, and never waits there: what may take its time is done by a thread
/// of its own.
pub(super) struct Watcher {
    shared: Arc<Shared>,
    signals: mpsc::Sender<Signal>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the thread is told.
enum Signal {
    /// This connection has failed: another is wanted.
    Renew(Connection),
    Stop,
}

struct Shared {
    /// None while there is none that works. It waits for no lock.
    connection: Mutex<Option<Connection>>,
    /// What was read last, and the head that was there before.
    known: RwLock<Option<(Head, u64)>>,
    /// The head tells nothing here.
    asks_always: AtomicBool,
    failures: AtomicU64,
    writer: i64,
    database: Arc<Database>,
}

impl Watcher {
    /// Starts the thread. This waits for the disk.
    pub(super) fn start(database: Arc<Database>, writer: i64) -> Result<Self, StoreError> {
        let connection = connect(&database).map_err(StoreError::unavailable)?;
        let shared = Arc::new(Shared {
            connection: Mutex::new(Some(connection)),
            known: RwLock::default(),
            asks_always: AtomicBool::new(!IS_COHERENT),
            failures: AtomicU64::new(0),
            writer,
            database,
        });
        let (signals, told) = mpsc::channel();
        let watched = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("portcullis-watch".to_owned())
            .spawn(move || watched.watch(&told))
            .map_err(StoreError::unavailable)?;
        Ok(Self {
            shared,
            signals,
            thread: Some(thread),
        })
    }

    /// A number that differs from the last one if another process may have changed something since.
    pub(super) fn foreign_changes(&self) -> u64 {
        let number = self.shared.number().unwrap_or_else(|broken| {
            if let Some(broken) = broken {
                // Where the thread is gone, it stays unknown.
                let _told = self.signals.send(Signal::Renew(broken));
            }
            None
        });
        // SECURITY: when it cannot be known, every answer is a new one, so that nobody goes on to
        // trust what another process may have revoked; sec_st_14_an_unreadable_counter_never_stands_still
        number.unwrap_or_else(|| {
            let failures = self.shared.failures.fetch_add(1, Ordering::Relaxed);
            UNKNOWN | failures.wrapping_add(1)
        })
    }
}

/// What a test does in the place of the thread.
#[cfg(test)]
impl Watcher {
    pub(super) fn look(&self) {
        self.shared.look();
    }

    pub(super) fn renew(&self) {
        self.shared.renew();
    }

    pub(super) fn asks_always(&self) -> bool {
        self.shared.asks_always.load(Ordering::Relaxed)
    }

    /// As if that number had been read with the head of now.
    pub(super) fn pretend(&self, number: u64) {
        let head = self.shared.database.place().index().head().unwrap();
        *self.shared.known.write().unwrap() = Some((head, number));
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _told = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            // It ends by itself, and a panic in it was told already.
            let _ended = thread.join();
        }
    }
}

impl Shared {
    /// The number; nothing where it cannot be known now, with the connection if that is to blame.
    fn number(&self) -> Result<Option<u64>, Option<Connection>> {
        let place = self.database.place();
        if place.check().is_err() {
            return Ok(None);
        }
        // SECURITY: read before the number is, so that a number never stands for more than it has
        // seen; sec_rv_02_no_commit_of_another_process_is_missed_by_many_who_ask
        let head = place.index().head().ok();
        let head = head.filter(|_| !self.asks_always.load(Ordering::Relaxed));
        if let Some(number) = self.known_at(head) {
            return Ok(Some(number));
        }
        let mut slot = self.connection();
        // Somebody else may just have asked.
        if let Some(number) = self.known_at(head) {
            return Ok(Some(number));
        }
        let Some(connection) = &*slot else {
            return Ok(None);
        };
        match self.ask(connection) {
            Ok(number) => {
                let known = head.map(|head| (head, number));
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
                Ok(Some(number))
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
            Err(_) => Err(slot.take()),
        }
    }

    /// The number that was read when the head was that one.
    fn known_at(&self, head: Option<Head>) -> Option<u64> {
        let known = *self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (then, number) = known?;
        (Some(then) == head).then_some(number)
    }

    /// Asks the database.
    fn ask(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let query = "SELECT commits, writer, foreign_commits FROM state WHERE id = 1";
        let (commits, writer, foreign): (i64, i64, i64) = connection
            .prepare_cached(query)?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        // A number of ours says what our last transaction had seen, and none came after it. As soon
        // as one does, the number is another, and it never comes back: both counts only grow.
        Ok(if writer == self.writer {
            foreign.unsigned_abs()
        } else {
            OTHERS | commits.unsigned_abs()
        })
    }

    /// What the thread does until it is told to stop.
    fn watch(&self, told: &mpsc::Receiver<Signal>) {
        loop {
            match told.recv_timeout(LOOK_EVERY) {
                Ok(Signal::Renew(broken)) => drop(broken),
                Err(mpsc::RecvTimeoutError::Timeout) => self.look(),
                Ok(Signal::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => return,
            }
            self.renew();
        }
    }

    /// Looks whether all is as it seems.
    fn look(&self) {
        self.database.place().look();
        if !self.head_tells() && !self.asks_always.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the store is on a file system that does not show what others have mapped"
            );
        }
    }

    /// Whether the head was another one when the number was. It tells so by what `SQLite` promises;
    /// what the file system does of it, nobody else looks at.
    fn head_tells(&self) -> bool {
        let slot = self.connection();
        let now = || self.database.place().index().head().ok();
        let before = now();
        let (Some(connection), Some(known)) = (&*slot, self.known_at(before)) else {
            return true;
        };
        let asked = self.ask(connection);
        let differs = asked.is_ok_and(|number| number != known);
        before != now() || !differs
    }

    /// Makes a connection where there is none.
    fn renew(&self) {
        if self.connection().is_some() || self.database.place().check().is_err() {
            return;
        }
        // Nobody waits meanwhile.
        match connect(&self.database) {
            Ok(connection) => *self.connection() = Some(connection),
            Err(error) => tracing::warn!(%error, "the store cannot be watched"),
        }
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        let held = self.connection.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(database: &Database) -> rusqlite::Result<Connection> {
    let connection = database.connect_to_read()?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}
