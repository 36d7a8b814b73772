//! Processes that are killed, that share a file, and that run out of disk.

use std::collections::HashSet;
use std::path::Path;

use portcullis_store::{Committed, DiskStore, Records, StoreError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::children::{Other, arguments, say};
use crate::sample::{Note, Scratch, Tag, clock, open};

/// How often a writer is killed. A longer run finds rarer points.
const KILLS: u32 = 40;

async fn open_at(state: &Path, seed: u64) -> Records {
    let store = DiskStore::open(state).await.unwrap();
    open(store, &clock(), seed).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// A pair of records that are there together or not at all.
fn pair(name: &str) -> (Note, Tag) {
    let note = Note::new(name, &"text ".repeat(40)).of(name);
    (note.clone(), Tag(note))
}

/// The child: many writers, each of which says what was committed, as soon as it is told.
#[test]
fn a_child_that_writes() {
    let Some((state, detail)) = arguments() else {
        return;
    };
    let (run, writers) = detail.split_once(' ').unwrap();
    let writers: u32 = writers.parse().unwrap();
    runtime().block_on(async {
        let records = open_at(&state, run.parse().unwrap()).await;
        say("begun");
        let write = |writer: u32| {
            let (records, run) = (records.clone(), run.to_owned());
            tokio::spawn(async move {
                for step in 0_u32.. {
                    let name = format!("{run}-{writer}-{step}");
                    let (note, tag) = pair(&name);
                    let mut batch = records.batch().insert(&note).insert(&tag);
                    // Some of it goes again: both halves of every third.
                    let gone = format!("{run}-{writer}-{}", step.wrapping_sub(2));
                    let drops = step % 3 == 2;
                    if drops {
                        batch = batch
                            .delete::<Note>(gone.as_bytes())
                            .delete::<Tag>(gone.as_bytes());
                    }
                    assert_eq!(batch.commit().await.unwrap(), Committed::Yes);
                    let dropped = if drops { gone.as_str() } else { "" };
                    say(&format!("{name} {dropped}"));
                }
            })
        };
        let all: Vec<_> = (0..writers).map(write).collect();
        for writer in all {
            writer.await.unwrap();
        }
    });
}

#[test]
fn sec_st_10_what_was_answered_survives_kill_9_and_no_batch_is_half_there() {
    let scratch = Scratch::new();
    let state = scratch.path("state");
    let (mut committed, mut dropped) = (HashSet::new(), HashSet::new());
    let note = |line: &str, committed: &mut HashSet<String>, dropped: &mut HashSet<String>| {
        if let Some((name, gone)) = line.split_once(' ') {
            committed.insert(name.to_owned());
            dropped.insert(gone.to_owned());
        }
    };
    for run in 0..KILLS {
        let writers = 1 + run % 9;
        let detail = format!("{run} {writers}");
        let mut other = Other::start("crash::a_child_that_writes", &state, &detail);
        // Sometimes while it opens, sometimes after a few answers, sometimes after many.
        for _ in 0..(run * 37) % 160 {
            let line = other.says().expect("it writes until it is killed");
            note(&line, &mut committed, &mut dropped);
        }
        for line in other.kill() {
            note(&line, &mut committed, &mut dropped);
        }
    }
    assert!(committed.len() > 500, "{} commits", committed.len());

    let check = rusqlite::Connection::open(state.join("portcullis.db")).unwrap();
    let check = check.pragma_query_value(None, "integrity_check", |row| row.get::<_, String>(0));
    assert_eq!(check.unwrap(), "ok");
    runtime().block_on(async {
        let records = open_at(&state, 1).await;
        let names = |notes: Vec<Note>| notes.into_iter().map(|note| note.name);
        let notes = records.list::<Note>(None, 1_000_000).await.unwrap().items;
        let tags = records.list::<Tag>(None, 1_000_000).await.unwrap().items;
        let notes: HashSet<_> = names(notes).collect();
        let tags: HashSet<_> = names(tags.into_iter().map(|tag| tag.0).collect()).collect();
        assert_eq!(notes, tags, "half of a batch");
        for name in &committed {
            // A drop may have been committed and its answer cut off by the kill.
            let (writer, step) = name.rsplit_once('-').unwrap();
            let later = format!("{writer}-{}", step.parse::<u32>().unwrap() + 2);
            let may_be_gone = notes.contains(&later);
            assert!(notes.contains(name) || may_be_gone, "{name} was lost");
        }
        for name in &dropped {
            assert!(!notes.contains(name), "{name} came back");
        }
    });
}

/// The child: takes what others take too.
#[test]
fn a_child_that_takes() {
    let Some((state, detail)) = arguments() else {
        return;
    };
    runtime().block_on(async {
        let records = open_at(&state, detail.parse().unwrap()).await;
        say("begun");
        for at in 0..300 {
            let name = at.to_string();
            if records
                .take::<Note>(name.as_bytes())
                .await
                .unwrap()
                .is_some()
            {
                say(&format!("took {name}"));
            }
            let (note, _) = pair(&format!("new {name}"));
            if records.insert_new(&note).await.unwrap() {
                say(&format!("made {name}"));
            }
        }
    });
}

#[test]
fn sec_st_11_one_of_many_processes_wins() {
    let scratch = Scratch::new();
    let state = scratch.path("state");
    runtime().block_on(async {
        let records = open_at(&state, 1).await;
        let before = records.foreign_changes();
        for at in 0..300 {
            records
                .put(&Note::new(&at.to_string(), "text"))
                .await
                .unwrap();
        }
        let (own, watched) = (records.foreign_changes(), state.clone());
        assert_eq!(records.foreign_changes(), own, "{before}");
        let others =
            (0..4).map(|at| Other::start("crash::a_child_that_takes", &watched, &at.to_string()));
        let others: Vec<_> = others.collect();
        let mut said: Vec<String> = Vec::new();
        for mut other in others {
            said.extend(std::iter::from_fn(|| other.says()));
            assert!(other.ends_well());
        }
        said.retain(|line| line != "begun");
        let different: HashSet<_> = said.iter().collect();
        assert_eq!(
            (said.len(), different.len()),
            (600, 600),
            "each exactly once"
        );
        assert_ne!(records.foreign_changes(), own, "others wrote");
        assert_eq!(records.count::<Note>().await.unwrap(), 300);
    });
}

/// The child: waits until it hears of a change, and answers with one.
#[test]
fn a_child_that_answers() {
    const PATIENCE: u32 = 20_000_000;
    let Some((state, rounds)) = arguments() else {
        return;
    };
    runtime().block_on(async {
        let mut records = open_at(&state, 2).await;
        let mut heard = records.foreign_changes();
        say("begun");
        for round in 0..rounds.parse().unwrap() {
            let is_told = (0..PATIENCE).any(|_| {
                std::thread::yield_now();
                records.foreign_changes() != heard
            });
            assert!(is_told, "round {round} was missed");
            if round % 40 == 39 {
                drop(records);
                records = open_at(&state, 3).await;
            }
            let answer = Note::new("answer", &round.to_string());
            records.put(&answer).await.unwrap();
            heard = records.foreign_changes();
            say(&round.to_string());
        }
    });
}

#[test]
fn sec_rv_02_two_processes_hear_of_each_commit_of_the_other() {
    const ROUNDS: u32 = 500;
    let scratch = Scratch::new();
    let state = scratch.path("state");
    runtime().block_on(async {
        let records = open_at(&state, 1).await;
        let rounds = ROUNDS.to_string();
        let mut other = Other::start("crash::a_child_that_answers", &state, &rounds);
        assert_eq!(other.says().as_deref(), Some("begun"));
        let log = rusqlite::Connection::open(state.join("portcullis.db")).unwrap();
        for round in 0..ROUNDS {
            let before = records.foreign_changes();
            let question = Note::new("question", &round.to_string());
            records.put(&question).await.unwrap();
            let said = other.says();
            assert_eq!(said, Some(round.to_string()), "the other heard nothing");
            assert_ne!(records.foreign_changes(), before, "round {round}");
            if round % 30 == 17 {
                log.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)")
                    .unwrap();
            }
        }
        assert!(other.ends_well());
    });
}

#[test]
fn sec_st_10_processes_that_begin_at_once_share_one_store() {
    for _ in 0..4 {
        let scratch = Scratch::new();
        let state = scratch.path("state");
        let others = (0..5)
            .map(|at: u32| Other::start("crash::a_child_that_takes", &state, &at.to_string()));
        let mut made: Vec<String> = Vec::new();
        for mut other in others.collect::<Vec<_>>() {
            made.extend(std::iter::from_fn(|| other.says()));
            assert!(other.ends_well());
        }
        made.retain(|line| line.starts_with("made "));
        assert_eq!(made.len(), 300, "each was made by one of them");
        assert_eq!(made.iter().collect::<HashSet<_>>().len(), 300);
    }
}

/// The child: may write no file beyond a bound, until it may again.
#[test]
fn a_child_without_disk() {
    let Some((state, _)) = arguments() else {
        return;
    };
    runtime().block_on(async {
        let records = open_at(&state, 1).await;
        records.put(&Note::new("first", "text")).await.unwrap();
        let unbounded = getrlimit(Resource::Fsize);
        let bound = Rlimit {
            current: Some(300_000),
            ..unbounded
        };
        setrlimit(Resource::Fsize, bound).unwrap();
        let mut written = 0;
        let failed = loop {
            let note = Note::new(&format!("{written}"), &"text ".repeat(200));
            match records.insert_new(&note).await {
                Ok(done) => assert!(done),
                Err(error) => break error,
            }
            written += 1;
            assert!(written < 1000, "the disk is never full");
        };
        assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
        // What there is can be read, and nothing else is granted.
        assert!(records.get::<Note>(b"first").await.unwrap().is_some());
        let name = written.to_string();
        assert!(
            records
                .get::<Note>(name.as_bytes())
                .await
                .unwrap()
                .is_none()
        );
        assert!(
            records
                .put(&Note::new("x", &"y".repeat(9000)))
                .await
                .is_err()
        );
        setrlimit(Resource::Fsize, unbounded).unwrap();
        let note = Note::new(&name, "text");
        assert!(
            records.insert_new(&note).await.unwrap(),
            "without a restart"
        );
        say(&format!("wrote {written}"));
    });
}

#[test]
fn sec_st_14_a_full_disk_refuses_and_recovers() {
    let scratch = Scratch::new();
    let state = scratch.path("state");
    let mut other = Other::start("crash::a_child_without_disk", &state, "");
    let said = other.says();
    assert!(other.ends_well(), "{said:?}");
    let said = said.unwrap();
    let written: usize = said.strip_prefix("wrote ").unwrap().parse().unwrap();
    runtime().block_on(async {
        let records = open_at(&state, 2).await;
        let notes = records.list::<Note>(None, 10_000).await.unwrap();
        assert_eq!(notes.items.len(), written + 2, "all that was answered");
    });
}
