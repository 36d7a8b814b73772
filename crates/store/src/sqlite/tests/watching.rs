//! What a process learns of others, and of what becomes of its files.

use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;

/// Another process, as far as the file goes, that does not wait for the disk.
struct Another {
    connection: Connection,
    index: PathBuf,
}

impl Another {
    fn new(scratch: &Scratch) -> Self {
        let connection = Connection::open(scratch.0.join("db")).unwrap();
        connection.busy_timeout(connection::BUSY).unwrap();
        let index = scratch.0.join("db-shm");
        let another = Self { connection, index };
        another.run("PRAGMA synchronous = OFF");
        another
    }

    fn run(&self, statements: &str) {
        self.connection.execute_batch(statements).unwrap();
    }

    /// Commits as a writer does that has seen nothing else.
    fn commit(&self) {
        self.run("UPDATE state SET commits = commits + 1, writer = 99, foreign_commits = 0");
    }

    /// Commits in the name of the store itself, which has seen so many of others.
    fn commit_as_its_own(&self, foreign: u64) {
        self.run(&format!(
            "UPDATE state SET commits = commits + 1, writer = 1, foreign_commits = {foreign}"
        ));
    }

    /// Does what others do with the log now and then, at a step of so many.
    fn disturb(&self, step: u64) {
        match step % 1000 {
            100 | 300 => self.run("PRAGMA wal_checkpoint(PASSIVE)"),
            500 => self.run("PRAGMA wal_checkpoint(RESTART)"),
            700 => self.run("PRAGMA wal_checkpoint(TRUNCATE)"),
            // As a writer leaves it that is killed while it writes: all make it anew from the log.
            200 | 600 | 601 => self.scribble(48, &[7; 48]),
            800 => self.scribble(0, &[0; 96]),
            _ => {}
        }
    }

    fn scribble(&self, at: u64, bytes: &[u8]) {
        let file = std::fs::OpenOptions::new().write(true).open(&self.index);
        let file = file.unwrap();
        file.write_all_at(bytes, at).unwrap();
        // To close it would let go of the locks of this process.
        std::mem::forget(file);
    }
}

#[tokio::test]
async fn sec_rv_02_no_commit_of_another_process_is_missed() {
    let scratch = Scratch::new("missed");
    let store = scratch.open(1);
    let another = Another::new(&scratch);
    let mut last = store.foreign_changes();
    for step in 0..4000 {
        another.disturb(step);
        assert_eq!(store.foreign_changes(), last, "nothing happened");
        if step % 10 == 0 {
            let _own = put(&store, row(1, "its own")).await.unwrap();
            last = store.foreign_changes();
        }
        another.commit();
        let now = store.foreign_changes();
        assert_ne!(now, last, "commit {step} was missed");
        last = now;
    }
    assert!(!store.watcher.asks_always(), "the index was of use");
}

