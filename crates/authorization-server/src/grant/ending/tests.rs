use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use portcullis_oauth::json::Map;
use portcullis_oauth::{SecretString, Timestamp};
use portcullis_store::{MemoryStore, SealingKeys, Store, StoreHandle};
use portcullis_testkit::SeededEntropy;
use portcullis_testkit::store::{Fault, FaultyStore};

use super::*;
use crate::grant::world::{START, World, approval, grant, world_on};
use crate::grant::{GrantFilter, Grants};
use crate::upstream::{Evidence, TokenSet};

async fn faulty() -> (World, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let keys = SealingKeys::generate(&SeededEntropy::new(1)).unwrap();
    let world = world_on(StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys));
    (world.await, store)
}

fn login(id: GrantId) -> UpstreamRecord {
    let (approval, now) = (approval([0; 16]), Timestamp::from_secs(START));
    UpstreamRecord {
        id,
        client: approval.client,
        subject: approval.subject.clone(),
        name: String::new(),
        provider: 1,
        tokens: TokenSet {
            access_token: SecretString::from("access"),
            refresh_token: Some(SecretString::from("refresh")),
            id_token: None,
            scope: None,
            expires_at: None,
            refresh_expires_at: None,
            obtained_at: now,
        },
        evidence: Evidence {
            subject: approval.subject,
            access_token: Map::new(),
            id_token: Map::new(),
            profile: Map::new(),
            organisations: Vec::new(),
        },
        confirmed_at: now,
        lease: None,
        expires_at: now.saturating_add(Duration::from_secs(3600)),
    }
}

/// Three grants of one user to one client, with what a provider gave for them.
async fn three(world: &World) -> Vec<GrantRecord> {
    let mut grants = Vec::new();
    for _ in 0..3 {
        let id = world.ledger.fresh_id().unwrap();
        let mut grant = grant(id, START);
        grant.is_proxied = true;
        let batch = world.records.batch().insert(&grant).insert(&login(id));
        assert_eq!(batch.commit().await.unwrap(), Committed::Yes);
        grants.push(grant);
    }
    grants
}

/// How many grants there are, and of how many there is what a provider gave.
async fn left(world: &World) -> (u64, u64) {
    let records = &world.beside;
    let grants = records.count::<GrantRecord>().await.unwrap();
    (grants, records.count::<UpstreamRecord>().await.unwrap())
}

/// How a test ends grants.
#[derive(Clone, Copy, Debug)]
enum Way {
    One,
    ByOperator,
    All,
    AllByOperator,
}

impl Way {
    const ALL: [Self; 4] = [Self::One, Self::ByOperator, Self::All, Self::AllByOperator];

    async fn end(self, world: &World, grants: &[GrantRecord]) -> Result<(), StoreError> {
        let (ledger, id) = (&world.ledger, grants[0].id);
        let why = EndReason::RevokedByUser;
        let operator = Grants::new(world.records.clone());
        match self {
            Self::One => ledger.end(id, why).await.map(drop),
            Self::ByOperator => operator.revoke(id).await.map(drop),
            Self::All => ledger.end_all(grants, why).await,
            Self::AllByOperator => operator.revoke_all(&GrantFilter::All).await.map(drop),
        }
    }

    fn ends(self) -> u64 {
        match self {
            Self::One | Self::ByOperator => 1,
            Self::All | Self::AllByOperator => 3,
        }
    }
}

#[tokio::test]
async fn sec_st_15_a_grant_and_what_the_provider_gave_for_it_end_together() {
    for way in Way::ALL {
        let (world, store) = faulty().await;
        let grants = three(&world).await;
        let before = store.operations();
        way.end(&world, &grants).await.unwrap();
        let operations = store.operations() - before;
        let rest = 3 - way.ends();
        assert_eq!(left(&world).await, (rest, rest), "{way:?}");
        for at in 0..operations {
            for fault in [Fault::Refused, Fault::AnswerLost] {
                let (world, store) = faulty().await;
                let grants = three(&world).await;
                store.fail(at, fault);
                let ended = way.end(&world, &grants).await;
                store.heal();
                let (grants_left, logins_left) = left(&world).await;
                let what = format!("{way:?} {at} {fault:?}: {ended:?}");
                assert_eq!(grants_left, logins_left, "{what}");
                assert!([rest, 3].contains(&grants_left), "not all of it: {what}");
                assert!(ended.is_err() || grants_left == rest, "{what}");
                way.end(&world, &grants).await.unwrap();
                assert_eq!(left(&world).await, (rest, rest), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn of_many_who_end_a_grant_one_is_told_so() {
    let (world, _) = faulty().await;
    let id = three(&world).await[0].id;
    let ends = (0..16).map(|_| world.ledger.end(id, EndReason::RevokedByUser));
    let ended = join_all(ends).await;
    let told = ended.into_iter().filter(|ended| matches!(ended, Ok(true)));
    assert_eq!(told.count(), 1);
}

#[tokio::test]
async fn sec_rv_02_a_grant_that_changes_all_the_time_ends() {
    for is_alone in [true, false] {
        let (world, _) = faulty().await;
        let grants = three(&world).await;
        let id = grants[0].id;
        // Somebody writes between each look and what is done about it.
        let (is_over, changes) = (Cell::new(false), Cell::new(0));
        let changing = async {
            while !is_over.get() {
                world.beside.put(&login(id)).await.unwrap();
                changes.set(changes.get() + 1);
            }
        };
        let ending = async {
            let why = EndReason::TooMany;
            if is_alone {
                world.ledger.end(id, why).await.map(drop).unwrap();
            } else {
                world.ledger.end_all(&grants, why).await.unwrap();
            }
            is_over.set(true);
        };
        let both = async { tokio::join!(changing, ending) };
        let both = tokio::time::timeout(Duration::from_secs(30), both).await;
        both.expect("it ends");
        assert!(changes.get() > TRIES, "nobody got in the way");
        assert_eq!(left(&world).await.0, if is_alone { 2 } else { 0 });
    }
}
