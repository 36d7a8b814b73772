//! A store without encryption: what can be read in it, and what is noticed all the same.

use std::sync::Arc;

use bytes::Bytes;
use portcullis_oauth::{SecretString, Timestamp};
use portcullis_store::{
    Change, Collection, Committed, MemoryStore, Page, Row, SealingKeys, Store, StoreError,
    StoreHandle,
};

use crate::sample::{NOW, Note, clock, open};

const NOTE: Collection = Collection::new("note");
const KEYS: Collection = Collection::new("data_keys");

fn readable(store: &MemoryStore) -> StoreHandle {
    store.clone().dangerous().without_encryption()
}

fn encrypted(store: &MemoryStore) -> StoreHandle {
    let secret = SecretString::from("a".repeat(32));
    let keys = SealingKeys::from_secrets(&[secret]).unwrap();
    StoreHandle::new(Arc::new(store.clone()), keys)
}

async fn rows(store: &MemoryStore, collection: Collection) -> Vec<Row> {
    store.list(collection, Page::first(1000)).await.unwrap()
}

async fn put(store: &MemoryStore, row: Row) {
    let put = store.commit(vec![Change::Put(row)], Timestamp::from_secs(NOW));
    assert_eq!(put.await.unwrap(), Committed::Yes);
}

#[tokio::test]
async fn values_can_be_read_and_names_cannot() {
    let (store, clock) = (MemoryStore::new(), clock());
    let records = open(readable(&store), &clock, 1).await.unwrap();
    records.put(&Note::new("a", "the text")).await.unwrap();
    let row = rows(&store, NOTE).await.remove(0);
    let text = String::from_utf8_lossy(&row.value).into_owned();
    assert!(
        text.ends_with(r#"{"name":"a","owner":"nobody","text":"the text","ends":null}"#),
        "{text}"
    );
    // The same name is another digest in another store.
    let other = MemoryStore::new();
    let records = open(readable(&other), &clock, 2).await.unwrap();
    records.put(&Note::new("a", "the text")).await.unwrap();
    assert_ne!(
        rows(&other, NOTE).await.remove(0).key.digest,
        row.key.digest
    );
    // What leaves the store is sealed as ever.
    let sealed = records.seal("purpose", b"", b"the text").unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("the text"));
    assert_eq!(
        records.open_sealed("purpose", b"", &sealed).unwrap(),
        b"the text"
    );
}

#[tokio::test]
async fn it_does_what_every_store_does() {
    let (store, clock) = (MemoryStore::new(), clock());
    let records = open(readable(&store), &clock, 1).await.unwrap();
    let other = open(readable(&store), &clock, 2).await.unwrap();
    assert!(records.insert_new(&Note::new("a", "one")).await.unwrap());
    assert!(!other.insert_new(&Note::new("a", "two")).await.unwrap());
    let read = other.get::<Note>(b"a").await.unwrap().unwrap();
    assert_eq!(read.text, "one");
    records.rotate_data_key().await.unwrap();
    assert!(
        other
            .compare_and_swap(&read, &Note::new("a", "two"))
            .await
            .unwrap()
    );
    assert!(
        !records
            .compare_and_swap(&read, &Note::new("a", "three"))
            .await
            .unwrap()
    );
    records.put(&Note::new("b", "new key")).await.unwrap();
    assert_eq!(
        other.get::<Note>(b"b").await.unwrap().unwrap().text,
        "new key"
    );
    assert!(records.reseal::<Note>(None, 10).await.unwrap().is_none());
    assert_eq!(other.take::<Note>(b"a").await.unwrap().unwrap().text, "two");
}

#[tokio::test]
async fn sec_st_05_a_store_opens_as_it_was_made() {
    let clock = clock();
    let (made_readable, made_encrypted) = (MemoryStore::new(), MemoryStore::new());
    open(readable(&made_readable), &clock, 1).await.unwrap();
    open(encrypted(&made_encrypted), &clock, 1).await.unwrap();
    let before = (
        rows(&made_readable, KEYS).await,
        rows(&made_encrypted, KEYS).await,
    );

    let opened = open(encrypted(&made_readable), &clock, 2).await;
    assert!(
        matches!(opened, Err(StoreError::NotEncrypted)),
        "{opened:?}"
    );
    let opened = open(readable(&made_encrypted), &clock, 2).await;
    assert!(matches!(opened, Err(StoreError::Encrypted)), "{opened:?}");
    for error in [StoreError::NotEncrypted, StoreError::Encrypted] {
        assert!(error.hint().is_some());
    }
    let after = (
        rows(&made_readable, KEYS).await,
        rows(&made_encrypted, KEYS).await,
    );
    assert_eq!(before, after);
}