/// Whoever asks while others commit may see each of them or not yet; but what was committed between
/// two questions is seen.
#[test]
fn sec_rv_02_no_commit_of_another_process_is_missed_by_many_who_ask() {
    const COMMITS: u64 = 4000;
    let scratch = Scratch::new("many");
    let store = scratch.open(1);
    let another = Another::new(&scratch);
    let (begun, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let is_over = AtomicBool::new(false);
    let questions = AtomicU64::new(0);
    let ask = || {
        // The number, and what had begun when it was seen first.
        let (mut before, mut begun_before) = (0, u64::MAX);
        while !is_over.load(Ordering::SeqCst) {
            let done = done.load(Ordering::SeqCst);
            let now = store.foreign_changes();
            if done > begun_before && now == before {
                is_over.store(true, Ordering::SeqCst);
                panic!("commit {done} was missed");
            }
            if now != before {
                (before, begun_before) = (now, begun.load(Ordering::SeqCst));
            }
            questions.fetch_add(1, Ordering::SeqCst);
        }
    };
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(ask);
        }
        for step in 1..=COMMITS {
            if is_over.load(Ordering::SeqCst) {
                break;
            }
            // With these the head moves, and the number does not.
            another.commit_as_its_own(step);
            another.commit_as_its_own(step);
            begun.store(step, Ordering::SeqCst);
            another.commit();
            done.store(step, Ordering::SeqCst);
            another.disturb(step);
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(questions.into_inner() > COMMITS / 10);
}

#[test]
fn sec_st_14_an_unreadable_counter_never_stands_still() {
    let scratch = Scratch::new("counter");
    let store = scratch.open(1);
    let another = Another::new(&scratch);
    assert_eq!(store.foreign_changes(), store.foreign_changes());
    another.run("ALTER TABLE state RENAME TO lost");
    let seen: Vec<_> = (0..5).map(|_| store.foreign_changes()).collect();
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
    another.run("ALTER TABLE lost RENAME TO state");
    // What failed was put away; the thread, or this, makes another.
    store.watcher.renew();
    let settled = (0..1000)
        .map(|_| store.foreign_changes())
        .collect::<Vec<_>>();
    let known = settled.windows(2).any(|pair| pair[0] == pair[1]);
    assert!(known, "it is read again");
}

/// On a file system where nothing is seen of what others have mapped, the database is asked.
#[tokio::test]
async fn sec_rv_02_a_head_that_does_not_move_is_found_out() {
    let scratch = Scratch::new("still");
    let store = scratch.open(1);
    let another = Another::new(&scratch);
    let before = store.foreign_changes();
    store.watcher.look();
    assert!(!store.watcher.asks_always());
    another.commit();
    store.watcher.pretend(before);
    assert_eq!(
        store.foreign_changes(),
        before,
        "as if the head were the same"
    );
    store.watcher.look();
    assert!(store.watcher.asks_always());
    assert_ne!(store.foreign_changes(), before);
}

#[tokio::test]
async fn sec_st_14_a_file_that_was_replaced_is_not_used_any_more() {
    for (file, is_replaced) in [
        ("db", true),
        ("db", false),
        ("db-wal", true),
        ("db-wal", false),
        ("db-shm", true),
        ("db-shm", false),
    ] {
        let scratch = Scratch::new(&format!("replaced-{file}-{is_replaced}"));
        let store = scratch.open(1);
        let _done = put(&store, row(1, "before")).await.unwrap();
        store.watcher.look();
        assert!(store.get(row(1, "").key).await.is_ok(), "all is there");
        let settled = store.foreign_changes();
        assert_eq!(store.foreign_changes(), settled);

        let path = scratch.0.join(file);
        std::fs::rename(&path, scratch.0.join("away")).unwrap();
        if is_replaced {
            std::fs::copy(scratch.0.join("away"), &path).unwrap();
        }
        store.watcher.look();
        let key = row(1, "").key;
        assert!(put(&store, row(2, "after")).await.is_err(), "{file}");
        assert!(store.get(key).await.is_err(), "{file}");
        assert!(store.take(key).await.is_err(), "{file}");
        assert!(store.list(NOTE, Page::first(1)).await.is_err(), "{file}");
        assert!(store.sweep(NOW, 1).await.is_err(), "{file}");
        assert_ne!(store.foreign_changes(), store.foreign_changes(), "{file}");
        // Even when it comes back: meanwhile others may have used what was there.
        std::fs::rename(scratch.0.join("away"), &path).unwrap();
        store.watcher.look();
        assert!(store.get(key).await.is_err(), "{file}");
        drop(store);
        let again = scratch.open(2);
        assert!(again.get(key).await.unwrap().is_some(), "{file}");
    }
}

#[tokio::test]
async fn sec_st_14_a_database_that_was_emptied_is_not_used_any_more() {
    let scratch = Scratch::new("emptied");
    let store = scratch.open(1);
    let _done = put(&store, row(1, "before")).await.unwrap();
    store.watcher.look();
    assert!(store.get(row(1, "").key).await.is_ok(), "all is there");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(scratch.0.join("db"));
    file.unwrap().set_len(0).unwrap();
    store.watcher.look();
    assert!(put(&store, row(2, "after")).await.is_err());
    assert!(store.get(row(1, "").key).await.is_err());
}

/// The locks of `SQLite` belong to the process: none may go with a handle while another is there.
#[cfg(target_os = "linux")]
#[test]
fn a_handle_that_goes_leaves_the_locks_of_the_others() {
    use std::os::unix::fs::MetadataExt as _;

    let scratch = Scratch::new("locks");
    let (one, other) = (scratch.open(1), scratch.open(2));
    let index = std::fs::metadata(scratch.0.join("db-shm")).unwrap().ino();
    let locks = || {
        let all = std::fs::read_to_string("/proc/locks").unwrap();
        let file = format!(":{index} ");
        all.lines().filter(|line| line.contains(&file)).count()
    };
    assert!(locks() > 0);
    drop(one);
    assert!(
        locks() > 0,
        "another process would take the index for its own"
    );
    let third = scratch.open(3);
    drop(other);
    assert!(locks() > 0);
    assert!(third.foreign_changes() < 1 << 63, "it can be known");
}
