//! The one thread of a process that writes.

use std::cell::RefCell;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, oneshot};

use super::connection::Database;
use super::recent::{Recent, Touched};
use crate::StoreError;

/// Jobs that wait at most; whoever brings another waits for room.
const QUEUE: usize = 1024;
/// Jobs that one transaction takes at most, so that the first of them is not late.
const GROUP: usize = 256;

/// The way to the thread that writes. When this goes, the thread does what still waits, closes the
/// file and ends.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<thread::JoinHandle<()>>,
    database: Arc<Database>,
}

impl Writer {
    /// Starts the thread. `commits` is the number in the file, as of now.
    pub(super) fn start(
        database: Arc<Database>,
        connection: Connection,
        (id, commits): (i64, i64),
        recent: Arc<Recent>,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let state = State {
            database: Arc::clone(&database),
            connection: Some(connection),
            id,
            commits,
            foreign: 0,
            recent,
        };
        let thread = thread::Builder::new()
            .name("portcullis-store".to_owned())
            .spawn(move || state.serve(queue))
            .map_err(StoreError::unavailable)?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
            database,
        })
    }

    /// Does a piece of work in a transaction, and answers when that is on the disk. What was begun is
    /// done even if nobody waits for the answer any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Fn(&Writing<'_>) -> rusqlite::Result<Done<T>> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.database.place().check()?;
        let (answer, answered) = oneshot::channel();
        let task = Task {
            work,
            done: None,
            answer,
        };
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Box::new(task)).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

/// What came of a piece of work.
pub(super) enum Done<T> {
    /// Its changes stay.
    Kept(T),
    /// Its changes go, if there are any.
    Undone(T),
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It ends by itself, and a panic in it was told already.
            let _ended = thread.join();
        }
    }
}

/// The connection that writes, within a transaction.
pub(super) struct Writing<'c> {
    connection: &'c Connection,
    touched: RefCell<Vec<Touched>>,
}

