//! The provider's tokens, exchanged behind ours: what ends ours, what does not, and what is kept.

use std::time::Duration;

use http::StatusCode;
use portcullis_oauth::json::json;
use portcullis_testkit::Fault;

use super::stage::{DESK, World, plain};

#[tokio::test]
async fn sec_px_17_a_grant_that_ended_upstream_ends_here() {
    let world = World::new().await;
    let tokens = world.tokens(DESK).await;
    assert_eq!(world.call(&tokens.access).await, 200);
    world.upstream.end("alice");
    world.advance(120);
    // our access tokens go along, and a client that tries again is not led in a circle.
    for _ in 0..2 {
        let refused = world.refresh(DESK, tokens.refresh()).await;
        assert_eq!(refused.refusal(), (400, "invalid_grant"));
        assert_eq!(world.call(&tokens.access).await, 401);
        assert_eq!(world.load(&tokens.access).await, "401");
    }
    assert_eq!(
        world.upstream_refreshes(),
        1,
        "it is over, and not asked about again"
    );
}

#[tokio::test]
async fn sec_px_17_a_user_who_is_another_one_now_is_out() {
    let world = World::new().await;
    for fault in [
        Fault::claim("sub", "bob"),
        Fault::claim("iss", "https://evil.example"),
    ] {
        let tokens = world.tokens(DESK).await;
        world.advance(120);
        world.upstream.fault("/token", 1, fault.clone());
        let refused = world.refresh(DESK, tokens.refresh()).await;
        assert_ne!(refused.page.status, StatusCode::OK, "{fault:?}");
        assert_eq!(refused.body.get("access_token"), None);
    }
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    world
        .upstream
        .fault("/userinfo", 9, Fault::with("sub", "bob"));
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_ne!(refused.page.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_px_10_who_is_taken_off_the_list_is_out() {
    let list = portcullis_authorization_server::AllowList::new().groups(["staff"]);
    let world = World::with(|builder| builder.allow(list)).await;
    let staff = |groups: &[&str]| json!({ "sub": "alice", "groups": groups });
    world.upstream.user("alice", staff(&["staff", "all"]));
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
    world.upstream.user("alice", staff(&["all"]));
    world.advance(120);
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
    assert_eq!(world.call(&tokens.access).await, 401);
}

#[tokio::test]
async fn sec_px_10_who_has_left_a_group_is_out_though_the_id_token_is_old() {
    let list = portcullis_authorization_server::AllowList::new().groups(["staff"]);
    let world = World::with(|builder| builder.allow(list)).await;
    let staff = json!({ "sub": "alice", "groups": ["staff"] });
    world.upstream.user("alice", staff);
    let tokens = world.tokens(DESK).await;
    world.upstream.always("/token", Fault::without("id_token"));
    world.advance(120);
    let tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
    world.upstream.user("alice", json!({ "sub": "alice" }));
    world.advance(120);
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
    assert_eq!(world.call(&tokens.access).await, 401);
}

#[tokio::test]
async fn sec_px_17_a_token_without_an_end_is_exchanged_all_the_same() {
    let world = World::new().await;
    world
        .upstream
        .always("/token", Fault::without("expires_in"));
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
    assert_eq!(world.upstream_refreshes(), 1);
    world
        .upstream
        .always("/token", Fault::error("invalid_grant"));
    world.advance(120);
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
}

#[tokio::test]
async fn sec_rt_13_an_outage_of_the_provider_changes_nothing() {
    let world = World::new().await;
    let mut tokens = world.tokens(DESK).await;
    let faults = [
        Fault::status(StatusCode::INTERNAL_SERVER_ERROR),
        Fault::status(StatusCode::BAD_GATEWAY),
        Fault::busy(7),
        Fault::error("temporarily_unavailable"),
        Fault::error("invalid_client"),
        Fault::cut(),
        Fault::lost(),
        Fault::body("application/json", "{"),
        Fault::body("text/html", "<html>maintenance"),
    ];
    for fault in faults {
        world.advance(120);
        world.upstream.fault("/token", 1, fault.clone());
        let outage = world.refresh(DESK, tokens.refresh()).await;
        assert_eq!(
            outage.page.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{fault:?}"
        );
        assert_ne!(outage.page.header("retry-after"), "", "{fault:?}");
        assert!(
            !outage.page.text.contains("own words"),
            "{}",
            outage.page.text
        );
        assert_eq!(world.call(&tokens.access).await, 200, "{fault:?}");
        // The same token again, once the provider is back.
        tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
    }
    assert_eq!(world.call(&tokens.access).await, 200);
}

#[tokio::test]
async fn sec_rt_13_an_id_token_that_is_not_believed_loses_no_refresh_token() {
    let world = World::new().await;
    world.upstream.rotates(true);
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let other = Fault::claim("aud", "another-client");
    world.upstream.fault("/token", 1, other);
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(refused.page.status, StatusCode::SERVICE_UNAVAILABLE);
    // The provider has replaced its refresh token, and takes the new one alone.
    let tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
    assert_eq!(world.call(&tokens.access).await, 200);
}

#[tokio::test]
async fn sec_rt_13_a_provider_that_does_not_answer_in_time_changes_nothing() {
    let short = Duration::from_secs(1);
    let world = World::with(|builder| builder.upstream(|upstream| upstream.timeout(short))).await;
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let held = world.upstream.hold("/token");
    let outage = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(outage.page.status, StatusCode::SERVICE_UNAVAILABLE);
    drop(held);
    world.refresh(DESK, tokens.refresh()).await.tokens();
}

#[tokio::test]
async fn r_06_an_exchange_goes_on_though_nobody_waits_for_it() {
    let world = std::sync::Arc::new(World::new().await);
    // Whoever comes with a token that was replaced ends the grant there.
    world.upstream.rotates(true);
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    let held = world.upstream.hold("/token");
    let asked = world.upstream.hits("/token");
    let (theirs, refresh) = (std::sync::Arc::clone(&world), tokens.refresh().to_owned());
    let gone = tokio::spawn(async move { theirs.refresh(DESK, &refresh).await });
    world.upstream.wait_for_hits("/token", asked + 1).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    drop(held);
    let tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
    // Whoever is still at it with the old token is done before it is an old story.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    world.advance(120);
    world.refresh(DESK, tokens.refresh()).await.tokens();
    assert_eq!(world.upstream.live_grants(), 1);
}

#[tokio::test]
async fn refresh_tokens_of_the_provider_are_kept_or_replaced_as_it_says() {
    let world = World::new().await;
    let mut tokens = world.tokens(DESK).await;
    for rotates in [false, true, true, false, true] {
        world.upstream.rotates(rotates);
        world.advance(120);
        tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
        let theirs = world.load(&tokens.access).await;
        assert!(theirs.starts_with("up-access"), "{theirs}");
    }
    assert_eq!(
        (world.upstream_refreshes(), world.upstream.live_grants()),
        (5, 1)
    );
}

#[tokio::test]
async fn r_48_a_call_costs_the_provider_nothing() {
    let world = World::new().await;
    let tokens = world.tokens(DESK).await;
    let all = |world: &World| world.upstream.hits("/token") + world.upstream.hits("/userinfo");
    let before = all(&world);
    for _ in 0..10 {
        assert_eq!(world.call(&tokens.access).await, 200);
        assert!(world.load(&tokens.access).await.starts_with("up-access"));
    }
    assert_eq!(all(&world), before);
}

#[tokio::test]
async fn a_token_that_has_ended_is_exchanged_when_a_handler_asks() {
    let world = World::new().await;
    world.upstream.access_lifetime(Duration::from_secs(300));
    let tokens = world.tokens(DESK).await;
    let first = world.load(&tokens.access).await;
    world.advance(301);
    let second = world.load(&tokens.access).await;
    assert!(second.starts_with("up-access"), "{second}");
    assert_ne!(second, first);
    // In an outage there is none, and our own is still good.
    world.advance(301);
    world
        .upstream
        .fault("/token", 1, Fault::status(StatusCode::BAD_GATEWAY));
    assert_eq!(world.load(&tokens.access).await, "unavailable");
    assert_eq!(world.call(&tokens.access).await, 200);
    assert!(world.load(&tokens.access).await.starts_with("up-access"));
    world.upstream.end("alice");
    world.advance(301);
    assert_eq!(world.load(&tokens.access).await, "ended");
}

#[tokio::test]
async fn sec_px_09_tokens_that_became_another_users_end_the_grant() {
    let world = World::before(plain, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    world.advance(120);
    // Something that names nobody is no answer: nothing is over.
    world.upstream.fault("/userinfo", 1, Fault::without("sub"));
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_ne!(refused.refusal(), (400, "invalid_grant"));
    let tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
    world.advance(120);
    world
        .upstream
        .fault("/userinfo", 1, Fault::with("sub", "bob"));
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
    assert_eq!(world.call(&tokens.access).await, 401);
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"), "it stays so");
}

#[tokio::test]
async fn sec_px_17_who_revokes_here_gives_it_back_there() {
    let world = World::before(plain, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    world.revoke(DESK, tokens.refresh()).await;
    assert_eq!(world.call(&tokens.access).await, 401);
    world.upstream.wait_for_hits("/revoke", 1).await;
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
}

#[tokio::test]
async fn sec_px_12_nobody_gets_a_token_from_before_an_exchange() {
    let world = World::new().await;
    let mut tokens = world.tokens(DESK).await;
    let mut last = world.load(&tokens.access).await;
    for round in 0..4 {
        // What is remembered is asked of nobody.
        assert_eq!(world.load(&tokens.access).await, last, "round {round}");
        world.advance(120);
        tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
        let fresh = world.load(&tokens.access).await;
        assert!(fresh.starts_with("up-access"), "{fresh}");
        assert_ne!(fresh, last, "round {round}");
        last = fresh;
    }
}
