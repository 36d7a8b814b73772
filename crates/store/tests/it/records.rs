//! What records promise, whatever the database.

use std::time::Duration;

use portcullis_store::{Committed, MemoryStore, StoreError};

use crate::sample::{NOW, Note, Tag, clock, in_memory, open, owner};

#[tokio::test]
async fn a_record_is_read_as_it_was_written() {
    let (records, _clock) = in_memory().await;
    let note = Note::new("a", "text").of("ann").ending(NOW + 5);
    assert!(records.insert_new(&note).await.unwrap());
    let read = records.get::<Note>(b"a").await.unwrap().unwrap();
    assert_eq!(*read, note);
    assert_eq!(read.clone().into_inner(), note);
    // The same key elsewhere is another one.
    assert!(records.get::<Tag>(b"a").await.unwrap().is_none());
    assert!(records.get::<Note>(b"b").await.unwrap().is_none());
    assert_eq!(records.take::<Note>(b"a").await.unwrap(), Some(note));
    assert!(records.take::<Note>(b"a").await.unwrap().is_none());
}

#[tokio::test]
async fn sec_rv_02_whoever_shares_a_store_in_one_process_hears_of_changes() {
    // Two handles of two clones: all the same store.
    let store = MemoryStore::new();
    let one = open(store.clone(), &clock(), 1).await.unwrap();
    let other = open(store, &clock(), 2).await.unwrap();
    let note = Note::new("a", "text").of("ann");
    let changes = async |change: &str| match change {
        "insert" => one.insert_new(&note).await.map(drop),
        "put" | "put again" => one.put(&note).await,
        "family" => one.delete_family(&owner("ann")).await,
        "take" => one.take::<Note>(b"a").await.map(drop),
        _ => one.delete::<Note>(b"a").await,
    };
    for change in ["insert", "put", "family", "put again", "take", "delete"] {
        let before = (one.foreign_changes(), other.foreign_changes());
        changes(change).await.unwrap();
        assert_eq!(one.foreign_changes(), before.0, "{change}: its own");
        assert_ne!(other.foreign_changes(), before.1, "{change}: another's");
    }
    one.put(&note).await.unwrap();
    let before = other.foreign_changes();
    assert!(!one.insert_new(&note).await.unwrap());
    assert!(other.get::<Note>(b"a").await.unwrap().is_some());
    assert_eq!(other.foreign_changes(), before, "nothing has changed");
}

#[tokio::test]
async fn what_was_changed_meanwhile_is_not_swapped() {
    let (records, _clock) = in_memory().await;
    let (first, second) = (Note::new("a", "1"), Note::new("a", "2"));
    records.put(&first).await.unwrap();
    let read = records.get::<Note>(b"a").await.unwrap().unwrap();
    // Even when the very same text is written again, it is not what was read.
    records.put(&first).await.unwrap();
    assert!(!records.compare_and_swap(&read, &second).await.unwrap());
    assert_eq!(*records.get::<Note>(b"a").await.unwrap().unwrap(), first);

    let read = records.get::<Note>(b"a").await.unwrap().unwrap();
    let elsewhere = Note::new("b", "2");
    assert!(!records.compare_and_swap(&read, &elsewhere).await.unwrap());
    assert!(records.compare_and_swap(&read, &second).await.unwrap());
    assert!(!records.compare_and_swap(&read, &first).await.unwrap());
    let batch = records.batch().remove(&read);
    assert_eq!(batch.commit().await.unwrap(), Committed::No);
    assert_eq!(*records.get::<Note>(b"a").await.unwrap().unwrap(), second);
}

#[tokio::test]
async fn a_batch_happens_whole_or_not_at_all() {
    let (records, _clock) = in_memory().await;
    let note = |name: &str| Note::new(name, "text").of("ann");
    records.put(&note("taken")).await.unwrap();
    records.put(&note("old")).await.unwrap();
    let refused = records
        .batch()
        .insert(&note("new"))
        .delete::<Note>(b"old")
        .put(&note("put"))
        .delete_family(&owner("ann"))
        .put(&note("again"))
        .insert(&note("taken"))
        .insert(&note("again"));
    assert_eq!(refused.commit().await.unwrap(), Committed::No);
    let listing = records.list::<Note>(None, 10).await.unwrap();
    let mut names: Vec<_> = listing.items.into_iter().map(|note| note.name).collect();
    names.sort();
    assert_eq!(names, ["old", "taken"]);

    let read = records.get::<Note>(b"old").await.unwrap().unwrap();
    let batch = records
        .batch()
        .remove(&read)
        .insert(&note("old"))
        .insert(&Tag(note("old")));
    assert_eq!(batch.commit().await.unwrap(), Committed::Yes);
    assert_eq!(records.count::<Note>().await.unwrap(), 2);
    assert_eq!(records.count::<Tag>().await.unwrap(), 1);
    assert_eq!(records.batch().commit().await.unwrap(), Committed::Yes);
}

