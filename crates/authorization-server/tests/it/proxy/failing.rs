//! A store that fails at each of its operations, one after the other.

use std::sync::Arc;

use http::StatusCode;
use portcullis_store::{MemoryStore, SealingKeys};
use portcullis_testkit::store::{Fault, FaultyStore};
use portcullis_testkit::{MockClock, SeededEntropy};

use super::stage::{
    App, DESK, START, Tokens, World, browser, code_in, come_back, leave, oidc, provider, serve,
};

/// A world whose store fails when it is told to.
async fn faulty() -> (World, Arc<FaultyStore>) {
    let clock = Arc::new(MockClock::at(START));
    let upstream = provider(&clock).await;
    let store = Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())));
    let keys = SealingKeys::generate(&SeededEntropy::new(1)).unwrap();
    let handle = (Arc::clone(&store) as Arc<dyn portcullis_store::Store>, keys);
    let handle = portcullis_store::StoreHandle::new(handle.0, handle.1);
    let site = serve((oidc(&upstream), &clock), handle, |builder| builder).await;
    let world = World {
        upstream,
        clock,
        site,
    };
    (world, store)
}

/// Tokens for the next refresh, of a login in which nothing fails.
async fn ready(world: &World, app: App) -> Tokens {
    let tokens = world.tokens(app).await;
    world.clock.advance(std::time::Duration::from_secs(120));
    tokens
}

#[tokio::test(start_paused = true)]
async fn sec_rt_13_a_store_that_fails_loses_no_refresh_token() {
    let (world, store) = faulty().await;
    // What is exchanged and not written would be lost: the provider takes the old one for a theft.
    world.upstream.rotates(true);
    let tokens = ready(&world, DESK).await;
    let before = store.operations();
    world.refresh(DESK, tokens.refresh()).await.tokens();
    let operations = store.operations() - before;
    assert!(operations > 3, "{operations}");
    for (later, fault) in
        (0..operations).flat_map(|at| [(at, Fault::Refused), (at, Fault::AnswerLost)])
    {
        let tokens = ready(&world, DESK).await;
        store.fail(later, fault);
        let answer = world.refresh(DESK, tokens.refresh()).await;
        store.heal();
        let status = answer.page.status;
        let is_honest = status == StatusCode::OK || status == StatusCode::SERVICE_UNAVAILABLE;
        assert!(is_honest, "{later} {fault:?}: {answer:?}");
        let mut again = world.refresh(DESK, tokens.refresh()).await;
        if again.page.status == StatusCode::SERVICE_UNAVAILABLE {
            // Somebody has it for himself, and went away. That ends.
            world.clock.advance(std::time::Duration::from_secs(8));
            again = world.refresh(DESK, tokens.refresh()).await;
        }
        assert_eq!(
            again.page.status,
            StatusCode::OK,
            "{later} {fault:?}: {again:?}"
        );
        world.clock.advance(std::time::Duration::from_secs(120));
        let after = world.refresh(DESK, again.tokens().refresh()).await;
        assert_eq!(
            after.page.status,
            StatusCode::OK,
            "{later} {fault:?}: {after:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn sec_rt_13_a_store_that_fails_while_a_handler_asks_loses_no_refresh_token() {
    let (world, store) = faulty().await;
    world.upstream.rotates(true);
    let lifetime = std::time::Duration::from_secs(300);
    world.upstream.access_lifetime(lifetime);
    let load = async |tokens: &Tokens| {
        world.clock.advance(lifetime);
        let before = store.operations();
        let loaded = world.load(&tokens.access).await;
        (loaded, store.operations() - before)
    };
    let (loaded, operations) = load(&world.tokens(DESK).await).await;
    assert!(loaded.starts_with("up-access"), "{loaded}");
    assert!(operations > 3, "{operations}");
    for later in 0..operations {
        for fault in [Fault::Refused, Fault::AnswerLost] {
            let tokens = world.tokens(DESK).await;
            let live = world.upstream.live_grants();
            store.fail(later, fault);
            let (loaded, _) = load(&tokens).await;
            store.heal();
            let is_honest = loaded.starts_with("up-access")
                || ["unavailable", "503"].contains(&loaded.as_str());
            assert!(is_honest, "{later} {fault:?}: {loaded}");
            let (again, _) = load(&tokens).await;
            assert!(again.starts_with("up-access"), "{later} {fault:?}: {again}");
            assert_eq!(world.upstream.live_grants(), live, "{later} {fault:?}");
        }
    }
}

#[tokio::test]
async fn sec_st_14_a_callback_that_is_not_kept_gives_no_code() {
    let (world, store) = faulty().await;
    let way = async |later: Option<(u64, Fault)>| {
        let browser = browser(&world.site);
        let callback = world
            .upstream
            .sign_in(&leave(&browser, DESK).await, "alice");
        let before = store.operations();
        if let Some((later, fault)) = later {
            store.fail(later, fault);
        }
        let back = come_back(&browser, &callback).await;
        store.heal();
        (back, store.operations() - before)
    };
    let (back, operations) = way(None).await;
    code_in(&back, DESK);
    for at in 0..operations {
        for fault in [Fault::Refused, Fault::AnswerLost] {
            let (back, _) = way(Some((at, fault))).await;
            let Some(location) = back.location() else {
                assert_eq!(
                    back.status,
                    StatusCode::SERVICE_UNAVAILABLE,
                    "{at} {fault:?}"
                );
                continue;
            };
            // Whoever is told of a code can have what it stands for.
            if location.contains("code=") {
                world.redeem(DESK, &code_in(&back, DESK)).await.tokens();
            }
        }
    }
}
