//! Who exchanges the provider's tokens while others wait, and what is left where that one is killed.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use portcullis_authorization_server::OAuthProxyBuilder;
use portcullis_store::{Collection, Page};
use portcullis_testkit::Fault;
use portcullis_testkit::store::Fault as StoreFault;
use tokio::task::JoinHandle;

use super::stage::{Answer, DESK, Pair, World, refresh, revoke};

/// As long as a provider can be waited for.
fn patient(builder: OAuthProxyBuilder) -> OAuthProxyBuilder {
    builder.upstream(|upstream| upstream.timeout(Duration::from_secs(60)))
}

impl Pair {
    /// A client asks one of the two, and goes on with something else.
    fn asked(&self, site: usize, token: &str) -> JoinHandle<Answer> {
        let (site, token) = (self.sites[site].clone(), token.to_owned());
        tokio::spawn(async move { refresh(&site, DESK, &token).await })
    }

    /// From now on a process does nothing that anybody sees.
    fn kill(&self, site: usize) {
        self.stores[site].fail_from(0, StoreFault::Refused);
    }
}

/// Lets time pass, for servers and for all that waits in them. Nothing comes from outside meanwhile.
async fn pass(world: &World, seconds: u64) {
    let second = Duration::from_secs(1);
    tokio::time::pause();
    for _ in 0..seconds {
        world.clock.advance(second);
        tokio::time::sleep(second).await;
    }
    tokio::time::resume();
}

/// Lets all go on that can.
async fn settle() {
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_secs(30), work).await;
    done.unwrap_or_else(|_| panic!("{what} takes for ever"))
}

#[tokio::test]
async fn sec_px_12_an_exchange_that_outlasts_a_lease_is_not_begun_twice() {
    let pair = Pair::with(patient).await;
    let world = &pair.world;
    world.upstream.rotates(true);
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let held = world.upstream.hold("/token");
    let asked = world.upstream.hits("/token");
    let slow = pair.asked(0, tokens.refresh());
    world.upstream.wait_for_hits("/token", asked + 1).await;
    let other = pair.asked(1, tokens.refresh());
    // Its lease would have ended three times.
    pass(world, 30).await;
    assert!(!slow.is_finished() && !other.is_finished());
    assert_eq!(world.upstream_refreshes(), 1);
    drop(held);
    let (slow, other) = in_time("an exchange", async { tokio::join!(slow, other) }).await;
    let (slow, other) = (slow.unwrap().tokens(), other.unwrap().tokens());
    assert_eq!(slow.refresh, other.refresh);
    assert_eq!(world.upstream_refreshes(), 1);
    assert_eq!(world.upstream.live_grants(), 1);
}

#[tokio::test]
async fn an_exchange_whose_owner_was_killed_goes_on_a_few_seconds_later() {
    let pair = Pair::with(patient).await;
    let world = &pair.world;
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let held = world.upstream.hold("/token");
    let asked = world.upstream.hits("/token");
    pair.asked(0, tokens.refresh());
    world.upstream.wait_for_hits("/token", asked + 1).await;
    pair.kill(0);
    let other = pair.asked(1, tokens.refresh());
    pass(world, 7).await;
    settle().await;
    assert_eq!(world.upstream_refreshes(), 1, "the owner may live");
    pass(world, 2).await;
    world.upstream.wait_for_hits("/token", asked + 2).await;
    drop(held);
    in_time("an exchange", other).await.unwrap().tokens();
}

#[tokio::test]
async fn nobody_waits_without_end_for_a_lease() {
    let pair = Pair::new().await;
    let world = &pair.world;
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let now = super::stage::START + 120;
    // A process with a clock of its own took it, and was killed.
    world.clock.set_wall(now + 10_000);
    let held = world.upstream.hold("/token");
    let asked = world.upstream.hits("/token");
    pair.asked(0, tokens.refresh());
    world.upstream.wait_for_hits("/token", asked + 1).await;
    pair.kill(0);
    drop(held);
    world.clock.set_wall(now);
    let other = pair.asked(1, tokens.refresh());
    pass(world, 60).await;
    let other = in_time("waiting", other).await.unwrap();
    assert_eq!(other.page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.upstream_refreshes(), 1);
}

#[tokio::test]
async fn sec_rt_13_a_process_killed_before_it_asks_about_the_user_loses_no_refresh_token() {
    let pair = Pair::new().await;
    let world = &pair.world;
    world.upstream.rotates(true);
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let held = world.upstream.hold("/userinfo");
    let asked = world.upstream.hits("/userinfo");
    pair.asked(0, tokens.refresh());
    world.upstream.wait_for_hits("/userinfo", asked + 1).await;
    pair.kill(0);
    drop(held);
    // The other one has what the provider gave, and asks anew.
    world.advance(1);
    let after = refresh(&pair.sites[1], DESK, tokens.refresh()).await;
    after.tokens();
    assert_eq!(world.upstream_refreshes(), 2);
    assert_eq!(world.upstream.live_grants(), 1);
}

#[tokio::test]
async fn sec_rv_07_a_grant_that_ends_in_the_middle_of_an_exchange_keeps_nothing() {
    let pair = Pair::new().await;
    let world = &pair.world;
    world.upstream.rotates(true);
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let held = world.upstream.hold("/token");
    let asked = world.upstream.hits("/token");
    let late = pair.asked(0, tokens.refresh());
    world.upstream.wait_for_hits("/token", asked + 1).await;
    // What it had is not given back, or the provider would give nothing new.
    let outage = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    world.upstream.always("/revoke", outage);
    let revoked = revoke(&pair.sites[1], DESK, tokens.refresh()).await;
    assert_eq!(revoked.status, StatusCode::OK);
    world.upstream.wait_for_hits("/revoke", 1).await;
    settle().await;
    world.upstream.mend("/revoke");
    assert_eq!(world.upstream.live_grants(), 1);
    drop(held);
    let late = in_time("an exchange", late).await.unwrap();
    assert_eq!(late.refusal(), (400, "invalid_grant"));
    assert_eq!(world.upstream_refreshes(), 1);
    let rows = pair.store.list(Collection::new("upstream"), Page::first(9));
    assert!(rows.await.unwrap().is_empty());
    assert_eq!(
        world.upstream.live_grants(),
        0,
        "the new ones are given back"
    );
}

#[tokio::test]
async fn sec_px_12_those_who_waited_share_a_failure_and_the_next_one_asks() {
    let pair = Arc::new(Pair::new().await);
    let world = &pair.world;
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    for round in 0..2 {
        let before = world.upstream_refreshes();
        let held = world.upstream.hold("/token");
        let asked = world.upstream.hits("/token");
        let outage = Fault::status(StatusCode::BAD_GATEWAY);
        world.upstream.fault("/token", 1, outage);
        let all: Vec<_> = (0..16).map(|_| pair.asked(0, tokens.refresh())).collect();
        world.upstream.wait_for_hits("/token", asked + 1).await;
        settle().await;
        drop(held);
        for answer in in_time("a failure", join_all(all)).await {
            let status = answer.unwrap().page.status;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "round {round}");
        }
        assert_eq!(world.upstream_refreshes(), before + 1, "round {round}");
    }
    // In the same second.
    world.refresh(DESK, tokens.refresh()).await.tokens();
}
