//! What those learn of each other who have opened the same store.

use std::borrow::Cow;
use std::sync::Arc;

use portcullis_oauth::{MockClock, SeededEntropy, SharedEntropy, Timestamp};
use portcullis_store::{Change, Collection, Record, Records, SealingKeys};
use serde::{Deserialize, Serialize};

use super::Subject;
use super::contract::{NOW, ONE, commit, get, key, put, row};

/// What one handle changes, the other sees at once, and is told of.
pub async fn foreign_changes_are_told(subject: &Subject) {
    let (one, other) = (subject.handle(0), subject.handle(1));
    let mut before = other.foreign_changes();
    for at in 0..50 {
        put(&**one, row(at, "text")).await;
        assert!(get(&**other, key(ONE, at)).await.is_some(), "not at once");
        let now = other.foreign_changes();
        assert!(
            Arc::ptr_eq(one, other) || now != before,
            "a change of another was not told"
        );
        before = now;
        if at % 7 == 0 {
            put(&**other, row(1000 + at, "text")).await;
            before = other.foreign_changes();
        }
    }
    // Nothing but its own changes: nothing is told, or caches would forget with every change.
    let before = other.foreign_changes();
    for at in 0..20 {
        put(&**other, row(at, "next")).await;
        assert!(!commit(&**one, vec![Change::Insert(row(at, "refused"))]).await);
    }
    let (settled, again) = (other.foreign_changes(), other.foreign_changes());
    assert_eq!(settled, again);
    put(&**other, row(0, "last")).await;
    assert_eq!(
        other.foreign_changes(),
        settled,
        "{before}: its own change was told"
    );
}

/// Whoever opens the store in one process hears of the others, whichever handle it was.
#[expect(clippy::expect_used, reason = "the store under test must work")]
pub async fn siblings_hear_of_each_other(subject: &Subject) {
    let entropy = SeededEntropy::new(1);
    let keys = SealingKeys::generate(&entropy).expect("there is randomness");
    let entropy: SharedEntropy = Arc::new(entropy);
    let open = async |at| {
        let clock = Arc::new(MockClock::at(NOW.as_secs()));
        let store = Arc::clone(subject.handle(at));
        let opened = Records::open(store, keys.clone(), clock, Arc::clone(&entropy)).await;
        opened.expect("the store opens")
    };
    let all = [open(0).await, open(1).await, open(0).await];
    for (at, one) in all.iter().enumerate() {
        let before = all.each_ref().map(Records::foreign_changes);
        let name = Name {
            name: at.to_string(),
        };
        one.put(&name).await.expect("a record can be written");
        for (other, before) in all.iter().zip(before) {
            let is_told = other.foreign_changes() != before;
            assert!(is_told || std::ptr::eq(one, other), "what {at} did");
        }
    }
}

/// A record that says nothing else.
#[derive(Serialize, Deserialize)]
struct Name {
    name: String,
}

impl Record for Name {
    const COLLECTION: Collection = Collection::new("contract_name");

    fn key(&self) -> Cow<'_, [u8]> {
        self.name.as_bytes().into()
    }

    fn expires_at(&self) -> Option<Timestamp> {
        None
    }
}
