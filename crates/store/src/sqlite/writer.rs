//! The one thread of a process that writes.

use std::sync::Arc;
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::connection::Database;
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
        id: i64,
        commits: i64,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let state = State {
            database: Arc::clone(&database),
            connection: Some(connection),
            id,
            commits,
            foreign: 0,
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
        work: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
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

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It ends by itself, and a panic in it was told already.
            let _ended = thread.join();
        }
    }
}

/// Something to do within a transaction.
trait Job: Send {
    /// Does it, and keeps what came of it.
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()>;

    /// Says what came of it, now that the transaction is on the disk, or has failed.
    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>);
}

struct Task<F, T> {
    work: F,
    done: Option<T>,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Task<F, T>
where
    F: Fn(&Connection) -> rusqlite::Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.done = Some((self.work)(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>) {
        // SECURITY: nothing is granted that is not on the disk;
        // sec_st_14_a_full_disk_refuses_and_recovers
        let answer = match committed {
            Ok(()) => self.done.ok_or_else(gone),
            Err(error) => Err(StoreError::unavailable(error)),
        };
        // Whoever asked may have left.
        let _sent = self.answer.send(answer);
    }
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
            let committed = self.commit(&mut group).map_err(Arc::new);
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
    fn commit(&mut self, group: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        if self.connection.is_none() {
            self.connection = Some(self.database.connect()?);
        }
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        // What fails from here on is rolled back when the connection is dropped.
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        let before = connection.total_changes();
        for job in group {
            job.run(connection)?;
        }
        if connection.total_changes() == before {
            connection.prepare_cached("COMMIT")?.execute(())?;
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
        connection.prepare_cached("COMMIT")?.execute(())?;
        self.commits = commits + 1;
        self.foreign = foreign;
        Ok(())
    }
}

fn gone() -> StoreError {
    StoreError::unavailable("the thread that writes is gone")
}
