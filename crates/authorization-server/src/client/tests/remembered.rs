//! Registrations in memory: whoever ends one is heard at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_oauth::Clock as _;
use portcullis_oauth::json::json;
use portcullis_store::Committed;
use portcullis_testkit::store::Fault;

use super::super::remembered::Remembered;
use super::super::{ClientRecord, RegisterError, RegistrationPolicy, Registrations};
use super::{World, client_id, refusal};
use crate::limits::Standing;

const BODY: &str = r#"{"redirect_uris":["http://127.0.0.1/cb"]}"#;

async fn register(world: &World) -> String {
    let answer = world.registered(BODY).await;
    answer["client_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_client_is_read_once() {
    let (world, store) = World::faulty(|_| ()).await;
    let id = register(&world).await;
    let before = store.operations();
    for _ in 0..5 {
        assert!(world.find(&id).await.is_some());
        assert!(world.posted(&[("client_id", &id)]).await.is_ok());
    }
    assert_eq!(store.operations(), before + 1);
    store.changed_elsewhere();
    assert!(world.find(&id).await.is_some());
    assert_eq!(store.operations(), before + 2, "it may be another now");
    world.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert!(world.find(&id).await.is_none(), "it has ended meanwhile");
}

#[tokio::test]
async fn sec_rv_02_a_client_that_is_revoked_is_none_at_once() {
    let world = World::new().await;
    let id = register(&world).await;
    for _ in 0..2 {
        assert!(world.posted(&[("client_id", &id)]).await.is_ok());
    }
    let registrations = Registrations::new(world.beside.clone());
    assert!(registrations.revoke(&client_id(&id)).await.unwrap());
    assert!(world.find(&id).await.is_none());
    let refused = refusal(world.posted(&[("client_id", &id)]).await);
    assert_eq!(refused, ("invalid_client", 401, "unknown_client"));
}

#[tokio::test]
async fn sec_rv_02_a_client_that_is_revoked_while_it_is_read_is_none_at_once() {
    let (world, store) = World::faulty(|_| ()).await;
    let registrations = Registrations::new(world.beside.clone());
    for later in 0..6 {
        let id = register(&world).await;
        store.changed_elsewhere();
        let client = client_id(&id);
        let revoke = async {
            // Each operation lets others run, so it begins so much later than the other one.
            for _ in 0..later {
                tokio::task::yield_now().await;
            }
            registrations.revoke(&client).await.unwrap()
        };
        let (_found, revoked) = tokio::join!(world.clients.find(&client), revoke);
        assert!(revoked);
        assert!(world.find(&id).await.is_none(), "{later}");
    }
}

#[tokio::test]
async fn sec_rv_02_what_was_read_before_a_change_is_not_kept_after_it() {
    let world = World::new().await;
    let id = client_id(&register(&world).await);
    let found = world.clients.registered(&id).await.unwrap().unwrap();
    let (remembered, now) = (Arc::new(Remembered::new()), world.clock.now());
    let before = remembered.moment(&id, 0);
    drop(remembered.changing(&id));
    remembered.keep(&id, &found, before);
    assert!(remembered.get(&id, 0, now).is_none());
    remembered.keep(&id, &found, remembered.moment(&id, 0));
    assert!(remembered.get(&id, 0, now).is_some());
    assert!(remembered.get(&id, 1, now).is_none(), "changed elsewhere");
}

#[tokio::test]
async fn sec_rv_02_strict_revocation_reads_a_client_each_time() {
    let (mut world, store) = World::faulty(|_| ()).await;
    world.clients.is_strict = true;
    let id = register(&world).await;
    let client = client_id(&id);
    for _ in 0..3 {
        assert!(world.find(&id).await.is_some());
        store.fail(0, Fault::Refused);
        let found = world.clients.find_for(&client, Standing::Again).await;
        assert!(found.is_err(), "nobody can say");
    }
}

#[tokio::test]
async fn sec_rv_02_a_client_that_made_room_is_none_at_once() {
    for fault in [Fault::Refused, Fault::AnswerLost] {
        let mut evicted = 0;
        for later in 0..12 {
            let one = RegistrationPolicy::new().limit(1);
            let (world, store) = World::faulty(|settings| settings.registration = one).await;
            let id = register(&world).await;
            assert!(world.find(&id).await.is_some());
            store.fail(later, fault);
            let _outcome = world.register(BODY).await;
            store.heal();
            let stored = world.beside.get::<ClientRecord>(id.as_bytes()).await;
            let is_there = stored.unwrap().is_some();
            assert_eq!(
                world.find(&id).await.is_some(),
                is_there,
                "{fault:?} {later}"
            );
            evicted += usize::from(!is_there);
        }
        assert!(evicted > 0, "{fault:?}");
    }
}

#[tokio::test]
async fn sec_dr_01_a_client_that_is_used_meanwhile_makes_no_room() {
    let mut seen = [0, 0];
    for later in 0..12 {
        let one = RegistrationPolicy::new().limit(1);
        let (world, _store) = World::faulty(|settings| settings.registration = one).await;
        let id = register(&world).await;
        let proven = world.posted(&[("client_id", &id)]).await.unwrap();
        let end = world.clock.now();
        let used = world.clients.use_of(&proven, end).await.unwrap().unwrap();
        let note = async {
            for _ in 0..later {
                tokio::task::yield_now().await;
            }
            used.with(world.records.batch()).commit().await.unwrap()
        };
        let (_outcome, noted) = tokio::join!(world.register(BODY), note);
        let is_noted = noted == Committed::Yes;
        let stored = world.beside.get::<ClientRecord>(id.as_bytes()).await;
        assert_eq!(stored.unwrap().is_some(), is_noted, "{later}");
        seen[usize::from(is_noted)] += 1;
    }
    assert!(!seen.contains(&0), "{seen:?}");
}

#[tokio::test]
async fn sec_dr_01_those_who_make_room_at_once_do_not_want_the_same() {
    let policy = RegistrationPolicy::new().limit(40);
    let (world, _store) = World::faulty(|settings| settings.registration = policy).await;
    for _ in 0..40 {
        register(&world).await;
    }
    let all = join_all((0..20).map(|_| world.register(BODY))).await;
    for outcome in all {
        assert!(outcome.is_ok(), "{:?}", outcome.err());
    }
    assert_eq!(world.records.count::<ClientRecord>().await.unwrap(), 40);
}

#[tokio::test]
async fn sec_dr_01_old_clients_in_use_do_not_hide_the_others() {
    let policy = RegistrationPolicy::new()
        .limit(70)
        .unused_for(Duration::from_secs(48 * 60 * 60))
        .used_for(Duration::ZERO);
    let world = World::with(|settings| settings.registration = policy).await;
    for _ in 0..65 {
        let id = register(&world).await;
        let client = world.find(&id).await.unwrap();
        world.use_once(&client).await;
    }
    // These end first.
    world.clock.advance(Duration::from_secs(60));
    for _ in 0..10 {
        assert!(world.register(BODY).await.is_ok());
    }
    let used = Registrations::new(world.beside.clone()).list().await;
    let used = used
        .unwrap()
        .into_iter()
        .filter(|one| one.used_at.is_some());
    assert_eq!(used.count(), 65);
    for client in Registrations::new(world.beside.clone())
        .list()
        .await
        .unwrap()
    {
        let client = world.find(client.id.as_str()).await.unwrap();
        world.use_once(&client).await;
    }
    let full = world.register(BODY).await;
    assert!(matches!(full, Err(RegisterError::Full)));
}

#[tokio::test]
async fn what_is_remembered_has_a_bound() {
    let world = World::new().await;
    let uris: Vec<_> = (0..10)
        .map(|n| format!("http://127.0.0.1/{n}/{}", "x".repeat(1500)))
        .collect();
    let body = json!({"redirect_uris": uris}).to_string();
    let answer = world.registered(&body).await;
    let id = client_id(answer["client_id"].as_str().unwrap());
    let found = world.clients.registered(&id).await.unwrap().unwrap();
    let remembered = Remembered::new();
    for number in 0..10_000 {
        let id = client_id(&format!("client-{number}"));
        remembered.keep(&id, &found, remembered.moment(&id, 0));
    }
    let weight = remembered.weight();
    assert!((8 << 20..=32 << 20).contains(&weight), "{weight}");
}
