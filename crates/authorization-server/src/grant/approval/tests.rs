use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_oauth::scopes;
use portcullis_oauth::{CodeVerifier, SeededEntropy};
use portcullis_resource_server::observe::{AuthorizationEvent, Exchange, Observer, Observers};
use portcullis_store::{MemoryStore, SealingKeys, Store, StoreHandle};
use portcullis_testkit::store::{Fault, FaultyStore};

use super::*;
use crate::grant::world::{START, World, approval, grant, world, world_on};

impl World {
    async fn approved(&self, approval: &Approval) -> Option<String> {
        match self.ledger.approve(approval, None).await {
            Ok(code) => Some(code.expose().to_owned()),
            Err(ApproveError::Already) => None,
            Err(other) => panic!("{other}"),
        }
    }

    async fn deny(&self, approval: &Approval) -> Result<(), ApproveError> {
        let denied = approval.event(EventKind::ConsentDenied);
        self.ledger.deny(approval.interaction, denied).await
    }
}

#[tokio::test]
async fn sec_cn_11_a_decision_is_made_once() {
    for is_denied in [false, true] {
        let (world, decided) = (world().await, approval([1; 16]));
        if is_denied {
            world.deny(&decided).await.unwrap();
        } else {
            assert!(world.approved(&decided).await.is_some());
        }
        // As long as the form can be sent, which is longer than a code lives.
        for is_over in [false, true] {
            let again = world.approved(&decided).await;
            assert_eq!(again.is_none(), is_denied || is_over);
            let denied = world.deny(&decided).await;
            assert!(matches!(denied, Err(ApproveError::Already)));
            world.clock.advance(Duration::from_secs(300));
        }
    }
}

#[tokio::test]
async fn sec_cn_11_the_same_approval_has_the_same_code_until_it_is_redeemed() {
    let (world, decided) = (world().await, approval([1; 16]));
    let code = world.approved(&decided).await;
    assert!(code.is_some());
    assert_eq!(world.approved(&decided).await, code);
    let mut others = vec![decided.clone(); 9];
    others[0].session = [8; 32];
    others[1].client = ClientId::parse("other").unwrap();
    others[2].redirect_uri = RedirectUri::parse("http://127.0.0.1/other").unwrap();
    others[3].code_challenge = CodeVerifier::parse(&"w".repeat(43)).unwrap().challenge();
    others[4].scope = scopes!["read", "write"];
    others[5].resource = ResourceUrl::parse("https://mcp.example/other").unwrap();
    others[6].subject = Subject::parse("bob").unwrap();
    others[7].generation += 1;
    others[8].authenticated_at = Timestamp::from_secs(START + 1);
    for other in &others {
        assert_eq!(world.approved(other).await, None, "{other:?}");
    }
    let again = AuthorizationCode::new(code.unwrap());
    let (_, read) = world.ledger.look_up(&again).await.unwrap().unwrap();
    let CodeState::Issued(issued) = &read.state else {
        panic!("a code");
    };
    let made = grant(world.ledger.fresh_id().unwrap(), START);
    let redeemed = world.ledger.redeem((&read, issued), &made, None, None);
    assert!(redeemed.await.unwrap());
    assert_eq!(world.approved(&decided).await, None);
}

/// Whichever operation fails, whoever asks again has a code, and it is the only one.
#[tokio::test]
async fn an_approval_whose_answer_is_lost_can_be_sent_again() {
    let mut lost = 0;
    for nth in 0..5 {
        let entropy = SeededEntropy::new(1);
        let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
        let keys = SealingKeys::generate(&entropy).unwrap();
        let world = world_on(StoreHandle::new(Arc::clone(&store) as Arc<dyn Store>, keys)).await;
        let decided = approval([1; 16]);
        store.fail(nth, Fault::AnswerLost);
        let first = world.ledger.approve(&decided, None).await;
        store.heal();
        lost += usize::from(first.is_err());
        let code = world.approved(&decided).await;
        assert!(code.is_some(), "{nth}");
        if let Ok(first) = first {
            assert_eq!(code.as_deref(), Some(first.expose()));
        }
        assert_eq!(world.records.count::<CodeRecord>().await.unwrap(), 1);
    }
    assert!(lost > 0);
}

/// All who approve have the same code, or somebody denied it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_cn_11_one_of_64_answers_counts() {
    let world = Arc::new(world().await);
    for round in 0_u8..50 {
        let all = (0..64).map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let decided = approval([round; 16]);
                if n % 2 == 0 {
                    world.approved(&decided).await
                } else {
                    let denied = world.deny(&decided).await;
                    denied.is_ok().then(|| "denied".to_owned())
                }
            })
        });
        let all = futures_util::future::join_all(all).await;
        let mut answers: Vec<_> = all.into_iter().filter_map(Result::unwrap).collect();
        let most = if answers[0] == "denied" { 1 } else { 32 };
        assert!((1..=most).contains(&answers.len()), "round {round}");
        answers.dedup();
        assert_eq!(answers.len(), 1, "round {round}");
    }
}

/// An observer with no room.
#[derive(Default)]
struct Full(AtomicUsize);

impl Observer for Full {
    fn answered(&self, _: &Exchange) {}

    fn reserve_event(&self) -> bool {
        false
    }

    fn authorization(&self, _: &AuthorizationEvent) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn sec_st_14_what_cannot_be_noted_is_not_granted() {
    let world = world().await;
    let full = Arc::new(Full::default());
    let observer: Arc<dyn Observer> = full.clone();
    world.events.observed_by(Observers::new([observer]));
    let refused = world.ledger.approve(&approval([1; 16]), None).await;
    assert!(matches!(refused, Err(ApproveError::Unrecorded(_))));
    assert_eq!(world.records.count::<CodeRecord>().await.unwrap(), 0);
    // To refuse is always possible, and told.
    world.deny(&approval([1; 16])).await.unwrap();
    assert_eq!(full.0.load(Ordering::SeqCst), 1);
}
