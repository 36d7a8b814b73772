//! A login, and what becomes of it.

use std::time::Duration;

use http::StatusCode;
use portcullis_authorization_server::{AllowList, Upstream};
use portcullis_oauth::json::json;
use portcullis_oauth::scopes;
use portcullis_testkit::{Fault, ScriptedUpstream};

use super::stage::{
    DESK, Pair, RESOURCE, World, ask, browser, code_in, come_back, error_in, leave, load, redeem,
};
use crate::client::{Client, Dialect, plain, text};

const HOUR: u64 = 3600;

/// What a client of none of the peculiarities says, which listens on this machine.
fn dialect() -> Dialect {
    Dialect {
        registration: json!({
            "client_name": "A program",
            "redirect_uris": ["http://127.0.0.1:33418/callback"],
            "token_endpoint_auth_method": "none",
        }),
        redirect_uri: "http://127.0.0.1:33418/callback",
        query: "scope=openid+files%3Aread&state=abc",
        granted: "openid files:read",
        resource: Some(RESOURCE),
        ..plain()
    }
}

fn named(upstream: &ScriptedUpstream) -> Upstream {
    Upstream::oidc(upstream.issuer().as_str()).name("Example Login")
}

#[tokio::test]
async fn a_user_signs_in_upstream_and_a_client_gets_tokens_of_ours() {
    let world = World::before(named, |builder| builder).await;
    let browser = world.browser();
    let client = Client::register(browser.clone(), dialect()).await;
    let page = browser.open(&client.authorize_url()).await;
    for shown in ["A program", "Example Login", "127.0.0.1:33418"] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let away = browser.press(&page, "approve", &[]).await;
    let callback = world.upstream.sign_in(away.location().unwrap(), "alice");
    let back = come_back(&browser, &callback).await;
    let code = back.answer().required("code").unwrap().to_owned();
    let tokens = client.tokens(code).await;
    assert_eq!(text(&tokens, "scope"), client.dialect.granted);
    assert_eq!(client.call(&tokens).await, StatusCode::OK);
    world.advance(2 * HOUR);
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
    let tokens = world.tokens(DESK).await;
    assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_px_05_the_tokens_of_the_provider_reach_no_client() {
    let world = World::new().await;
    let code = world.code(&world.browser(), DESK, "alice").await;
    let redeemed = world.redeem(DESK, &code).await;
    world.advance(HOUR);
    let refreshed = world.refresh(DESK, redeemed.tokens().refresh()).await;
    refreshed.tokens();
    let secrets = world.upstream.secrets();
    assert!(secrets.len() > 3);
    for answer in [&redeemed, &refreshed] {
        let answer = &answer.page.text;
        assert!(!secrets.iter().any(|secret| answer.contains(secret)));
    }
}

#[tokio::test]
async fn a_tool_gets_the_token_of_the_provider_fresh() {
    let world = World::new().await;
    world.upstream.access_lifetime(Duration::from_secs(300));
    let tokens = world.tokens(DESK).await;
    let first = world.load(&tokens.access).await;
    assert_eq!(world.load(&tokens.access).await, first);
    assert_eq!(world.upstream.hits("/token"), 1);
    world.advance(300);
    let all = (0..64).map(|_| world.load(&tokens.access));
    let second = futures_util::future::join_all(all).await;
    // One exchange for all of them.
    assert_eq!(world.upstream.hits("/token"), 2);
    let is_fresh = |token: &String| *token == second[0] && *token != first;
    assert!(second.iter().all(is_fresh));
    let secrets = world.upstream.secrets();
    assert!(secrets.contains(&second[0]) && secrets.contains(&first));
}

#[tokio::test]
async fn sec_px_18_a_grant_that_ended_upstream_ends_with_the_first_tool_that_asks() {
    let world = World::new().await;
    let tokens = world.tokens(DESK).await;
    world.upstream.end("alice");
    // What was given is good for as long as it was said to be.
    assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
    world.advance(3570);
    assert_eq!(world.load(&tokens.access).await, "ended");
    assert_eq!(world.call(&tokens.access).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn sec_px_17_an_outage_upstream_ends_nothing() {
    let world = World::new().await;
    let tokens = world.tokens(DESK).await;
    world.advance(HOUR);
    let outage = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
    world.upstream.fault("/token", 1, outage);
    let refused = world.refresh(DESK, tokens.refresh()).await;
    assert_eq!(refused.refusal(), (503, "temporarily_unavailable"));
    let tokens = world.refresh(DESK, tokens.refresh()).await.tokens();
    assert_eq!(world.call(&tokens.access).await, StatusCode::OK);
}

#[tokio::test]
async fn sec_px_19_another_process_finishes_what_one_began() {
    let Pair { world, sites, .. } = Pair::new().await;
    let here = world.browser();
    let away = leave(&here, DESK).await;
    let callback = world.upstream.sign_in(&away, "alice");
    let back = come_back(&here.at(sites[1].clone()), &callback).await;
    let code = code_in(&back, DESK);
    let tokens = redeem(&sites[0], DESK, &code).await.tokens();
    for site in &sites {
        assert!(load(site, &tokens.access).await.starts_with("up-access"));
    }
}

#[tokio::test]
async fn sec_cn_22_who_denies_is_not_sent_upstream() {
    let world = World::new().await;
    let browser = browser(&world.site);
    let page = ask(&browser, DESK).await;
    let denied = browser.press(&page, "deny", &[]).await;
    assert_eq!(error_in(&denied, DESK), "access_denied");
    // Who has denied cannot approve by the page that is still open.
    let late = browser.press(&page, "approve", &[]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "{}", late.text);
}

#[tokio::test]
async fn sec_px_10_only_those_who_are_let_in_come_in() {
    let only = AllowList::new().emails(["bob@example.com"]);
    let world = World::with(|builder| builder.allow(only)).await;
    let browser = world.browser();
    let away = leave(&browser, DESK).await;
    let refused = come_back(&browser, &world.upstream.sign_in(&away, "alice")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("This account is not let in"));
    // With a way back for the client to hear of it.
    assert!(!refused.links("127.0.0.1").is_empty(), "{}", refused.text);
    world.code(&browser, DESK, "bob").await;
}

#[tokio::test]
async fn a_user_sees_the_connections_by_way_of_the_provider() {
    let world = World::new().await;
    let tokens = world.tokens(DESK).await;
    let browser = world.browser();
    let away = browser.open("/account").await;
    let location = away.location().expect("the way to the provider");
    let page = come_back(&browser, &world.upstream.sign_in(location, "alice")).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("files:read"), "{}", page.text);
    let removed = browser.press(&page, "Remove access", &[]).await;
    assert!(
        removed.text.contains("No app has access"),
        "{}",
        removed.text
    );
    assert_eq!(world.call(&tokens.access).await, StatusCode::UNAUTHORIZED);
    // It was the last: nothing of it is left at the provider either.
    world.upstream.wait_for_hits("/revoke", 1).await;
}
