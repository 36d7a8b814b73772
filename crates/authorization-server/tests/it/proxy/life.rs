//! A login, and what becomes of it.

use std::time::Duration;

use http::StatusCode;
use portcullis_authorization_server::AllowList;
use portcullis_oauth::json::json;
use portcullis_oauth::scopes;
use portcullis_testkit::Fault;

use super::world::{World, builder, site};
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
async fn a_provider_without_scopes_lets_users_in() {
    // As GitHub does for its GitHub Apps.
    let world = World::with(|builder| builder.scopes(scopes![])).await;
    world.upstream.always("/token", Fault::with("scope", ""));
    let client = world.client().await;
    let tokens = world.tokens(&client).await;
    assert_eq!(client.call(&tokens).await, StatusCode::OK);
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

#[tokio::test]
async fn sec_cn_22_who_denies_is_not_sent_upstream() {
    let world = World::new().await;
    let client = world.client().await;
    let page = world.browser.open(&client.authorize_url()).await;
    let denied = world.browser.press(&page, "deny", &[]).await;
    assert_eq!(denied.answer().one("error").unwrap(), Some("access_denied"));
    // Who has denied cannot approve by the page that is still open.
    let late = world.browser.press(&page, "approve", &[]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text);
}

#[tokio::test]
async fn sec_px_10_only_those_who_are_let_in_come_in() {
    let only = AllowList::new().emails(["bob@example.com"]);
    let world = World::with(|builder| builder.allow(only)).await;
    let client = world.client().await;
    let location = world.departed(&client).await;
    let refused = world.arrived(&location).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("This account is not let in"));
    // With a way back for the client to hear of it.
    assert!(!refused.links("127.0.0.1").is_empty(), "{}", refused.text);
    let bob = json!({"email": "bob@example.com", "email_verified": true});
    world.upstream.user("bob", bob);
    let location = world.departed(&client).await;
    let callback = world.upstream.sign_in(&location, "bob");
    let back = world.browser.open(&callback).await;
    assert!(back.answer().required("code").is_ok());
}

#[tokio::test]
async fn a_user_sees_the_connections_by_way_of_the_provider() {
    let world = World::new().await;
    let client = world.client().await;
    let tokens = world.tokens(&client).await;
    let away = world.browser.open("/account").await;
    let location = away.location().expect("the way to the provider").to_owned();
    let page = world.arrived(&location).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("A program"), "{}", page.text);
    let removed = world.browser.press(&page, "Remove access", &[]).await;
    assert!(
        removed.text.contains("No app has access"),
        "{}",
        removed.text
    );
    assert_eq!(client.call(&tokens).await, StatusCode::UNAUTHORIZED);
    // It was the last: nothing of it is left at the provider either.
    world.upstream.wait_for_hits("/revoke", 1).await;
}

#[tokio::test]
async fn sec_px_09_what_began_under_another_provider_ends() {
    let world = World::new().await;
    let client = world.client().await;
    let tokens = world.tokens(&client).await;
    let other = World::new().await;
    let built = builder(&other.upstream, &world.store, &world.clock, 9).build();
    let moved = world.browser.at(site(&built.unwrap()));
    let client = client.at(moved);
    assert_eq!(client.call(&tokens).await, StatusCode::UNAUTHORIZED);
    assert_eq!(client.refused_refresh(&tokens).await, "invalid_grant");
    assert_eq!(other.upstream.hits("/token"), 0);
}
