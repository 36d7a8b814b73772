//! What those in one process learn of each other who have opened the same store.

use std::borrow::Cow;
use std::sync::Arc;

use portcullis_oauth::{MockClock, SeededEntropy, SharedEntropy, Timestamp};
use portcullis_store::{Collection, Record, Records, SealingKeys};
use serde::{Deserialize, Serialize};

use super::Subject;
use super::contract::NOW;

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
