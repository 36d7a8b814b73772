use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::{MockClock, SeededEntropy};
use portcullis_resource_server::observe::{AuthorizationEvent, Exchange, Observer, Observers};
use portcullis_resource_server::{AccessToken, GrantStatus as _, TokenParts};
use portcullis_store::{MemoryStore, SealingKeys, Store, StoreHandle};
use portcullis_testkit::store::{Fault, FaultyStore};

use super::*;
use crate::client::Registrations;
use crate::grant::code::{Proof, Verdict, decide};
use crate::grant::record::family_of_user;
use crate::grant::world::{START, approval, grant, token_of, verifier, world, world_on};
use crate::grant::{EndReason, Grants};

/// Offers a code as the right client; whether it was redeemed, or what became of it.
async fn offer(ledger: &Ledger, code: &AuthorizationCode) -> Result<GrantId, &'static str> {
    let (client, verifier) = (approval([0; 16]).client, verifier());
    loop {
        let Some((offered, read)) = ledger.look_up(code).await.unwrap() else {
            return Err("none");
        };
        let proof = Proof {
            digest: &offered.digest,
            client: &client,
            redirect_uri: None,
            verifier: &verifier,
        };
        let issued = match decide(&read.state, &proof, ledger.now()) {
            Verdict::Live(issued) => issued.clone(),
            Verdict::Unknown(why) | Verdict::Refused(why) => return Err(why),
            Verdict::WrongProof { .. } => return Err("wrong_proof"),
            Verdict::Replayed(_) => return Err("replayed"),
        };
        let grant = grant(ledger.fresh_id().unwrap(), START);
        if ledger
            .redeem((&read, &issued), &grant, None, None)
            .await
            .unwrap()
        {
            return Ok(grant.id);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_cd_01_one_of_64_redemptions_wins() {
    let world = Arc::new(world().await);
    for round in 0_u16..200 {
        let mut interaction = [0; 16];
        interaction[..2].copy_from_slice(&round.to_be_bytes());
        let code = world
            .ledger
            .approve(&approval(interaction), None)
            .await
            .unwrap();
        let offers = (0..64).map(|_| {
            let (world, code) = (Arc::clone(&world), code.clone());
            tokio::spawn(async move { offer(&world.ledger, &code).await })
        });
        let (mut winners, mut replays) = (Vec::new(), 0);
        for offered in futures_util::future::join_all(offers).await {
            match offered.unwrap() {
                Ok(grant) => winners.push(grant),
                Err("replayed") => replays += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!((winners.len(), replays), (1, 63), "round {round}");
        assert!(world.ledger.find(winners[0]).await.unwrap().is_some());
    }
    // One grant a round, and nothing of those who lost.
    assert_eq!(world.records.count::<GrantRecord>().await.unwrap(), 200);
}

#[tokio::test]
async fn sec_cd_04_a_used_code_outlives_its_token() {
    let world = world().await;
    let code = world
        .ledger
        .approve(&approval([1; 16]), None)
        .await
        .unwrap();
    offer(&world.ledger, &code).await.unwrap();
    world.clock.advance(Duration::from_secs(3600));
    assert_eq!(offer(&world.ledger, &code).await, Err("replayed"));
    // Nor longer than that, with what clocks may differ by.
    world.clock.advance(Duration::from_secs(300));
    assert_eq!(offer(&world.ledger, &code).await, Err("none"));
}

#[tokio::test]
async fn sec_cd_09_st_06_no_code_is_in_the_store() {
    let world = world().await;
    let code = world
        .ledger
        .approve(&approval([1; 16]), None)
        .await
        .unwrap();
    let (_, read) = world.ledger.look_up(&code).await.unwrap().unwrap();
    let stored = portcullis_oauth::json::to_string(&*read).unwrap();
    assert!(!stored.contains(code.expose()));
    assert!(!stored.contains(code.expose().get(30..).unwrap()));
    // Whoever reads the digest has no code: it is one under a key.
    let bytes = base64url::decode_strict(code.expose()).unwrap();
    let plain = base64url::encode(portcullis_oauth::crypto::sha256(&bytes));
    assert!(!stored.contains(&plain));
}

#[tokio::test]
async fn sec_rv_02_a_revoked_token_dies_at_once() {
    let world = world().await;
    let id = world.ledger.fresh_id().unwrap();
    let (ledger, token) = (&world.ledger, token_of(id));
    assert!(!ledger.ask(&token).await.unwrap());
    assert!(ledger.open(&grant(id, START)).await.unwrap());
    assert_eq!(ledger.known(&token), None);
    assert!(ledger.ask(&token).await.unwrap());
    assert_eq!(ledger.known(&token), Some(true));
    assert!(ledger.end(id, EndReason::RevokedByClient).await.unwrap());
    assert_eq!(ledger.known(&token), None);
    assert!(!ledger.ask(&token).await.unwrap());
    assert!(!ledger.end(id, EndReason::RevokedByClient).await.unwrap());
}

#[tokio::test]
async fn sec_rv_02_what_a_user_takes_back_from_a_client_dies_at_once() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let keys = SealingKeys::generate(&SeededEntropy::new(1)).unwrap();
    let world = world_on(StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys)).await;
    let (ledger, approval) = (&world.ledger, approval([1; 16]));
    for is_lost in [false, true] {
        let id = ledger.fresh_id().unwrap();
        assert!(ledger.open(&grant(id, START)).await.unwrap());
        let token = token_of(id);
        assert!(ledger.ask(&token).await.unwrap());
        assert_eq!(ledger.known(&token), Some(true));
        if is_lost {
            // They are listed, and then deleted.
            store.fail(1, Fault::AnswerLost);
        }
        let answer = ledger.take_back_all(&approval.subject, &approval.client);
        assert_eq!(answer.await.is_err(), is_lost);
        store.heal();
        assert_eq!(ledger.known(&token), None);
        assert!(!ledger.ask(&token).await.unwrap());
    }
}

/// An observer that counts.
#[derive(Default)]
struct Counting(AtomicUsize);

impl Observer for Counting {
    fn answered(&self, _: &Exchange) {}

    fn authorization(&self, _: &AuthorizationEvent) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn the_end_of_a_grant_is_told_once() {
    let entropy = SeededEntropy::new(1);
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let keys = SealingKeys::generate(&entropy).unwrap();
    let world = world_on(StoreHandle::new(store as Arc<dyn Store>, keys)).await;
    let id = world.ledger.fresh_id().unwrap();
    assert!(world.ledger.open(&grant(id, START)).await.unwrap());
    let told = Arc::new(Counting::default());
    let observer: Arc<dyn Observer> = told.clone();
    world.events.observed_by(Observers::new([observer]));
    let ends = (0..8).map(|_| world.ledger.end(id, EndReason::RevokedByClient));
    let ends = futures_util::future::join_all(ends).await;
    let ended = ends.into_iter().filter(|end| *end.as_ref().unwrap());
    assert_eq!((ended.count(), told.0.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn sec_rt_11_the_end_of_a_user_or_a_client_ends_the_grants() {
    let world = world().await;
    let (ledger, beside, approval) = (&world.ledger, &world.beside, approval([1; 16]));
    for how in ["user", "client", "grant"] {
        let id = ledger.fresh_id().unwrap();
        ledger.open(&grant(id, START)).await.unwrap();
        let token = token_of(id);
        assert!(ledger.ask(&token).await.unwrap());
        assert_eq!(ledger.known(&token), Some(true));
        let ended = match how {
            "user" => {
                let family = family_of_user(&approval.subject);
                beside.delete_family(&family).await.map(|()| true)
            }
            "client" => {
                let registrations = Registrations::new(beside.clone());
                registrations.revoke(&approval.client).await
            }
            _ => Grants::new(beside.clone()).revoke(id).await,
        };
        assert!(ended.unwrap(), "{how}");
        assert_eq!(ledger.known(&token), None, "{how}");
        assert!(!ledger.ask(&token).await.unwrap(), "{how}");
    }
}

/// In parts, none of which keeps others waiting for long; the registration goes first.
#[tokio::test]
async fn sec_rv_02_a_client_of_many_users_loses_all_of_them() {
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let entropy = Arc::new(SeededEntropy::new(1));
    let keys = SealingKeys::generate(&*entropy).unwrap();
    let handle = StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys);
    let clock = Arc::new(MockClock::at(START));
    let records = handle.open(clock, entropy.clone()).await.unwrap();
    for _ in 0..1200 {
        let id = GrantId::generate(&*entropy).unwrap();
        assert!(records.insert_new(&grant(id, START)).await.unwrap());
    }
    let registrations = Registrations::new(records.clone());
    let client = approval([1; 16]).client;
    // The registration, codes, a part: looked for and taken. The next is not found.
    store.fail(4, Fault::Refused);
    assert!(registrations.revoke(&client).await.is_err());
    assert_eq!(records.count::<GrantRecord>().await.unwrap(), 700);
    assert!(registrations.revoke(&client).await.unwrap());
    assert_eq!(records.count::<GrantRecord>().await.unwrap(), 0);
    assert!(!registrations.revoke(&client).await.unwrap());
}

#[tokio::test]
async fn sec_jwt_37_a_token_without_a_grant_is_worth_nothing() {
    let world = world().await;
    let parts = TokenParts::new("https://mcp.example", "alice").client_id("client");
    let token = AccessToken::assert_verified(parts);
    assert_eq!(world.ledger.known(&token), Some(false));
    assert!(!world.ledger.ask(&token).await.unwrap());
}
