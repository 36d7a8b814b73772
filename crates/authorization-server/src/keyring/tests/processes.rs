//! Several processes with one store.

use portcullis_resource_server::KeySetSource as _;

use super::*;

#[tokio::test]
async fn replicas_that_start_at_once_agree_on_the_first_key() {
    let world = World::new();
    let starts = (0..16).map(|_| world.keyring());
    let rings = futures_util::future::join_all(starts).await;
    let first = ids(&rings[0]).await;
    for ring in &rings {
        assert_eq!(ids(ring).await, first);
    }
}

#[tokio::test]
async fn sec_key_16_a_key_that_another_process_revoked_is_gone_within_a_minute() {
    // One store of two processes that never tells of changes: the worst there is.
    let world = World::new();
    let (here, there) = (world.keyring().await, world.keyring().await);
    let verifier = verifier(&here);
    let token = sign(&here).await;
    present(&verifier, &token).await.unwrap();
    there.rotate(Rotation::Revoke).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::UnknownKey
    );
}

#[tokio::test]
async fn sec_key_16_a_key_that_another_process_revoked_is_gone_on_the_next_request() {
    let world = World::new();
    let (here, there) = (world.keyring().await, world.keyring().await);
    let verifier = verifier(&here);
    let token = sign(&here).await;
    present(&verifier, &token).await.unwrap();
    there.rotate(Rotation::Revoke).await.unwrap();
    world.store.changed_elsewhere();
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::UnknownKey
    );
    assert_eq!(kid(&sign(&here).await), ids(&there).await[0]);
}

#[tokio::test]
async fn a_store_that_fails_is_no_proof_of_a_key() {
    let world = World::new();
    let keyring = world.keyring().await;
    let verifier = verifier(&keyring);
    let token = sign(&keyring).await;
    world.store.fail_from(0, Fault::Refused);
    present(&verifier, &token).await.unwrap();
    world.clock.advance(Duration::from_secs(60));
    let outcome = present(&verifier, &token).await;
    assert!(
        matches!(outcome, Err(VerifyError::Unavailable(_))),
        "{outcome:?}"
    );
    let unsigned = try_sign(&keyring, HOUR, &Map::new()).await;
    assert!(
        matches!(unsigned, Err(KeyringError::Store(_))),
        "{unsigned:?}"
    );
    world.store.heal();
    present(&verifier, &token).await.unwrap();
}

#[tokio::test]
async fn sec_key_01_made_up_key_ids_look_into_the_store_once_a_second() {
    let world = World::new();
    let (here, there) = (world.keyring().await, world.keyring().await);
    let verifier = verifier(&here);
    let generation = here.settled().unwrap();
    assert!(here.newer_than(generation).await.unwrap().is_none());
    there.rotate(Rotation::Revoke).await.unwrap();
    let token = sign(&there).await;
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::UnknownKey
    );
    world.clock.advance(SECOND_LOOK);
    present(&verifier, &token).await.unwrap();
}

#[tokio::test]
async fn a_key_is_exchanged_by_its_age_by_one_of_many() {
    let world = World::new();
    let day = HOUR * 24;
    let second = Duration::from_secs(1);
    let records = world.records().await;
    let open = || Keyring::open(&records, world.settings().rotate_every(day));
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    world.clock.advance(day.saturating_sub(second));
    assert_eq!(one.tick().await.unwrap(), None);
    world.clock.advance(second);
    let ticks = futures_util::future::join(one.tick(), other.tick()).await;
    let made = [ticks.0.unwrap(), ticks.1.unwrap()];
    assert_eq!(made.iter().flatten().count(), 1, "{made:?}");
    world.store.changed_elsewhere();
    assert_eq!(ids(&one).await.len(), 2);
    assert_eq!(ids(&one).await, ids(&other).await);
}

#[tokio::test]
async fn a_key_that_somebody_else_made_is_kept_for_our_tokens_and_is_like_ours() {
    let world = World::new();
    let records = world.records().await;
    let settings = || world.settings().access_token_lifetime(HOUR * 5);
    let server = settings().algorithm(KeyAlgorithm::EdDsa);
    let server = Keyring::open(&records, server).await.unwrap();
    let operator = world.keyring().await;
    let key = operator.rotate(Rotation::Revoke).await.unwrap();
    assert_eq!(key.algorithm, "EdDSA");
    server.tick().await.unwrap();
    operator.rotate(Rotation::Overlap).await.unwrap();
    world.clock.advance(Duration::from_secs(900));
    let until = Some(
        world
            .now()
            .saturating_add(HOUR * 5 + Duration::from_secs(300)),
    );
    assert_eq!(
        operator.keys().await.unwrap()[0].state,
        KeyState::Retired { until }
    );
}

#[tokio::test]
async fn a_look_is_one_read_also_for_all_who_wait_for_it() {
    let world = World::new();
    let keyring = world.keyring().await;
    let before = world.store.operations();
    keyring.tick().await.unwrap();
    assert_eq!(world.store.operations() - before, 1, "of the keeper");

    for fault in [None, Some(Fault::Refused)] {
        world.clock.advance(Duration::from_secs(60));
        if let Some(fault) = fault {
            world.store.fail_from(0, fault);
        }
        let before = world.store.operations();
        let held = keyring.inner.looked.lock().await;
        let waiting = futures_util::future::join_all((0..64).map(|_| keyring.refresh()));
        let (looks, ()) = futures_util::future::join(waiting, async { drop(held) }).await;
        assert!(looks.iter().all(|look| look.is_err() == fault.is_some()));
        assert_eq!(world.store.operations() - before, 1, "of 64");
    }
    world.store.heal();
    keyring.refresh().await.unwrap();
}

#[tokio::test]
async fn the_same_randomness_makes_the_same_key_and_none_makes_none() {
    for algorithm in [KeyAlgorithm::Es256, KeyAlgorithm::EdDsa] {
        let world = World::new();
        let entropy: portcullis_oauth::SharedEntropy = Arc::new(SeededEntropy::new(7));
        let make = async |entropy: &portcullis_oauth::SharedEntropy| {
            let settings = world.settings().algorithm(algorithm);
            let records = StoreHandle::from(MemoryStore::new());
            let records = records.open(world.clock.clone(), Arc::new(SeededEntropy::new(8)));
            let settings = settings.entropy(Arc::clone(entropy));
            Keyring::open(&records.await.unwrap(), settings).await
        };
        let one = ids(&make(&entropy).await.unwrap()).await;
        let again: portcullis_oauth::SharedEntropy = Arc::new(SeededEntropy::new(7));
        assert_eq!(one, ids(&make(&again).await.unwrap()).await);
        assert_ne!(one, ids(&make(&again).await.unwrap()).await, "drawn anew");
        let none: portcullis_oauth::SharedEntropy = Arc::new(Nothing);
        let nothing = make(&none).await;
        assert!(matches!(nothing, Err(KeyringError::Key)), "{nothing:?}");
    }
}

/// No randomness.
#[derive(Debug)]
struct Nothing;

impl portcullis_oauth::Entropy for Nothing {
    fn fill(&self, _: &mut [u8]) -> Result<(), portcullis_oauth::EntropyError> {
        Err(portcullis_oauth::EntropyError::new())
    }
}
