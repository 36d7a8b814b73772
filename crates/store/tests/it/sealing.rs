//! What is sealed, and what becomes of it when somebody touches it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use portcullis_oauth::{SecretString, Timestamp};
use portcullis_store::{
    Change, Collection, Committed, MemoryStore, Page, Row, RowKey, SealingKeys, Store, StoreError,
    StoreHandle,
};
use portcullis_testkit::SeededEntropy;
use portcullis_testkit::store::FaultyStore;
use proptest::prelude::*;

#[cfg(unix)]
use crate::sample::Scratch;
use crate::sample::{NOW, Note, Tag, clock, open};

const NOTE: Collection = Collection::new("note");
const TAG: Collection = Collection::new("tag");

fn keys(secrets: &[&str]) -> SealingKeys {
    let secrets: Vec<_> = secrets
        .iter()
        .map(|secret| SecretString::from(secret.repeat(32)))
        .collect();
    SealingKeys::from_secrets(&secrets).unwrap()
}

/// Does to a store what somebody does who can write the database.
async fn tamper(store: &MemoryStore, row: Row) {
    let put = store.commit(vec![Change::Put(row)], Timestamp::from_secs(NOW));
    assert_eq!(put.await.unwrap(), Committed::Yes);
}

async fn rows(store: &MemoryStore, collection: Collection) -> Vec<Row> {
    store.list(collection, Page::first(1000)).await.unwrap()
}

fn with_value(row: &Row, value: impl Into<Bytes>) -> Row {
    let mut row = row.clone();
    row.value = value.into();
    row
}

#[tokio::test]
async fn sec_st_02_no_two_envelopes_share_salt_or_nonce() {
    let (store, clock) = (MemoryStore::new(), clock());
    let records = open(store.clone(), &clock, 1).await.unwrap();
    let (mut salts, mut nonces) = (HashSet::new(), HashSet::new());
    for round in 0..200 {
        let note = Note::new(&(round % 20).to_string(), "the same text");
        records.put(&note).await.unwrap();
        for row in rows(&store, NOTE).await {
            let envelope = row.value.to_vec();
            salts.insert(envelope[9..25].to_vec());
            nonces.insert(envelope[25..37].to_vec());
        }
    }
    for _ in 0..200 {
        let sealed = records.seal("purpose", b"", b"text").unwrap();
        salts.insert(sealed[9..25].to_vec());
        nonces.insert(sealed[25..37].to_vec());
    }
    assert_eq!((salts.len(), nonces.len()), (400, 400));
}

#[tokio::test]
async fn sec_st_03_a_value_opens_at_its_own_place_alone() {
    let (store, clock) = (MemoryStore::new(), clock());
    let records = open(store.clone(), &clock, 1).await.unwrap();
    let note = Note::new("a", "text").of("ann").ending(NOW + 10);
    records.put(&note).await.unwrap();
    records.put(&Note::new("b", "other")).await.unwrap();
    records.put(&Tag(note.clone())).await.unwrap();
    let original = rows(&store, NOTE).await;
    let original = original.iter().find(|row| row.expires_at.is_some());
    let original = original.unwrap();
    assert!(records.get::<Note>(b"a").await.unwrap().is_some());

    let mut longer = original.clone();
    longer.expires_at = Some(Timestamp::from_secs(NOW + 11));
    let mut endless = original.clone();
    endless.expires_at = None;
    let mut fewer = original.clone();
    fewer.families.pop();
    let mut homeless = original.clone();
    homeless.families.clear();
    for changed in [longer, endless, fewer, homeless] {
        tamper(&store, changed).await;
        let read = records.get::<Note>(b"a").await;
        assert!(matches!(read, Err(StoreError::Corrupt)), "{read:?}");
    }
    // Under another key, and in another collection.
    for other in rows(&store, NOTE)
        .await
        .iter()
        .chain(&rows(&store, TAG).await)
    {
        if other.key != original.key {
            let mut moved = original.clone();
            moved.key = other.key;
            tamper(&store, moved).await;
        }
    }
    let read = records.get::<Note>(b"b").await;
    assert!(matches!(read, Err(StoreError::Corrupt)), "{read:?}");
    let read = records.take::<Tag>(b"a").await;
    assert!(matches!(read, Err(StoreError::Corrupt)), "{read:?}");
    let mut moved = original.clone();
    moved.key.collection = TAG;
    tamper(&store, moved).await;
    let listed = records.list::<Tag>(None, 10).await;
    assert!(matches!(listed, Err(StoreError::Corrupt)), "{listed:?}");
    tamper(&store, original.clone()).await;
    assert!(records.get::<Note>(b"a").await.unwrap().is_some());
}