#[tokio::test]
async fn sec_st_11_expired_is_gone() {
    let (records, clock) = in_memory().await;
    let note = Note::new("a", "1").of("ann").ending(NOW + 10);
    records.put(&note).await.unwrap();
    let read = records.get::<Note>(b"a").await.unwrap().unwrap();
    clock.advance(Duration::from_secs(9));
    assert!(!records.insert_new(&note).await.unwrap());
    clock.advance(Duration::from_secs(1));
    assert!(records.get::<Note>(b"a").await.unwrap().is_none());
    let all = records.list::<Note>(None, 10).await.unwrap();
    let ann = owner("ann");
    let anns = records.list_family::<Note>(&ann, None, 10).await.unwrap();
    assert!(all.items.is_empty() && anns.items.is_empty());
    assert!(records.list_ending::<Note>(10).await.unwrap().is_empty());
    assert!(!records.compare_and_swap(&read, &note).await.unwrap());
    let batch = records.batch().remove(&read);
    assert_eq!(batch.commit().await.unwrap(), Committed::No);
    // It stands in nobody's way.
    let next = Note::new("a", "2").ending(NOW + 20);
    assert!(records.insert_new(&next).await.unwrap());
    clock.advance(Duration::from_secs(10));
    assert!(records.take::<Note>(b"a").await.unwrap().is_none());
}

#[tokio::test]
async fn sweeping_deletes_what_is_expired_and_no_more_than_asked() {
    let (records, clock) = in_memory().await;
    for at in 0..10_i64 {
        let note = Note::new(&at.to_string(), "text").ending(NOW + at);
        records.put(&note).await.unwrap();
        records.put(&Tag(note)).await.unwrap();
    }
    records.put(&Note::new("endless", "text")).await.unwrap();
    clock.advance(Duration::from_secs(4));
    assert_eq!(records.sweep(7).await.unwrap(), 7);
    assert_eq!(records.sweep(7).await.unwrap(), 3);
    assert_eq!(records.sweep(7).await.unwrap(), 0);
    assert_eq!(records.count::<Note>().await.unwrap(), 6);
    let ending = records.list_ending::<Note>(4).await.unwrap();
    let names: Vec<_> = ending.iter().map(|note| note.name.as_str()).collect();
    assert_eq!(names, ["5", "6", "7", "8"]);
    let last = records.list_ending::<Note>(100).await.unwrap();
    assert_eq!(last.last().unwrap().name, "endless");
}

#[tokio::test]
async fn families_are_listed_by_page_and_deleted_at_once() {
    let (records, _clock) = in_memory().await;
    for at in 0..5 {
        let name = at.to_string();
        let note = Note::new(&name, "text");
        records.put(&note.clone().of("ann")).await.unwrap();
        records.put(&Tag(note.clone().of("ann"))).await.unwrap();
        let other = Note::new(&format!("b{name}"), "text").of("ben");
        records.put(&other).await.unwrap();
    }
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let family = owner("ann");
        let page = records.list_family::<Note>(&family, after, 2);
        let page = page.await.unwrap();
        assert!(page.items.len() <= 2);
        names.extend(page.items.into_iter().map(|note| note.name));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    names.sort();
    assert_eq!(names, ["0", "1", "2", "3", "4"]);
    // Whoever leaves a family is not found there any more.
    let leaver = Note::new("0", "text").of("ben");
    records.put(&leaver).await.unwrap();
    records.delete_family(&owner("ann")).await.unwrap();
    let left = records.list::<Note>(None, 100).await.unwrap();
    assert_eq!(left.items.len(), 6);
    assert!(left.items.iter().all(|note| note.owner == "ben"));
    assert_eq!(records.count::<Tag>().await.unwrap(), 0);
}

#[tokio::test]
async fn sec_st_22_a_record_has_a_bound() {
    let (records, _clock) = in_memory().await;
    let large = Note::new("a", &"x".repeat(64 * 1024));
    let small = Note::new("b", "text");
    assert!(matches!(
        records.insert_new(&large).await,
        Err(StoreError::TooLarge)
    ));
    let batch = records.batch().insert(&small).put(&large);
    assert!(matches!(batch.commit().await, Err(StoreError::TooLarge)));
    assert!(records.get::<Note>(b"b").await.unwrap().is_none());
    let fits = Note::new("a", &"x".repeat(63 * 1024));
    assert!(records.insert_new(&fits).await.unwrap());
    assert!(records.get::<Note>(b"a").await.unwrap().is_some());
}
