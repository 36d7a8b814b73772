//! A login, and what becomes of it.

use std::time::Duration;

use http::StatusCode;
use portcullis_testkit::Fault;

use super::world::{World, site};
use crate::client::text;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_user_signs_in_upstream_and_a_client_gets_tokens_of_ours() {
    let world = World::new().await;
    let client = world.client().await;
    let page = world.browser.open(&client.authorize_url()).await;
    for shown in ["A program", "Example Login", "127.0.0.1:33418"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let tokens = world.tokens(&client).await;
    assert_eq!(text(&tokens, "scope"), "openid email");
    assert_eq!(client.call(&tokens).await, StatusCode::OK);
    world.clock.advance(2 * HOUR);
    assert_eq!(client.call(&tokens).await, StatusCode::UNAUTHORIZED);
    let tokens = client.refresh(&tokens).await;
    assert_eq!(client.call(&tokens).await, StatusCode::OK);
    assert_eq!(world.upstream.hits("/token"), 2);
    client.revoke(&tokens).await;
    assert_eq!(client.call(&tokens).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sec_px_05_the_tokens_of_the_provider_reach_no_client() {
    let world = World::new().await;
    let client = world.client().await;
    let tokens = world.tokens(&client).await;
    world.clock.advance(HOUR);
    let refreshed = client.refresh(&tokens).await;
    let secrets = world.upstream.secrets();
    assert!(secrets.len() > 3);
    for answer in [&tokens, &refreshed] {
        let answer = answer.to_string();
        assert!(!secrets.iter().any(|secret| answer.contains(secret)));
    }
}

#[tokio::test]
async fn a_tool_gets_the_token_of_the_provider_fresh() {
    let world = World::new().await;
    world.upstream.access_lifetime(Duration::from_secs(300));
    let client = world.client().await;
    let tokens = world.tokens(&client).await;
    let first = world.upstream_token(&tokens).await;
    assert_eq!(world.upstream_token(&tokens).await, first);
    assert_eq!(world.upstream.hits("/token"), 1);
    world.clock.advance(Duration::from_secs(300));
    let all = (0..64).map(|_| world.upstream_token(&tokens));
    let second = futures_util::future::join_all(all).await;
    // One exchange for all of them.
    assert_eq!(world.upstream.hits("/token"), 2);
    assert!(
        second
            .iter()
            .all(|token| *token == second[0] && *token != first)
    );
    let secrets = world.upstream.secrets();
    assert!(secrets.contains(&second[0]) && secrets.contains(&first));
}

#[tokio::test]
async fn sec_px_18_a_grant_that_ended_upstream_ends_with_the_first_tool_that_asks() {
    let world = World::new().await;
    let client = world.client().await;
    let tokens = world.tokens(&client).await;
    world.upstream.end("alice");
    // What was given is good for as long as it was said to be.
    assert_eq!(client.call(&tokens).await, StatusCode::OK);
    world.clock.advance(Duration::from_secs(3570));
    assert_eq!(world.upstream_token(&tokens).await, "ended");
    assert_eq!(client.call(&tokens).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sec_px_17_a_grant_that_ended_upstream_ends_here() {
    let world = World::new().await;
    let client = world.client().await;
    let tokens = world.tokens(&client).await;
    world.upstream.end("alice");
    world.clock.advance(HOUR);
    let refused = client.refused_refresh(&tokens).await;
    assert_eq!(refused, "invalid_grant");
    assert_eq!(client.refused_refresh(&tokens).await, "invalid_grant");
    // It is over, and the provider is not asked again.
    assert_eq!(world.upstream.hits("/token"), 2);
}

#[tokio::test]
async fn sec_px_17_an_outage_upstream_ends_nothing() {
    let world = World::new().await;
    let client = world.client().await;
    let tokens = world.tokens(&client).await;
    world.clock.advance(HOUR);
    world
        .upstream
        .fault("/token", 1, Fault::status(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(
        client.refused_refresh(&tokens).await,
        "temporarily_unavailable"
    );
    let refreshed = client.refresh(&tokens).await;
    assert_eq!(client.call(&refreshed).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_px_19_another_process_finishes_what_one_began() {
    let world = World::new().await;
    let client = world.client().await;
    let location = world.departed(&client).await;
    let callback = world.upstream.sign_in(&location, "alice");
    let other = world.browser.at(site(&world.sibling(8)));
    let back = other.open(&callback).await;
    let code = back.answer().required("code").unwrap().to_owned();
    let tokens = client.tokens(code).await;
    assert_eq!(client.call(&tokens).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_cn_02_another_browser_does_not_come_back_for_the_first() {
    let world = World::new().await;
    let client = world.client().await;
    let location = world.departed(&client).await;
    let callback = world.upstream.sign_in(&location, "alice");
    let refused = world.browser.another().open(&callback).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(world.upstream.hits("/token"), 0);
    // It is left for the browser that began.
    let back = world.browser.open(&callback).await;
    assert!(back.answer().required("code").is_ok());
    let again = world.browser.open(&callback).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.upstream.hits("/token"), 1);
}
