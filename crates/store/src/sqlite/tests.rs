use std::path::PathBuf;

use rusqlite::Connection;

use super::writer::{Done, Writing};
use super::*;

const NOTE: Collection = Collection::new("note");
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A file that goes with its test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let name = format!("portcullis-sqlite-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("db"), "").unwrap();
        Self(folder)
    }

    fn open(&self, writer: i64) -> SqliteStore {
        let folder = self.0.canonicalize().unwrap();
        SqliteStore::open(&folder.join("db"), writer).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn row(at: u32, value: &'static str) -> Row {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&at.to_be_bytes());
    Row::new(RowKey::new(NOTE, digest), value.as_bytes().into())
}

async fn put(store: &SqliteStore, row: Row) -> Result<Committed, StoreError> {
    store.commit(vec![Change::Put(row)], NOW).await
}

#[tokio::test]
async fn sec_st_14_a_database_that_refuses_to_be_written_recovers() {
    let scratch = Scratch::new("refuses");
    let store = scratch.open(1);
    let _done = put(&store, row(1, "before")).await.unwrap();
    for fault in ["PRAGMA query_only = ON", "PRAGMA max_page_count = 1"] {
        let spoil = move |connection: &Writing<'_>| {
            let mut spoil = connection.prepare(fault)?;
            let mut rows = spoil.query(())?;
            while rows.next()?.is_some() {}
            Ok(Done::Kept(()))
        };
        store.writer.run(spoil).await.unwrap();
        // Enough to need a page more.
        let large = "x".repeat(50_000).leak();
        let refused = put(&store, row(2, large)).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{fault}"
        );
        let key = row(2, "").key;
        assert_eq!(store.get(key).await.unwrap(), None, "{fault}");
        // The next one finds a connection that was made anew.
        let _done = put(&store, row(3, "after")).await.unwrap();
        assert_eq!(
            store.take(row(3, "").key).await.unwrap(),
            Some(row(3, "after"))
        );
    }
    assert_eq!(
        store.get(row(1, "").key).await.unwrap(),
        Some(row(1, "before"))
    );
}

/// In the middle of others there is one that cannot be done: a member of a family whose collection is
/// no text, as after a restore that went wrong.
#[tokio::test]
async fn sec_st_14_one_that_fails_fails_alone_and_nothing_of_it_stays() {
    let scratch = Scratch::new("alone");
    let store = scratch.open(1);
    let spoiled = [7; 32];
    let spoil = move |connection: &Writing<'_>| {
        let spoil = "INSERT INTO families VALUES (?1, CAST(x'ff' AS TEXT), x'00')";
        connection.execute(spoil, (spoiled,)).map(Done::Kept)
    };
    store.writer.run(spoil).await.unwrap();
    let nonsense = |connection: &Writing<'_>| {
        connection.execute("DELETE FROM rows", ())?;
        connection.execute("nonsense", ()).map(Done::Kept)
    };
    for round in 0..20 {
        let commits = store.foreign_changes();
        let before = put(&store, row(1, "before"));
        let after = put(&store, row(2, "after"));
        let batch = vec![Change::Put(row(3, "half")), Change::DeleteFamily(spoiled)];
        let half = store.commit(batch, NOW);
        let work = store.writer.run(nonsense);
        let last = put(&store, row(4, "last"));
        let (before, half, after, failed, last) = tokio::join!(before, half, after, work, last);
        assert!(half.is_err() && failed.is_err(), "round {round}");
        for (at, put) in [(1, before), (2, after), (4, last)] {
            assert_eq!(put.unwrap(), Committed::Yes, "{at} in round {round}");
            assert!(store.take(row(at, "").key).await.unwrap().is_some());
        }
        assert_eq!(
            store.get(row(3, "").key).await.unwrap(),
            None,
            "half is there"
        );
        assert_eq!(
            store.foreign_changes(),
            commits,
            "it goes on with its connection"
        );
    }
}

#[tokio::test]
async fn sec_st_14_a_panic_ends_its_group_and_not_the_writer() {
    let scratch = Scratch::new("panic");
    let store = scratch.open(1);
    let panics = |connection: &Writing<'_>| {
        connection.execute("DELETE FROM state", ())?;
        panic!("told to");
        #[expect(unreachable_code, reason = "it says what would come")]
        Ok(Done::Kept(()))
    };
    for at in 0..3 {
        let (panicked, _other) = tokio::join!(store.writer.run(panics), put(&store, row(9, "")));
        assert!(matches!(panicked, Err(StoreError::Unavailable(_))));
        let done = put(&store, row(at, "after")).await;
        assert_eq!(done.unwrap(), Committed::Yes);
    }
}

