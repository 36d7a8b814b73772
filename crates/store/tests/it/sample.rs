//! A record to test with, and a store of it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use portcullis_oauth::Timestamp;
use portcullis_store::{Collection, Family, MemoryStore, Record, Records, StoreError, StoreHandle};
use portcullis_testkit::{MockClock, SeededEntropy};
use serde::{Deserialize, Serialize};

pub(crate) const NOW: i64 = 1_800_000_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) text: String,
    pub(crate) ends: Option<i64>,
}

impl Note {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            owner: "nobody".into(),
            text: text.into(),
            ends: None,
        }
    }

    pub(crate) fn of(self, owner: &str) -> Self {
        let owner = owner.into();
        Self { owner, ..self }
    }

    pub(crate) fn ending(self, ends: i64) -> Self {
        let ends = Some(ends);
        Self { ends, ..self }
    }
}

impl Record for Note {
    const COLLECTION: Collection = Collection::new("note");

    fn key(&self) -> Cow<'_, [u8]> {
        self.name.as_bytes().into()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.ends.map(Timestamp::from_secs)
    }

    fn families(&self) -> Vec<Family> {
        vec![owner(&self.owner), Family::new("kind", "note")]
    }
}

/// A record of another collection that has the same keys and families.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tag(pub(crate) Note);

impl Record for Tag {
    const COLLECTION: Collection = Collection::new("tag");

    fn key(&self) -> Cow<'_, [u8]> {
        self.0.name.as_bytes().into()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.0.expires_at()
    }

    fn families(&self) -> Vec<Family> {
        self.0.families()
    }
}

pub(crate) fn owner(name: &str) -> Family {
    Family::new("owner", name.to_owned())
}

pub(crate) fn clock() -> Arc<MockClock> {
    Arc::new(MockClock::at(NOW))
}

pub(crate) async fn open(
    store: impl Into<StoreHandle>,
    clock: &Arc<MockClock>,
    seed: u64,
) -> Result<Records, StoreError> {
    let entropy = Arc::new(SeededEntropy::new(seed));
    store.into().open(clock.clone(), entropy).await
}

pub(crate) async fn in_memory() -> (Records, Arc<MockClock>) {
    let clock = clock();
    let records = open(MemoryStore::new(), &clock, 1).await.unwrap();
    (records, clock)
}

/// A folder that goes with its test.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis-store-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