#[tokio::test]
async fn sec_st_03_a_flipped_bit_or_a_cut_is_noticed_everywhere() {
    let (store, clock) = (MemoryStore::new(), clock());
    let records = open(store.clone(), &clock, 1).await.unwrap();
    records.put(&Note::new("a", "text")).await.unwrap();
    let original = rows(&store, NOTE).await.remove(0);
    let value = original.value.to_vec();
    let sealed = records.seal("purpose", b"", b"text").unwrap();
    for at in 0..value.len() {
        for bit in 0..8 {
            let mut flipped = value.clone();
            flipped[at] ^= 1 << bit;
            tamper(&store, with_value(&original, flipped)).await;
            let read = records.get::<Note>(b"a").await;
            let too_new = at == 0 && matches!(read, Err(StoreError::TooNew));
            let expected = too_new || matches!(read, Err(StoreError::Corrupt));
            assert!(expected, "byte {at}, bit {bit}: {read:?}");
            if let Some(byte) = sealed.get(at) {
                let mut flipped = sealed.clone();
                flipped[at] = byte ^ (1 << bit);
                assert!(records.open_sealed("purpose", b"", &flipped).is_err());
            }
        }
        tamper(&store, with_value(&original, value[..at].to_vec())).await;
        assert!(records.get::<Note>(b"a").await.is_err(), "cut at {at}");
        let cut = &sealed[..at.min(sealed.len() - 1)];
        assert!(records.open_sealed("purpose", b"", cut).is_err());
    }
    tamper(&store, with_value(&original, [&value[..], b"x"].concat())).await;
    assert!(records.get::<Note>(b"a").await.is_err());
    let listed = records.list::<Note>(None, 10).await;
    assert!(matches!(listed, Err(StoreError::Corrupt)), "{listed:?}");
}

#[tokio::test]
async fn sec_st_03_a_sealed_value_opens_for_its_purpose_alone() {
    let store = MemoryStore::new();
    let clock = clock();
    let records = open(store.clone(), &clock, 1).await.unwrap();
    let sealed = records.seal("login", b"browser", b"text").unwrap();
    let opened = |purpose, bound: &[u8]| records.open_sealed(purpose, bound, &sealed);
    assert_eq!(opened("login", b"browser").unwrap(), b"text");
    for (purpose, bound) in [
        ("consent", &b"browser"[..]),
        ("login", b"Browser"),
        ("login", b""),
        ("loginb", b"rowser"),
    ] {
        assert!(matches!(opened(purpose, bound), Err(StoreError::Corrupt)));
    }
    // Every process on the same store opens it, no other one.
    let replica = open(store, &clock, 2).await.unwrap();
    let again = replica.open_sealed("login", b"browser", &sealed);
    assert_eq!(again.unwrap(), b"text");
    let other = open(MemoryStore::new(), &clock, 3).await.unwrap();
    assert!(other.open_sealed("login", b"browser", &sealed).is_err());
}

#[tokio::test]
async fn sec_st_06_digests_differ_from_store_to_store() {
    let clock = clock();
    let (mut digests, mut families) = (HashSet::new(), HashSet::new());
    for seed in 0..5 {
        let store = MemoryStore::new();
        let records = open(store.clone(), &clock, seed).await.unwrap();
        records.put(&Note::new("a", "text")).await.unwrap();
        let row = rows(&store, NOTE).await.remove(0);
        digests.insert(row.key.digest);
        families.extend(row.families);
        records.put(&Tag(Note::new("a", "text"))).await.unwrap();
        digests.insert(rows(&store, TAG).await.remove(0).key.digest);
    }
    assert_eq!((digests.len(), families.len()), (10, 10));
}