#[tokio::test]
async fn sec_st_05_keys_that_anybody_could_write_are_not_taken() {
    let (store, forged, clock) = (MemoryStore::new(), MemoryStore::new(), clock());
    let records = open(encrypted(&store), &clock, 1).await.unwrap();
    records.put(&Note::new("a", "text")).await.unwrap();
    open(readable(&forged), &clock, 2).await.unwrap();
    put(&store, rows(&forged, KEYS).await.remove(0)).await;
    let opened = open(encrypted(&store), &clock, 3).await;
    assert!(
        matches!(opened, Err(StoreError::NotEncrypted)),
        "{opened:?}"
    );
    // Nor by a server that runs.
    assert!(records.rotate_data_key().await.is_err());
}

#[tokio::test]
async fn sec_st_05_a_readable_row_is_none_of_an_encrypted_store() {
    let (store, clock) = (MemoryStore::new(), clock());
    let records = open(encrypted(&store), &clock, 1).await.unwrap();
    records.put(&Note::new("a", "text")).await.unwrap();
    let row = rows(&store, NOTE).await.remove(0);
    let note = br#"{"name":"a","owner":"nobody","text":"forged","ends":null}"#;
    let forged = [&[2][..], &row.value[1..9], &[0; 32], note].concat();
    let value = Bytes::from(forged);
    let mut changed = row.clone();
    changed.value = value;
    put(&store, changed).await;
    let read = records.get::<Note>(b"a").await;
    assert!(matches!(read, Err(StoreError::Corrupt)), "{read:?}");

    // And the other way round.
    let plain = MemoryStore::new();
    let records = open(readable(&plain), &clock, 1).await.unwrap();
    records.put(&Note::new("a", "text")).await.unwrap();
    let key = rows(&plain, NOTE).await.remove(0).key;
    let mut moved = row;
    moved.key = key;
    put(&plain, moved).await;
    let read = records.get::<Note>(b"a").await;
    assert!(matches!(read, Err(StoreError::Corrupt)), "{read:?}");
}

#[tokio::test]
async fn sec_st_03_a_readable_value_is_good_at_its_own_place_alone() {
    let (store, clock) = (MemoryStore::new(), clock());
    let records = open(readable(&store), &clock, 1).await.unwrap();
    let note = Note::new("a", "text").of("ann").ending(NOW + 10);
    records.put(&note).await.unwrap();
    let original = rows(&store, NOTE).await.remove(0);
    records.put(&Note::new("b", "other")).await.unwrap();
    let mut all = rows(&store, NOTE).await.into_iter();
    let other = all.find(|row| row.key != original.key).unwrap();

    let mut longer = original.clone();
    longer.expires_at = Some(Timestamp::from_secs(NOW + 11));
    let mut homeless = original.clone();
    homeless.families.clear();
    let mut changed = original.clone();
    let at = changed.value.len() - 3;
    let mut bytes = changed.value.to_vec();
    bytes[at] ^= 1;
    changed.value = bytes.into();
    let mut moved = original.clone();
    moved.value = other.value.clone();
    let mut cut = original.clone();
    cut.value = original.value.slice(..20);
    for row in [longer, homeless, changed, moved, cut] {
        put(&store, row).await;
        let read = records.get::<Note>(b"a").await;
        assert!(matches!(read, Err(StoreError::Corrupt)), "{read:?}");
    }
    put(&store, original).await;
    assert!(records.get::<Note>(b"a").await.unwrap().is_some());
}

#[cfg(all(feature = "sqlite", unix))]
#[tokio::test]
async fn a_folder_without_encryption_has_no_key() {
    let (scratch, clock) = (crate::sample::Scratch::new(), clock());
    let folder = scratch.path("state");
    let handle = async || {
        let store = portcullis_store::DiskStore::open(&folder).await.unwrap();
        store.dangerous().without_encryption()
    };
    let records = open(handle().await, &clock, 1).await.unwrap();
    records.put(&Note::new("a", "the text")).await.unwrap();
    drop(records);
    assert!(!folder.join("portcullis.key").exists());
    let again = open(handle().await, &clock, 2).await.unwrap();
    assert_eq!(
        again.get::<Note>(b"a").await.unwrap().unwrap().text,
        "the text"
    );
    // With a key it does not open.
    let store = portcullis_store::DiskStore::open(&folder).await.unwrap();
    let keys = SealingKeys::from_secrets(&["k".repeat(32).into()]).unwrap();
    let opened = open(store.key(keys), &clock, 3).await;
    assert!(
        matches!(opened, Err(StoreError::NotEncrypted)),
        "{opened:?}"
    );
    let missing = open(
        portcullis_store::DiskStore::open(&folder).await.unwrap(),
        &clock,
        4,
    )
    .await;
    assert!(
        matches!(missing, Err(StoreError::NotEncrypted)),
        "{missing:?}"
    );
}
