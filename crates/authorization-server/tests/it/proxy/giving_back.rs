//! What the provider gave and nobody needs is given back to it.

use std::time::Duration;

use http::StatusCode;
use portcullis_authorization_server::{AllowList, RevokedTokens, Upstream};
use portcullis_store::{MemoryStore, StoreHandle};
use portcullis_testkit::{Browser, Fault, ScriptedUpstream, Visit};

use super::stage::{DESK, World, code_in, come_back, error_in, leave, oidc, provider, serve};

/// A provider at which a token that is given back ends what was given with it, and nothing else.
fn precise(upstream: &ScriptedUpstream) -> Upstream {
    oidc(upstream).revocation_ends_all(false)
}

/// A provider of the kind that Google is.
fn sweeping(upstream: &ScriptedUpstream) -> Upstream {
    upstream.revocation_ends_all(true);
    oidc(upstream).revoked_tokens(RevokedTokens::Either)
}

/// Somebody signs in at the provider to see what clients may.
async fn to_account(world: &World, browser: &Browser, user: &str) {
    let away = browser.open("/account").await;
    let callback = world.upstream.sign_in(away.location().unwrap(), user);
    assert_eq!(come_back(browser, &callback).await.status, StatusCode::OK);
}

async fn revoke(world: &World, refresh: &str) {
    let fields = [("token", refresh), ("client_id", DESK.id)];
    let request = Visit::post("/oauth/revoke", &fields);
    let page = crate::client::back_channel(&world.browser(), request).await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_rv_07_what_came_with_a_stranger_is_given_back() {
    let staff = || AllowList::new().emails(["alice@example.com"]);
    for describe in [precise, sweeping] {
        let world = World::before(describe, |builder| builder.allow(staff())).await;
        let browser = world.browser();
        let kept = world.tokens(DESK).await;
        let callback = world.upstream.sign_in(&leave(&browser, DESK).await, "bob");
        let refused = come_back(&browser, &callback).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        world.upstream.wait_for_live_grants(1).await;
        assert!(world.load(&kept.access).await.starts_with("up-access"));
    }
}

#[tokio::test]
async fn sec_rv_07_a_look_at_the_account_leaves_nothing_at_the_provider() {
    for describe in [precise, sweeping] {
        let world = World::before(describe, |builder| builder).await;
        to_account(&world, &world.browser(), "bob").await;
        world.upstream.wait_for_live_grants(0).await;
    }
}

#[tokio::test]
async fn sec_rv_07_what_is_given_back_ends_no_other_grant() {
    let world = World::before(sweeping, |builder| builder).await;
    let tokens = world.tokens(DESK).await;
    // Each of these would give something of alice's back, if she had nothing here.
    to_account(&world, &world.browser(), "alice").await;
    world
        .upstream
        .fault("/token", 1, Fault::claim("aud", "another client"));
    let browser = world.browser();
    let error = world.refused(&browser, DESK, "alice").await;
    assert_eq!(error, "server_error");
    // What is bob's is given back, and behind those: they are done with then.
    to_account(&world, &world.browser(), "bob").await;
    world.upstream.wait_for_hits("/revoke", 1).await;
    assert_eq!(world.upstream.hits("/revoke"), 1);
    assert!(world.load(&tokens.access).await.starts_with("up-access"));
    assert_eq!(world.upstream.live_grants(), 3);
    // Her last grant takes all along that was left there.
    revoke(&world, tokens.refresh()).await;
    world.upstream.wait_for_live_grants(0).await;
}

#[tokio::test]
async fn a_grant_that_ends_is_given_back_at_once_where_that_ends_no_other() {
    let world = World::before(precise, |builder| builder).await;
    let (one, two) = (world.tokens(DESK).await, world.tokens(DESK).await);
    revoke(&world, one.refresh()).await;
    world.upstream.wait_for_live_grants(1).await;
    assert!(world.load(&two.access).await.starts_with("up-access"));
    // The refresh token goes first (RFC 7009 section 2.1).
    world.upstream.wait_for_hits("/revoke", 2).await;
    let kinds = world.upstream.requests("/revoke");
    let kinds: Vec<_> = kinds
        .iter()
        .map(|seen| seen.field("token_type_hint").unwrap())
        .collect();
    assert_eq!(kinds, ["refresh_token", "access_token"]);
}

#[tokio::test]
async fn sec_rv_07_a_login_of_which_nothing_is_left_is_given_back() {
    let world = World::before(precise, |builder| builder).await;
    let browser = world.browser();
    for fault in [
        // The provider granted none of what was asked for.
        Fault::with("scope", "calendar:read"),
        // Its ID token is not believed.
        Fault::claim("nonce", "another login's"),
        Fault::foreign_signature(),
    ] {
        world.upstream.fault("/token", 1, fault.clone());
        let app = DESK.asking("files:read");
        let callback = world.upstream.sign_in(&leave(&browser, app).await, "alice");
        error_in(&come_back(&browser, &callback).await, app);
        world.upstream.wait_for_live_grants(0).await;
    }
}

#[tokio::test]
async fn sec_rv_07_a_code_that_nobody_redeems_is_given_back() {
    let clock = std::sync::Arc::new(portcullis_testkit::MockClock::at(super::stage::START));
    let upstream = provider(&clock).await;
    let store = StoreHandle::from(MemoryStore::new()).sweep_interval(Duration::from_secs(1));
    let described = (precise(&upstream), &clock);
    let site = serve(described, store, |builder| builder).await;
    let world = World {
        upstream,
        clock,
        site,
    };
    let kept = world.tokens(DESK).await;
    let browser = world.browser();
    let callback = world
        .upstream
        .sign_in(&leave(&browser, DESK).await, "alice");
    let code = code_in(&come_back(&browser, &callback).await, DESK);
    assert_eq!(world.upstream.live_grants(), 2);
    world.advance(5 * 60 + 61);
    world.upstream.wait_for_live_grants(1).await;
    let late = world.redeem(DESK, &code).await;
    assert_eq!(late.refusal(), (400, "invalid_grant"));
    assert!(world.load(&kept.access).await.starts_with("up-access"));
}

#[tokio::test]
async fn tokens_are_given_back_as_github_takes_them() {
    let github = |upstream: &ScriptedUpstream| {
        precise(upstream).revocation_by_client(upstream.url("/applications/token"))
    };
    let world = World::before(github, |builder| builder).await;
    let (one, two) = (world.tokens(DESK).await, world.tokens(DESK).await);
    revoke(&world, one.refresh()).await;
    world.upstream.wait_for_live_grants(1).await;
    assert!(world.load(&two.access).await.starts_with("up-access"));
    // Or all that a user gave, with the last of it.
    let github = |upstream: &ScriptedUpstream| {
        oidc(upstream).revocation_by_client(upstream.url("/applications/grant"))
    };
    let world = World::before(github, |builder| builder).await;
    let (one, two) = (world.tokens(DESK).await, world.tokens(DESK).await);
    revoke(&world, one.refresh()).await;
    revoke(&world, two.refresh()).await;
    world.upstream.wait_for_live_grants(0).await;
    assert_eq!(world.upstream.hits("/applications/grant"), 1);
}

#[tokio::test]
async fn nobody_waits_for_what_is_given_back() {
    let staff = || AllowList::new().emails(["alice@example.com"]);
    let world = World::before(precise, |builder| builder.allow(staff())).await;
    let held = world.upstream.hold("/revoke");
    for _ in 0..20 {
        let browser = world.browser();
        let callback = world.upstream.sign_in(&leave(&browser, DESK).await, "bob");
        let refused = come_back(&browser, &callback).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
    }
    // And the provider is not flooded with it.
    world.upstream.wait_for_hits("/revoke", 8).await;
    assert_eq!(world.upstream.hits("/revoke"), 8);
    drop(held);
    world.upstream.wait_for_live_grants(0).await;
}
