//! Everything in the store, sealed anew.

use std::time::Duration;

use portcullis_oauth::Timestamp;
use portcullis_store::{Collection, Records, StoreError};

/// All collections of this server.
const COLLECTIONS: [Collection; 14] = [
    Collection::new("account"),
    Collection::new("account_login"),
    Collection::new("account_name"),
    Collection::new("answer"),
    Collection::new("client_assertions"),
    Collection::new("clients"),
    Collection::new("code"),
    Collection::new("grant"),
    Collection::new("handed"),
    Collection::new("initial_token"),
    Collection::new("keyring"),
    Collection::new("session"),
    Collection::new("transaction"),
    Collection::new("upstream"),
];
/// How many rows are looked at in one go.
const PAGE: usize = 256;
/// For how long a process may still seal under the key that it knows.
const TAKES_OVER: Duration = Duration::from_secs(10 * 60);

/// Seals everything that an authorization server keeps under a fresh data key: after somebody who
/// should not has read the store's keys. Servers may run meanwhile. Keys that were retired more than
/// ten minutes ago are forgotten; the one that was in use until now is forgotten by the next call.
///
/// # Errors
/// [`StoreError`]. What was sealed anew stays so, and a call later goes on.
pub async fn reseal(records: &Records, now: Timestamp) -> Result<(), StoreError> {
    records.rotate_data_key().await?;
    for collection in COLLECTIONS {
        let mut after = None;
        loop {
            after = records.reseal_in(collection, after, PAGE).await?;
            if after.is_none() {
                break;
            }
        }
    }
    records
        .forget_data_keys(now.saturating_sub(TAKES_OVER))
        .await
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::Arc;

    use portcullis_oauth::{MockClock, SeededEntropy};
    use portcullis_store::{MemoryStore, StoreHandle};

    use super::*;
    use crate::keyring::{Keyring, KeyringSettings};

    /// The names of collections that a folder of sources has.
    fn collect(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
            if path.is_dir() {
                collect(&path, names);
            } else if !is_test {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let found = text.split("Collection::new(\"").skip(1);
                names.extend(found.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
            }
        }
    }

    #[test]
    fn sec_key_16_no_collection_is_forgotten() {
        let mut names = BTreeSet::new();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        collect(&sources, &mut names);
        let known: BTreeSet<_> = COLLECTIONS.map(|one| one.name().to_owned()).into();
        // This file names them all, so only one that it lacks makes a difference.
        assert_eq!(names, known);
        assert!(names.len() >= 9);
    }

    #[tokio::test]
    async fn sec_key_16_what_was_sealed_under_a_forgotten_key_is_sealed_anew() {
        let clock = Arc::new(MockClock::at(1_800_000_000));
        let entropy = || Arc::new(SeededEntropy::new(1));
        let store = StoreHandle::from(MemoryStore::new());
        let records = store.open(clock.clone(), entropy()).await.unwrap();
        let settings = || KeyringSettings::new().clock(clock.clone());
        let keyring = Keyring::open(&records, settings()).await.unwrap();
        for _ in 0..3 {
            use portcullis_oauth::Clock as _;
            reseal(&records, clock.now()).await.unwrap();
            clock.advance(TAKES_OVER + Duration::from_secs(1));
        }
        let again = Keyring::open(&records, settings()).await.unwrap();
        assert_eq!(keyring.keys().await.unwrap(), again.keys().await.unwrap());
    }
}