impl<'c> Writing<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self {
            connection,
            touched: RefCell::default(),
        }
    }

    /// Each row that a job writes or erases is told here.
    pub(super) fn touch(&self, touched: Touched) {
        self.touched.borrow_mut().push(touched);
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

/// Something to do within a transaction.
trait Job: Send {
    /// Does it, and keeps what came of it. It may be done again, after all of it was undone.
    fn run(&mut self, writing: &Writing<'_>) -> rusqlite::Result<Came>;

    /// Says what came of it, now that the transaction is on the disk, or has failed.
    fn answer(self: Box<Self>, committed: Result<(), Arc<Fault>>);
}

/// What came of a job, for the transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Came {
    /// Nothing has changed.
    Nothing,
    /// What has changed stays.
    Changes,
    /// What has changed, if anything has, must not stay.
    Debris,
}

struct Task<F, T> {
    work: F,
    done: Option<Result<T, rusqlite::Error>>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Task<F, T>
where
    F: Fn(&Writing<'_>) -> rusqlite::Result<Done<T>> + Send,
    T: Send,
{
    fn run(&mut self, writing: &Writing<'_>) -> rusqlite::Result<Came> {
        let before = writing.total_changes();
        let done = (self.work)(writing);
        let has_changed = writing.total_changes() != before;
        let (done, came) = match done {
            Ok(Done::Kept(done)) if has_changed => (Ok(done), Came::Changes),
            // SECURITY: half of a batch would be a code that is used and a grant that is not there,
            // or the other way round; sec_st_11_no_batch_is_half_there
            Ok(Done::Undone(done)) if has_changed => (Ok(done), Came::Debris),
            Ok(Done::Kept(done) | Done::Undone(done)) => (Ok(done), Came::Nothing),
            // SECURITY: what one of many cannot do is no reason to refuse the others;
            // sec_st_14_one_that_fails_fails_alone_and_nothing_of_it_stays
            Err(error) if is_its_own(&error, writing) => (Err(error), Came::Debris),
            Err(error) => return Err(error),
        };
        self.done = Some(done);
        Ok(came)
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<Fault>>) {
        // SECURITY: nothing is granted that is not on the disk;
        // sec_st_14_a_full_disk_refuses_and_recovers
        let answer = match (committed, self.done) {
            (Ok(()), Some(done)) => done.map_err(|error| {
                tracing::error!(%error, "a change of the store cannot be made");
                StoreError::unavailable(error)
            }),
            (Ok(()), None) => Err(gone()),
            (Err(fault), _) => Err(StoreError::unavailable(fault)),
        };
        // Whoever asked may have left.
        let _sent = self.answer.send(answer);
    }
}

/// Whether an error says something of the work alone, and the transaction can go on without it.
fn is_its_own(error: &rusqlite::Error, connection: &Connection) -> bool {
    let of_work = match error.sqlite_error_code() {
        // A row that holds something else than was ever written there.
        None => true,
        Some(code) => matches!(
            code,
            ErrorCode::Unknown
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
        ),
    };
    of_work && !connection.is_autocommit()
}

/// Why a group was not committed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
    #[error("what was to be written has panicked")]
    Panicked,
    #[error(transparent)]
    Place(#[from] StoreError),
}

struct State {
    /// None after a failure: whatever was wrong, the next transaction begins with a new one.
    connection: Option<Connection>,
    id: i64,
    /// The number of commits in the file after our last one.
    commits: i64,
    /// How many of them others made since this process began.
    foreign: i64,
    database: Arc<Database>,
    recent: Arc<Recent>,
}

impl State {
    fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            while group.len() < GROUP
                && let Ok(next) = queue.try_recv()
            {
                group.push(next);
            }
            // What a panic leaves behind is thrown away: the connection, and with it the transaction.
            let committed = catch_unwind(AssertUnwindSafe(|| self.commit(&mut group)))
                .unwrap_or(Err(Fault::Panicked))
                .map_err(Arc::new);
            if let Err(error) = &committed {
                tracing::error!(%error, changes = group.len(), "the store cannot write");
                self.connection = None;
            }
            for job in group {
                job.answer(committed.clone());
            }
        }
    }

    /// Does all of a group in one transaction.
    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> Result<(), Fault> {
        self.database.place().check()?;
        if self.connection.is_none() {
            self.connection = Some(self.database.connect()?);
        }
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        // What fails from here on is rolled back when the connection is dropped.
        execute(connection, "BEGIN IMMEDIATE")?;
        let (has_changed, touched) = if let Some(done) = run_together(connection, group)? {
            done
        } else {
            execute(connection, "ROLLBACK")?;
            execute(connection, "BEGIN IMMEDIATE")?;
            run_apart(connection, group)?
        };
        if !has_changed {
            execute(connection, "COMMIT")?;
            return Ok(());
        }
        let read = "SELECT commits FROM state WHERE id = 1";
        let commits: i64 = connection
            .prepare_cached(read)?
            .query_row((), |row| row.get(0))?;
        let foreign = self.foreign + (commits - self.commits);
        let write = "UPDATE state SET commits = ?1, writer = ?2, foreign_commits = ?3 WHERE id = 1";
        connection
            .prepare_cached(write)?
            .execute((commits + 1, self.id, foreign))?;
        let changing = self.recent.changing(touched);
        execute(connection, "COMMIT")?;
        changing.happened(foreign.unsigned_abs());
        self.commits = commits + 1;
        self.foreign = foreign;
        Ok(())
    }
}

/// Whether jobs have changed anything, and which rows.
type Changed = (bool, Vec<Touched>);

/// Does all of a group as one; nothing where one of them left something behind that must not stay. That
/// is rare: whoever comes second is told so before anything was changed.
fn run_together(
    connection: &Connection,
    group: &mut [Box<dyn Job>],
) -> rusqlite::Result<Option<Changed>> {
    let writing = Writing::new(connection);
    let mut has_changed = false;
    for job in group {
        match job.run(&writing)? {
            Came::Nothing => {}
            Came::Changes => has_changed = true,
            Came::Debris => return Ok(None),
        }
    }
    Ok(Some((has_changed, writing.touched.into_inner())))
}

/// Does each of a group in a savepoint of its own. That costs a copy of every page that is changed in
/// it, so it is done only where it is needed.
fn run_apart(connection: &Connection, group: &mut [Box<dyn Job>]) -> rusqlite::Result<Changed> {
    let (mut has_changed, mut all) = (false, Vec::new());
    for job in group {
        let writing = Writing::new(connection);
        execute(connection, "SAVEPOINT job")?;
        match job.run(&writing)? {
            Came::Nothing => {}
            Came::Changes => {
                has_changed = true;
                all.extend(writing.touched.into_inner());
            }
            Came::Debris => execute(connection, "ROLLBACK TO job")?,
        }
        execute(connection, "RELEASE job")?;
    }
    Ok((has_changed, all))
}

fn execute(connection: &Connection, statement: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(statement)?.execute(()).map(drop)
}

fn gone() -> StoreError {
    StoreError::unavailable("the thread that writes is gone")
}