#[tokio::test]
async fn sec_st_05_a_new_sealing_key_takes_over_at_the_next_start() {
    let (store, clock) = (MemoryStore::new(), clock());
    let with = async |secrets: &[&str]| {
        let handle = StoreHandle::from((store.clone(), keys(secrets)));
        open(handle, &clock, 1).await
    };
    let records = with(&["a"]).await.unwrap();
    records.put(&Note::new("a", "text")).await.unwrap();
    // Old and new run beside each other while the fleet is rolled over.
    let newer = with(&["b", "a"]).await.unwrap();
    assert!(newer.get::<Note>(b"a").await.unwrap().is_some());
    records.put(&Note::new("b", "text")).await.unwrap();
    assert!(newer.get::<Note>(b"b").await.unwrap().is_some());
    // And the old one can go.
    let last = with(&["b"]).await.unwrap();
    assert!(last.get::<Note>(b"b").await.unwrap().is_some());
    assert_eq!(last.derive("label"), records.derive("label"));
    let old = with(&["a"]).await;
    assert!(matches!(old, Err(StoreError::WrongKey)), "{old:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn sec_st_05_keys_in_a_file_are_made_for_an_empty_store_alone() {
    let (store, clock, scratch) = (MemoryStore::new(), clock(), Scratch::new());
    let file = scratch.path("any.key");
    let handle = || StoreHandle::with_key_file(Arc::new(store.clone()), &file);
    let records = open(handle(), &clock, 1).await.unwrap();
    records.put(&Note::new("a", "text")).await.unwrap();
    let again = open(handle(), &clock, 2).await.unwrap();
    assert!(again.get::<Note>(b"a").await.unwrap().is_some());
    std::fs::remove_file(&file).unwrap();
    let missing = open(handle(), &clock, 3).await;
    assert!(matches!(missing, Err(StoreError::Place { .. })));
    assert!(!file.exists());
}

#[tokio::test]
async fn sec_st_05_data_keys_rotate_under_those_who_use_them() {
    let (store, clock) = (MemoryStore::new(), clock());
    let one = open(store.clone(), &clock, 1).await.unwrap();
    let other = open(store.clone(), &clock, 2).await.unwrap();
    let id = |row: &Row| row.value[1..9].to_vec();
    for name in ["a", "b", "c"] {
        one.put(&Note::new(name, "old")).await.unwrap();
    }
    let before = id(&rows(&store, NOTE).await[0]);
    clock.advance(Duration::from_secs(5));
    one.rotate_data_key().await.unwrap();
    one.put(&Note::new("d", "new")).await.unwrap();
    let ids: HashSet<_> = rows(&store, NOTE).await.iter().map(id).collect();
    assert_eq!(ids.len(), 2);
    // The other process has not heard of it, and reads all the same.
    assert_eq!(other.get::<Note>(b"d").await.unwrap().unwrap().text, "new");
    assert_eq!(one.get::<Note>(b"a").await.unwrap().unwrap().text, "old");

    let read = one.get::<Note>(b"b").await.unwrap().unwrap();
    let mut after = None;
    loop {
        after = one.reseal::<Note>(after, 2).await.unwrap();
        if after.is_none() {
            break;
        }
    }
    let ids: HashSet<_> = rows(&store, NOTE).await.iter().map(id).collect();
    assert!(ids.len() == 1 && !ids.contains(&before));
    // Whoever read before it was sealed anew, reads again.
    let next = Note::new("b", "next");
    assert!(!one.compare_and_swap(&read, &next).await.unwrap());

    let old = rows(&store, NOTE).await.remove(0);
    one.forget_data_keys(Timestamp::from_secs(NOW + 5))
        .await
        .unwrap();
    assert!(other.get::<Note>(b"a").await.unwrap().is_some());
    one.rotate_data_key().await.unwrap();
    clock.advance(Duration::from_secs(60));
    one.forget_data_keys(Timestamp::from_secs(NOW + 60))
        .await
        .unwrap();
    tamper(&store, old).await;
    let listed = one.list::<Note>(None, 10).await;
    assert!(matches!(listed, Err(StoreError::Corrupt)), "{listed:?}");
}

#[tokio::test]
async fn sec_st_05_no_process_seals_with_a_forgotten_key() {
    let (store, clock) = (MemoryStore::new(), clock());
    let one = open(store.clone(), &clock, 1).await.unwrap();
    let other = open(store.clone(), &clock, 2).await.unwrap();
    one.rotate_data_key().await.unwrap();
    clock.advance(Duration::from_secs(60));
    one.forget_data_keys(Timestamp::from_secs(NOW + 1))
        .await
        .unwrap();
    other.put(&Note::new("a", "text")).await.unwrap();
    assert!(one.get::<Note>(b"a").await.unwrap().is_some());
}

#[tokio::test]
async fn sec_st_11_all_who_open_an_empty_store_use_the_same_keys() {
    // Between the look of one and what it then does, all others have looked too.
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let clock = clock();
    let begin = |seed| {
        let handle = StoreHandle::new(store.clone(), keys(&["a"]));
        let clock = clock.clone();
        async move { open(handle, &clock, seed).await.unwrap() }
    };
    let all = futures_util::future::join_all((0..16).map(begin)).await;
    let derived: HashSet<_> = all.iter().map(|one| one.derive("label")).collect();
    assert_eq!(derived.len(), 1);
    all[0].put(&Note::new("a", "text")).await.unwrap();
    for one in &all {
        assert!(one.get::<Note>(b"a").await.unwrap().is_some());
    }
}

#[tokio::test]
async fn sec_st_05_a_short_secret_is_no_key() {
    let secrets = |length: usize| [SecretString::from("x".repeat(length))];
    assert!(SealingKeys::from_secrets(&secrets(32)).is_ok());
    let short = SealingKeys::from_secrets(&secrets(31)).unwrap_err();
    assert!(short.hint().unwrap().contains("openssl rand"));
    assert!(SealingKeys::from_secrets(&[]).is_err());
    let mixed = [secrets(32), secrets(31)].concat();
    assert!(SealingKeys::from_secrets(&mixed).is_err());
}

#[tokio::test]
async fn sec_op_01_keys_of_a_store_do_not_print() {
    let canary = "canary-7a41-canary-7a41-canary-7a41";
    let given = SealingKeys::from_secrets(&[SecretString::from(canary)]).unwrap();
    let store = MemoryStore::new();
    let handle = StoreHandle::from((store.clone(), given.clone()));
    assert_eq!(format!("{given:?}"), "SealingKeys(1)");
    let printed = format!("{handle:?} {store:?}");
    let clock = clock();
    let records = open(handle, &clock, 1).await.unwrap();
    records.put(&Note::new("a", canary)).await.unwrap();
    let batch = records.batch().put(&Note::new("b", canary));
    let printed = format!("{printed} {records:?} {batch:?}");
    assert!(!printed.contains("canary"), "{printed}");
    let derived = format!("{:?}", &records.derive("label")[..2]);
    assert!(!printed.contains(derived.trim_matches(['[', ']'])));
}

#[tokio::test]
async fn sec_st_21_without_randomness_nothing_is_stored() {
    #[derive(Debug)]
    struct Dead;
    impl portcullis_oauth::Entropy for Dead {
        fn fill(&self, _: &mut [u8]) -> Result<(), portcullis_oauth::EntropyError> {
            Err(portcullis_oauth::EntropyError::new())
        }
    }
    let (store, clock) = (MemoryStore::new(), clock());
    assert!(SealingKeys::generate(&Dead).is_err());
    let handle = || StoreHandle::from((store.clone(), keys(&["a"])));
    let dead = handle().open(clock.clone(), Arc::new(Dead)).await;
    assert!(matches!(dead, Err(StoreError::Unavailable(_))));
    drop(open(handle(), &clock, 1).await.unwrap());
    let dead = handle().open(clock.clone(), Arc::new(Dead)).await.unwrap();
    assert!(dead.put(&Note::new("a", "text")).await.is_err());
    assert!(dead.seal("purpose", b"", b"text").is_err());
    assert!(rows(&store, NOTE).await.is_empty());
}

proptest! {
    #[test]
    fn sec_st_03_any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (store, clock) = (MemoryStore::new(), clock());
            let records = open(store.clone(), &clock, 1).await.unwrap();
            prop_assert!(records.open_sealed("purpose", b"", &bytes).is_err());
            records.put(&Note::new("a", "text")).await.unwrap();
            let row = rows(&store, NOTE).await.remove(0);
            // As it is, and behind a beginning that is right.
            for kept in [0, 1, 9, 25, 37, 40] {
                let value = [&row.value[..kept], &bytes].concat();
                tamper(&store, with_value(&row, value)).await;
                prop_assert!(records.get::<Note>(b"a").await.is_err());
            }
            let keys = RowKey::new(Collection::new("data_keys"), [0; 32]);
            tamper(&store, Row::new(keys, bytes.into())).await;
            let entropy = Arc::new(SeededEntropy::new(1));
            let opened = StoreHandle::from(store).open(clock.clone(), entropy).await;
            prop_assert!(opened.is_err());
            Ok(())
        })?;
    }
}
