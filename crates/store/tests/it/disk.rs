//! `DiskStore` and the files that it makes.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use portcullis_oauth::SecretString;
use portcullis_store::{DiskStore, Records, SealingKeys, StoreError};
use portcullis_testkit::SeededEntropy;

use crate::sample::{Note, Scratch, clock, open, owner};

async fn open_in(folder: &Path, seed: u64) -> Result<Records, StoreError> {
    open(DiskStore::open(folder).await?, &clock(), seed).await
}

fn keys(secret: &str) -> SealingKeys {
    SealingKeys::from_secrets(&[SecretString::from(secret.repeat(32))]).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// What is wrong with a place, and how to mend it.
fn complaint<T>(opened: Result<T, StoreError>) -> String {
    match opened.map(|_| ()) {
        Err(StoreError::Place { what, hint }) => format!("{what}: {hint}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart() {
    let scratch = Scratch::new();
    let folder = scratch.path("deep/below");
    let note = Note::new("a", "text").of("ann");
    let records = open_in(&folder, 1).await.unwrap();
    assert!(records.insert_new(&note).await.unwrap());
    let derived = records.derive("label");
    drop(records);

    let records = open_in(&folder, 2).await.unwrap();
    let read = records.get::<Note>(b"a").await.unwrap();
    assert_eq!(read.unwrap().into_inner(), note);
    assert_eq!(records.derive("label"), derived);
    assert_ne!(records.derive("other"), derived);
    records.delete_family(&owner("ann")).await.unwrap();
    assert_eq!(records.count::<Note>().await.unwrap(), 0);
}

#[tokio::test]
async fn sec_st_08_all_files_are_for_their_owner_alone() {
    let scratch = Scratch::new();
    let folder = scratch.path("state");
    let records = open_in(&folder, 1).await.unwrap();
    records.put(&Note::new("a", "text")).await.unwrap();
    assert_eq!(mode(&folder), 0o700);
    let names = fs::read_dir(&folder).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let ends = [".db", ".db-shm", ".db-wal", ".key"];
    assert_eq!(
        names,
        ends.map(|end| OsString::from(format!("portcullis{end}")))
    );
    for name in names {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name:?}");
    }
}

#[tokio::test]
async fn sec_st_08_a_folder_that_others_reach_is_refused() {
    let scratch = Scratch::new();
    let folder = scratch.path("state");
    drop(open_in(&folder, 1).await.unwrap());
    for bad in [0o755, 0o750, 0o770, 0o710, 0o702, 0o701] {
        set_mode(&folder, bad);
        let complaint = complaint(DiskStore::open(&folder).await);
        assert!(complaint.contains("chmod 700"), "{bad:o}: {complaint}");
    }
    // A database whose keys come from elsewhere may have a folder that others read.
    let file = folder.join("portcullis.db");
    let open_file = || DiskStore::open_file(&file, keys("k"));
    set_mode(&folder, 0o777);
    assert!(complaint(open_file().await).contains("chmod o-w"));
    let key = SealingKeys::load_or_create(folder.join("new.key"), &SeededEntropy::new(1));
    assert!(complaint(key).contains("chmod o-w"));
    set_mode(&folder, 0o755);
    assert!(open_file().await.is_ok());
    // Another user's. Only root can give folders away.
    let given = Command::new("chown").arg("12345").arg(&folder).output();
    if given.unwrap().status.success() {
        assert!(complaint(open_file().await).contains("another user"));
        let key = SealingKeys::load_or_create(folder.join("new.key"), &SeededEntropy::new(1));
        assert!(complaint(key).contains("another user"));
        set_mode(&folder, 0o700);
        assert!(complaint(DiskStore::open(&folder).await).contains("another user"));
    }
}

#[tokio::test]
async fn sec_st_08_links_in_the_place_of_a_file_are_refused() {
    let scratch = Scratch::new();
    let folder = scratch.path("state");
    drop(open_in(&folder, 1).await.unwrap());
    let link = scratch.path("link");
    symlink(&folder, &link).unwrap();
    let slash = PathBuf::from(format!("{}/", link.display()));
    for path in [&link, &slash, &link.join("."), &link.join("./")] {
        let complaint = complaint(DiskStore::open(path).await);
        assert!(complaint.contains("no link"), "{path:?}: {complaint}");
    }

    let target = scratch.path("target");
    for (name, dangles) in [
        ("portcullis.db", false),
        ("portcullis.db", true),
        ("portcullis.key", false),
        ("portcullis.key", true),
    ] {
        let folder = scratch.path(&format!("{name}-{dangles}"));
        fs::create_dir(&folder).unwrap();
        set_mode(&folder, 0o700);
        if !dangles {
            fs::write(&target, "").unwrap();
            set_mode(&target, 0o600);
        }
        symlink(&target, folder.join(name)).unwrap();
        let complaint = complaint(open_in(&folder, 1).await);
        assert!(complaint.contains("no link"), "{name}: {complaint}");
        if dangles {
            assert!(!target.exists(), "{name} was made through the link");
        } else {
            assert_eq!(fs::read(&target).unwrap(), b"", "{name} was written");
            fs::remove_file(&target).unwrap();
        }
    }
}

/// A secret as Kubernetes mounts one: `key` leads to `..data/key`, and `..data` to a folder of today.
fn mounted(scratch: &Scratch, mode: u32) -> PathBuf {
    let mount = scratch.path("mount");
    fs::create_dir_all(mount.join("..2026_11_22")).unwrap();
    fs::write(mount.join("..2026_11_22/key"), "k".repeat(43)).unwrap();
    set_mode(&mount.join("..2026_11_22/key"), 0o400);
    symlink("..2026_11_22", mount.join("..data")).unwrap();
    symlink("..data/key", mount.join("key")).unwrap();
    set_mode(&mount, mode);
    mount.join("key")
}

#[tokio::test]
async fn a_key_that_a_system_mounts_is_one() {
    for mode in [0o755, 0o1777, 0o3777] {
        let scratch = Scratch::new();
        let key = mounted(&scratch, mode);
        let store = DiskStore::open_file_with_key_file(scratch.path("any.db"), &key).await;
        drop(open(store.unwrap(), &clock(), 1).await.unwrap());
    }
}

#[tokio::test]
async fn sec_st_08_a_link_to_a_key_that_others_could_put_there_is_refused() {
    let scratch = Scratch::new();
    let key = mounted(&scratch, 0o755);
    let opened = async || {
        let store = DiskStore::open_file_with_key_file(scratch.path("any.db"), &key).await;
        open(store.unwrap(), &clock(), 1).await
    };
    for bad in [0o777, 0o775, 0o757] {
        set_mode(key.parent().unwrap(), bad);
        let complaint = complaint(opened().await);
        assert!(
            complaint.contains("others can change"),
            "{bad:o}: {complaint}"
        );
    }
    set_mode(key.parent().unwrap(), 0o1777);
    // Another user's link. Only root can give one away.
    let given = Command::new("chown")
        .args(["-h", "12345"])
        .arg(&key)
        .output();
    if given.unwrap().status.success() {
        assert!(complaint(opened().await).contains("others can change"));
    }
    // What it leads to is judged as any other file.
    fs::remove_file(&key).unwrap();
    symlink("..data/key", &key).unwrap();
    set_mode(&key.with_file_name("..data").join("key"), 0o644);
    assert!(complaint(opened().await).contains("chmod 600"));
    fs::remove_file(key.with_file_name("..data").join("key")).unwrap();
    let complaint = complaint(opened().await);
    assert!(complaint.contains("leads to no key file"), "{complaint}");
    fs::remove_file(&key).unwrap();
    symlink("key", &key).unwrap();
    assert!(opened().await.is_err(), "round and round");
}

#[tokio::test]
async fn a_folder_that_is_missing_is_made_for_its_owner_alone() {
    let scratch = Scratch::new();
    let file = scratch.path("a/b/any.db");
    let key = scratch.path("c/any.key");
    let store = DiskStore::open_file_with_key_file(&file, &key)
        .await
        .unwrap();
    drop(open(store, &clock(), 1).await.unwrap());
    for folder in ["a", "a/b", "c"] {
        assert_eq!(mode(&scratch.path(folder)), 0o700, "{folder}");
    }
    fs::write(scratch.path("file"), "").unwrap();
    let under_a_file = DiskStore::open_file(scratch.path("file/any.db"), keys("k")).await;
    assert!(complaint(under_a_file).contains("name another"));
}

#[tokio::test]
async fn sec_st_08_what_is_no_file_is_refused_and_never_waited_for() {
    let scratch = Scratch::new();
    for (at, name) in ["portcullis.db", "portcullis.key"].into_iter().enumerate() {
        for kind in ["mkfifo", "mkdir"] {
            let folder = scratch.path(&format!("{kind}-{at}"));
            fs::create_dir(&folder).unwrap();
            set_mode(&folder, 0o700);
            let made = Command::new(kind).arg(folder.join(name)).status();
            assert!(made.unwrap().success());
            let complaint = complaint(open_in(&folder, 1).await);
            assert!(complaint.contains("no regular file"), "{complaint}");
        }
    }
}

#[tokio::test]
async fn sec_st_08_a_file_that_others_reach_is_refused() {
    let scratch = Scratch::new();
    let folder = scratch.path("state");
    drop(open_in(&folder, 1).await.unwrap());
    for name in ["portcullis.db", "portcullis.key"] {
        let file = folder.join(name);
        for bad in [0o644, 0o640, 0o620, 0o602, 0o604] {
            set_mode(&file, bad);
            let complaint = complaint(open_in(&folder, 1).await);
            assert!(
                complaint.contains("chmod 600"),
                "{name} {bad:o}: {complaint}"
            );
        }
        set_mode(&file, 0o600);
    }
    // Another user's. Only root can give files away.
    for name in ["portcullis.key", "portcullis.db"] {
        let file = folder.join(name);
        let give = |to: &str| Command::new("chown").arg(to).arg(&file).output().unwrap();
        if give("12345").status.success() {
            let complaint = complaint(open_in(&folder, 1).await);
            assert!(complaint.contains("another user"), "{name}: {complaint}");
            assert!(give("0").status.success());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_st_10_of_many_that_begin_at_once_one_makes_the_key() {
    for round in 0..10 {
        let scratch = Scratch::new();
        let folder = Arc::new(scratch.path("state"));
        let begin = |at: u64| {
            let folder = Arc::clone(&folder);
            tokio::spawn(async move {
                let records = open_in(&folder, round * 100 + at).await.unwrap();
                let note = Note::new(&at.to_string(), "text");
                assert!(records.insert_new(&note).await.unwrap());
                records
            })
        };
        let beginners: Vec<_> = (0..8).map(begin).collect();
        let mut all = Vec::new();
        for beginner in beginners {
            all.push(beginner.await.unwrap());
        }
        for records in &all {
            let notes = records.list::<Note>(None, 100).await.unwrap();
            assert_eq!(notes.items.len(), 8, "each reads what the others wrote");
        }
        drop(all);
        // The key in the file is the one that was used.
        let records = open_in(&folder, 99).await.unwrap();
        assert!(records.get::<Note>(b"0").await.unwrap().is_some());
        let left = fs::read_dir(&*folder).unwrap().count();
        assert!(left <= 4, "a draft was left");
    }
}

#[tokio::test]
async fn sec_st_05_a_wrong_key_is_loud_and_changes_nothing() {
    let scratch = Scratch::new();
    let file = scratch.path("state.db");
    let with = async |keys| {
        let store = DiskStore::open_file(&file, keys).await?;
        open(store, &clock(), 1).await
    };
    let records = with(keys("a")).await.unwrap();
    records.put(&Note::new("a", "text")).await.unwrap();
    drop(records);
    let wrong = with(keys("b")).await;
    assert!(matches!(wrong, Err(StoreError::WrongKey)), "{wrong:?}");
    let records = with(keys("a")).await.unwrap();
    assert!(records.get::<Note>(b"a").await.unwrap().is_some());
}

#[test]
fn sec_st_05_a_key_file_that_is_too_long_is_refused() {
    const LONGEST: usize = 64 * 1024;
    let scratch = Scratch::new();
    let file = scratch.path("keys");
    let line = format!("{}\n", "k".repeat(63));
    let text = line.repeat(LONGEST / line.len());
    let load = |text: &str| {
        fs::write(&file, text).unwrap();
        set_mode(&file, 0o600);
        SealingKeys::load(&file)
    };
    let all = load(&text).unwrap().unwrap();
    assert_eq!(format!("{all:?}"), "SealingKeys(1024)");
    // Cut at the bound, the last line would be another key.
    let longer = text.replacen(&line, &format!("{}\n", "k".repeat(80)), 1);
    assert!(complaint(load(&longer)).contains("64 KiB"));
}

#[tokio::test]
async fn sec_st_05_a_missing_key_file_is_loud_and_none_is_made() {
    let scratch = Scratch::new();
    let folder = scratch.path("state");
    drop(open_in(&folder, 1).await.unwrap());
    let (key, saved) = (folder.join("portcullis.key"), scratch.path("saved"));
    fs::rename(&key, &saved).unwrap();
    let complaint = complaint(open_in(&folder, 2).await);
    assert!(complaint.contains("put it back"), "{complaint}");
    assert!(!key.exists());
    fs::rename(&saved, &key).unwrap();
    open_in(&folder, 3).await.unwrap();
}

#[tokio::test]
async fn keys_can_be_given_or_be_in_another_file() {
    let scratch = Scratch::new();
    let folder = scratch.path("state");
    let store = DiskStore::open(&folder).await.unwrap().key(keys("a"));
    drop(open(store, &clock(), 1).await.unwrap());
    assert!(!folder.join("portcullis.key").exists());

    let (folder, key) = (scratch.path("other"), scratch.path("other.key"));
    let store = DiskStore::open(&folder).await.unwrap().key_file(&key);
    drop(open(store, &clock(), 1).await.unwrap());
    assert!(!folder.join("portcullis.key").exists());
    assert_eq!(mode(&key), 0o600);
    let file = scratch.path("any.db");
    let store = DiskStore::open_file_with_key_file(&file, &key)
        .await
        .unwrap();
    drop(open(store, &clock(), 1).await.unwrap());
    // A file of several keys, with room to say what they are for.
    let old = fs::read_to_string(&key).unwrap();
    let both = format!("# new\n{}\n\n# old\n {old}\n", "n".repeat(43));
    fs::write(&key, both).unwrap();
    let store = DiskStore::open(&folder).await.unwrap().key_file(&key);
    drop(open(store, &clock(), 1).await.unwrap());
    fs::write(&key, "n".repeat(43)).unwrap();
    let store = DiskStore::open(&folder).await.unwrap().key_file(&key);
    drop(open(store, &clock(), 1).await.unwrap());
    for empty in ["", "# nothing\n", "too short\n"] {
        fs::write(&key, empty).unwrap();
        let store = DiskStore::open(&folder).await.unwrap().key_file(&key);
        let complaint = complaint(open(store, &clock(), 1).await);
        assert!(complaint.contains("openssl rand"), "{complaint}");
    }
}

#[tokio::test]
async fn what_is_no_database_of_ours_is_left_alone() {
    let scratch = Scratch::new();
    let file = scratch.path("state.db");
    fs::write(&file, "text ".repeat(1000)).unwrap();
    set_mode(&file, 0o600);
    let opened = DiskStore::open_file(&file, keys("a")).await;
    assert!(complaint(opened).contains("is no database"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "text ".repeat(1000));

    fs::remove_file(&file).unwrap();
    let foreign = rusqlite::Connection::open(&file).unwrap();
    foreign.execute_batch("CREATE TABLE t (a)").unwrap();
    set_mode(&file, 0o600);
    let opened = DiskStore::open_file(&file, keys("a")).await;
    assert!(complaint(opened).contains("another program"));

    let file = scratch.path("newer.db");
    drop(DiskStore::open_file(&file, keys("a")).await.unwrap());
    let newer = rusqlite::Connection::open(&file).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let opened = DiskStore::open_file(&file, keys("a")).await;
    assert!(matches!(opened, Err(StoreError::TooNew)), "{opened:?}");
}

#[tokio::test]
async fn sec_st_06_the_database_holds_nothing_that_can_be_used() {
    let scratch = Scratch::new();
    let folder = scratch.path("state");
    let records = open_in(&folder, 1).await.unwrap();
    let (name, text, who) = ("canary-key-8d1", "canary-text-5b7", "canary-owner-3f2");
    for at in 0..200 {
        let note = Note::new(&format!("{name}{at}"), &text.repeat(50)).of(who);
        records.put(&note).await.unwrap();
    }
    let sealed = records.seal("purpose", b"bound", b"canary-sealed").unwrap();
    assert!(!contains(&sealed, b"canary"));
    // Looked at by another process: a file of SQLite's that this one closed would lose its locks.
    let mut sizes = Vec::new();
    for end in ["db", "db-wal", "db-shm"] {
        let file = folder.join(format!("portcullis.{end}"));
        let bytes = Command::new("cat").arg(&file).output().unwrap().stdout;
        for canary in [&b"canary"[..], b"8d1", b"owner", b"\"text\""] {
            assert!(!contains(&bytes, canary), "{end}: {canary:?}");
        }
        sizes.push(bytes.len());
    }
    assert!(sizes.iter().sum::<usize>() > 200_000, "{sizes:?}");
    let key = fs::read_to_string(folder.join("portcullis.key")).unwrap();
    assert_eq!(key.trim_end().len(), 43);
}

#[tokio::test]
async fn sec_st_18_names_are_never_part_of_a_statement() {
    let scratch = Scratch::new();
    let records = open_in(&scratch.path("state"), 1).await.unwrap();
    let names = ["'; DROP TABLE rows; --", "%", "_", "\"", "\0", "a'b", ""];
    for name in names {
        let note = Note::new(name, name).of(name);
        assert!(records.insert_new(&note).await.unwrap(), "{name:?}");
    }
    for name in names {
        let read = records.get::<Note>(name.as_bytes()).await.unwrap();
        assert_eq!(read.unwrap().text, name);
        let family = owner(name);
        let page = records.list_family::<Note>(&family, None, 10);
        assert_eq!(page.await.unwrap().items.len(), 1, "{name:?}");
    }
    records.delete_family(&owner("%")).await.unwrap();
    assert_eq!(records.count::<Note>().await.unwrap(), 6);
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
