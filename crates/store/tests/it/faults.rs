//! A database that fails at any point, and what is left then.

use std::sync::Arc;

use portcullis_store::{Committed, MemoryStore, Records, SealingKeys, StoreError, StoreHandle};
use portcullis_testkit::store::{Fault, FaultyStore};
use portcullis_testkit::{MockClock, SeededEntropy};

use crate::sample::{Note, Tag, clock, open, owner};

const FAULTS: [Fault; 2] = [Fault::Refused, Fault::AnswerLost];

/// A store that fails when it is told to, and a view of the same data that does not.
fn faulty() -> (Arc<FaultyStore>, StoreHandle, StoreHandle, Arc<MockClock>) {
    let memory = MemoryStore::new();
    let faulty = Arc::new(FaultyStore::new(Arc::new(memory.clone())));
    let keys = SealingKeys::generate(&SeededEntropy::new(9)).unwrap();
    let handle = StoreHandle::new(faulty.clone(), keys.clone());
    let sound = StoreHandle::from((memory, keys));
    (faulty, handle, sound, clock())
}

/// One row is used up, others are written, a family goes: as a server does it.
async fn flow(records: &Records) -> Result<(), StoreError> {
    let read = records.get::<Note>(b"code").await?;
    if let Some(read) = read {
        let used = Note::new("code", "used").of("ann");
        let batch = records
            .batch()
            .swap(&read, &used)
            .insert(&Tag(Note::new("grant", "text").of("ann")));
        assert_eq!(batch.commit().await?, Committed::Yes);
    }
    records.take::<Note>(b"once").await?;
    records.rotate_data_key().await?;
    records.reseal::<Note>(None, 100).await?;
    records.reseal::<Tag>(None, 100).await?;
    Ok(())
}

#[tokio::test]
async fn sec_st_14_a_failure_at_any_point_leaves_nothing_half_done() {
    for fault in FAULTS {
        for at in 0.. {
            let (faulty, handle, sound, clock) = faulty();
            let records = open(handle, &clock, 1).await.unwrap();
            for name in ["code", "once"] {
                records
                    .put(&Note::new(name, "new").of("ann"))
                    .await
                    .unwrap();
            }
            let before = faulty.operations();
            faulty.fail(at, fault);
            let failed = flow(&records).await;
            if failed.is_ok() {
                assert!(at > 8, "the flow has more operations than {at}");
                break;
            }
            assert!(
                matches!(failed, Err(StoreError::Unavailable(_))),
                "{at}: {failed:?}"
            );
            assert!(faulty.operations() > before);

            // Another process sees all or nothing, and can read everything that is there.
            let other = open(sound, &clock, 2).await.unwrap();
            let code = other.get::<Note>(b"code").await.unwrap().unwrap();
            let grant = other.get::<Tag>(b"grant").await.unwrap();
            assert_eq!(
                code.text == "used",
                grant.is_some(),
                "half of a batch, at {at}"
            );
            other.get::<Note>(b"once").await.unwrap();
            // And the first goes on, without a restart.
            faulty.heal();
            let grant = records.get::<Tag>(b"grant").await.unwrap();
            assert_eq!(code.text == "used", grant.is_some());
            if grant.is_none() {
                flow(&records).await.unwrap();
            }
            records.delete_family(&owner("ann")).await.unwrap();
            assert_eq!(other.count::<Note>().await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn sec_st_14_opening_fails_closed_and_works_the_next_time() {
    for fault in FAULTS {
        for at in 0..2 {
            let (faulty, handle, sound, clock) = faulty();
            faulty.fail(at, fault);
            let failed = open(handle.clone(), &clock, 1).await;
            assert!(matches!(failed, Err(StoreError::Unavailable(_))));
            // Keys that were made although the answer was lost are the ones that are used.
            let records = open(handle, &clock, 2).await.unwrap();
            let other = open(sound, &clock, 3).await.unwrap();
            assert_eq!(records.derive("label"), other.derive("label"));
        }
    }
}

/// Whether it happened cannot be known, so whoever shares the store takes it for a change.
#[tokio::test]
async fn sec_rv_02_a_change_whose_answer_is_lost_is_heard_of() {
    let (faulty, handle, _, clock) = faulty();
    let one = open(handle.clone(), &clock, 1).await.unwrap();
    let other = open(handle, &clock, 2).await.unwrap();
    for fault in FAULTS {
        one.put(&Note::new("a", "text")).await.unwrap();
        let before = other.foreign_changes();
        faulty.fail(0, fault);
        assert!(one.delete::<Note>(b"a").await.is_err());
        faulty.heal();
        assert_ne!(other.foreign_changes(), before, "{fault:?}");
        let before = other.foreign_changes();
        faulty.fail(0, fault);
        assert!(one.take::<Note>(b"a").await.is_err());
        faulty.heal();
        assert_ne!(other.foreign_changes(), before, "{fault:?}");
    }
}