/// ST-18: the format of the file changes whole, or stays as it was.
#[test]
fn sec_st_18_a_migration_that_fails_leaves_nothing_behind() {
    let scratch = Scratch::new("migration");
    let path = scratch.0.canonicalize().unwrap().join("db");
    let connection = Database::open(path.clone()).unwrap().connect().unwrap();
    let tables = || {
        let query = "SELECT group_concat(name) FROM sqlite_schema";
        let names = connection.query_row(query, (), |row| row.get::<_, Option<String>>(0));
        names.unwrap().unwrap_or_default()
    };
    // A file of ours, where the last step of the first migration finds its place taken.
    let mark = "PRAGMA application_id = 0x50434c53; CREATE TABLE state (x)";
    connection.execute_batch(mark).unwrap();
    assert!(schema::migrate(&path, &connection).is_err());
    assert_eq!(tables(), "state");
    connection.execute_batch("DROP TABLE state").unwrap();
    assert_eq!(schema::migrate(&path, &connection).unwrap(), 0);
    assert!(tables().contains("families"), "{}", tables());
}

#[test]
fn sec_st_08_no_connection_follows_a_link() {
    let scratch = Scratch::new("link");
    let folder = scratch.0.canonicalize().unwrap();
    std::os::unix::fs::symlink(folder.join("db"), folder.join("link")).unwrap();
    let database = Database::open(folder.join("db")).unwrap();
    assert!(Database::open(folder.join("link")).is_err());
    // Nor one that somebody put there since.
    for end in ["", "-wal", "-shm"] {
        let file = |name: &str| folder.join(format!("{name}{end}"));
        std::fs::rename(file("db"), file("other")).unwrap();
    }
    std::os::unix::fs::symlink(folder.join("other"), folder.join("db")).unwrap();
    assert!(database.connect().is_err());
    assert!(database.connect_to_read().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_share_a_transaction() {
    let scratch = Scratch::new("share");
    let store = scratch.open(1);
    let commits = |connection: &Connection| {
        let query = "SELECT commits FROM state";
        connection.query_row(query, (), |row| row.get::<_, i64>(0))
    };
    let before = store.readers.read(commits).await.unwrap();
    let puts = (0..500).map(|at| put(&store, row(at, "text")));
    for done in futures_util::future::join_all(puts).await {
        let _done = done.unwrap();
    }
    let transactions = store.readers.read(commits).await.unwrap() - before;
    assert!((1..=100).contains(&transactions), "{transactions}");
    assert_eq!(store.count(NOTE).await.unwrap(), 500);
}

#[tokio::test]
async fn foreign_changes_count_what_others_did_and_nothing_else() {
    let scratch = Scratch::new("foreign");
    let (one, other) = (scratch.open(1), scratch.open(2));
    let mut last = one.foreign_changes();
    let mut differs = |store: &SqliteStore| {
        let now = store.foreign_changes();
        std::mem::replace(&mut last, now) != now
    };
    for round in 0..20 {
        let _done = put(&other, row(round, "other")).await.unwrap();
        assert!(differs(&one), "round {round}");
        assert!(!differs(&one), "nothing happened since");
        if round % 3 == 0 {
            let _done = put(&one, row(round, "one")).await.unwrap();
            differs(&one);
            let _done = put(&one, row(round, "one")).await.unwrap();
            assert!(!differs(&one), "its own is none");
        }
    }
    // What fails to happen is no change, and neither is a look.
    let insert = vec![Change::Insert(row(1, "again"))];
    assert_eq!(other.commit(insert, NOW).await.unwrap(), Committed::No);
    assert_eq!(other.take(row(999, "").key).await.unwrap(), None);
    assert_eq!(other.sweep(NOW, 100).await.unwrap(), 0);
    assert!(!differs(&one));
}

/// Each of the stores stands for a process.
#[tokio::test]
async fn sec_rv_02_a_row_that_another_process_changes_is_read_anew() {
    let scratch = Scratch::new("recent");
    let (one, other) = (scratch.open(1), scratch.open(2));
    let key = row(1, "").key;
    for round in 0..3 {
        let _done = put(&one, row(1, "ours")).await.unwrap();
        let known = one.recent.get(&key, one.foreign_changes());
        assert_eq!(known, Some(row(1, "ours")), "round {round}");
        assert_eq!(other.get(key).await.unwrap(), Some(row(1, "ours")));
        let _done = put(&other, row(1, "theirs")).await.unwrap();
        assert_eq!(one.get(key).await.unwrap(), Some(row(1, "theirs")));
        assert!(other.take(key).await.unwrap().is_some());
        assert_eq!(one.get(key).await.unwrap(), None, "round {round}");
    }
}

#[tokio::test]
async fn what_was_undone_is_not_remembered() {
    let scratch = Scratch::new("undone");
    let store = scratch.open(1);
    let _done = put(&store, row(1, "before")).await.unwrap();
    let half = vec![
        Change::Put(row(1, "half")),
        Change::Put(row(2, "half")),
        Change::Insert(row(1, "again")),
    ];
    // Beside one that stays, so that both are of one transaction.
    let batch = store.commit(half, NOW);
    let (half, beside) = tokio::join!(batch, put(&store, row(3, "beside")));
    assert_eq!(half.unwrap(), Committed::No);
    assert_eq!(beside.unwrap(), Committed::Yes);
    for (at, left) in [(1, Some("before")), (2, None), (3, Some("beside"))] {
        let found = store.get(row(at, "").key).await.unwrap();
        assert_eq!(found, left.map(|value| row(at, value)));
    }
    let family = [7; 32];
    let mut member = row(4, "member");
    member.families = vec![family];
    let _done = put(&store, member).await.unwrap();
    let _done = store
        .commit(vec![Change::DeleteFamily(family)], NOW)
        .await
        .unwrap();
    assert_eq!(store.get(row(4, "").key).await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_goes_has_closed_its_file() {
    let scratch = Scratch::new("closed");
    let store = scratch.open(1);
    let _done = put(&store, row(1, "text")).await.unwrap();
    let _seen = (
        store.get(row(1, "").key).await.unwrap(),
        store.foreign_changes(),
    );
    drop(store);
    let left: Vec<_> = std::fs::read_dir(&scratch.0).unwrap().collect();
    assert_eq!(left.len(), 1, "only the database itself: {left:?}");
}

#[tokio::test]
async fn a_read_finds_a_lock_and_waits_for_it_elsewhere() {
    let scratch = Scratch::new("lock");
    let store = scratch.open(1);
    let _done = put(&store, row(1, "text")).await.unwrap();
    // What was just written takes no connection.
    let key = row(2, "").key;
    assert!(store.get(key).await.unwrap().is_none());
    // Now there is an idle one.
    let busy = |_: &Connection| {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        Err::<(), _>(rusqlite::Error::SqliteFailure(code, None))
    };
    assert!(store.readers.read_now(busy).is_none(), "it is not answered");
    let broken = |connection: &Connection| connection.execute("nonsense", ()).map(drop);
    assert!(matches!(store.readers.read_now(broken), Some(Err(_))));
    assert!(store.readers.read_now(broken).is_none(), "that one is gone");
    assert!(store.get(key).await.unwrap().is_none());
}

#[tokio::test]
async fn rows_of_an_older_format_are_counted_once() {
    let scratch = Scratch::new("older");
    let old = Connection::open(scratch.0.join("db")).unwrap();
    old.execute_batch(schema::MIGRATIONS[0]).unwrap();
    let insert = "INSERT INTO rows (collection, digest, value, families) VALUES (?1, ?2, x'', x'')";
    for at in 0..5_u8 {
        let collection = if at < 3 { "note" } else { "other" };
        old.execute(insert, (collection, [at; 32])).unwrap();
    }
    old.pragma_update(None, "application_id", 0x5043_4c53)
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);

    let store = scratch.open(1);
    assert_eq!(store.count(NOTE).await.unwrap(), 3);
    let _done = put(&store, row(1, "one more")).await.unwrap();
    let _same = put(&store, row(1, "the same")).await.unwrap();
    assert_eq!(store.count(NOTE).await.unwrap(), 4);
    assert!(store.take(row(1, "").key).await.unwrap().is_some());
    assert_eq!(store.count(NOTE).await.unwrap(), 3);
    assert_eq!(store.count(Collection::new("none")).await.unwrap(), 0);
}

mod watching;
