//! What a client gets, and what of the provider's never reaches it.

use axum::{Extension, Router};
use portcullis_oauth::json::json;
use portcullis_testkit::{CapturedLogs, Fault, Page, Visit};
use tokio::sync::watch;

use super::stage::{
    App, DESK, Late, SHOP, Tokens, World, ask, browser, call, code_in, come_back, error_in, leave,
    oidc, plain,
};

/// All that anybody outside gets to see of an answer.
fn seen(page: &Page) -> String {
    format!("{:?} {} {}", page.headers, page.url, page.text)
}

#[tokio::test]
async fn sec_px_05_no_token_of_the_provider_reaches_anybody() {
    let logs = CapturedLogs::start();
    for jwt in [false, true] {
        let world = World::new().await;
        world.upstream.jwt_access_tokens(jwt);
        world.upstream.rotates(true);
        let mut outside = Vec::new();
        let browser = world.browser();
        let page = ask(&browser, DESK).await;
        let away = browser.press(&page, "approve", &[]).await;
        let callback = world.upstream.sign_in(away.location().unwrap(), "alice");
        let back = come_back(&browser, &callback).await;
        outside.extend([
            seen(&page),
            seen(&away),
            format!("{:?}", back.headers),
            back.text.clone(),
        ]);
        let redeemed = world.redeem(DESK, &code_in(&back, DESK)).await;
        let tokens = redeemed.tokens();
        world.advance(120);
        let refreshed = world.refresh(DESK, tokens.refresh()).await;
        let renewed = refreshed.tokens();
        outside.extend([seen(&redeemed.page), seen(&refreshed.page)]);
        outside.extend([&tokens, &renewed].map(|tokens| tokens.claims().to_string()));
        outside.push(seen(&call(&world.site, &renewed.access).await));
        outside.push(seen(&browser.open("/account").await));
        world
            .upstream
            .always("/token", Fault::error("invalid_grant"));
        world.advance(120);
        let ended = world.refresh(DESK, renewed.refresh()).await;
        outside.push(seen(&ended.page));
        let secrets = world.upstream.secrets();
        assert!(
            secrets.len() >= 6,
            "a code and two sets of tokens: {secrets:?}"
        );
        for (secret, text) in secrets
            .iter()
            .flat_map(|secret| outside.iter().map(move |text| (secret, text)))
        {
            assert!(!text.contains(secret.as_str()), "{secret} in {text}");
        }
        for secret in &secrets {
            logs.assert_free_of(secret);
        }
        for ours in [&tokens, &renewed] {
            logs.assert_free_of(&ours.access);
            logs.assert_free_of(ours.refresh());
        }
    }
    logs.assert_free_of("the upstream secret");
}

#[tokio::test]
async fn sec_px_06_no_more_is_granted_than_upstream() {
    for describe in [oidc, plain] {
        let world = World::before(describe, |builder| builder).await;
        for (granted, ours) in [
            (
                "openid files:read files:write admin",
                &["files:read", "openid"][..],
            ),
            ("openid,files:read,admin", &["files:read", "openid"]),
            ("openid", &["openid"]),
        ] {
            world
                .upstream
                .fault("/token", 1, Fault::with("scope", granted));
            let tokens = world.tokens(DESK).await;
            assert_eq!(tokens.scope, ours, "{granted}");
            let mut claimed = tokens.claims()["scope"].as_str().unwrap().to_owned();
            claimed = claimed
                .split(' ')
                .filter(|scope| !ours.contains(scope))
                .collect();
            assert_eq!(claimed, "", "{granted}");
        }
        // Nothing said is as asked, and no more than was asked.
        world.upstream.fault("/token", 1, Fault::without("scope"));
        assert_eq!(world.tokens(DESK).await.scope, ["files:read", "openid"]);
        // And where nothing is left of it, there is no code.
        world
            .upstream
            .fault("/token", 1, Fault::with("scope", "admin"));
        let browser = world.browser();
        let callback = world
            .upstream
            .sign_in(&leave(&browser, DESK).await, "alice");
        let back = come_back(&browser, &callback).await;
        assert_eq!(error_in(&back, DESK), "access_denied");
    }
}

#[tokio::test]
async fn sec_px_06_a_refresh_that_grants_less_takes_it_away() {
    let world = World::new().await;
    let app = DESK.asking("openid files:read files:write");
    let tokens = world.tokens(app).await;
    assert_eq!(tokens.scope, ["files:read", "files:write", "openid"]);
    world.advance(120);
    world
        .upstream
        .fault("/token", 1, Fault::with("scope", "openid files:read admin"));
    let less = world.refresh(app, tokens.refresh()).await.tokens();
    assert_eq!(less.scope, ["files:read", "openid"]);
}

#[tokio::test]
async fn r_12_a_scope_that_a_client_invents_goes_nowhere() {
    let world = World::before(plain, |builder| builder).await;
    let app: App = DESK.asking("openid files:read admin");
    // The provider says nothing of scopes, as GitHub does not always.
    world.upstream.always("/token", Fault::without("scope"));
    let browser = world.browser();
    let away = leave(&browser, app).await;
    assert!(!away.contains("admin"), "{away}");
    let callback = world.upstream.sign_in(&away, "alice");
    let code = code_in(&come_back(&browser, &callback).await, app);
    let tokens = world.redeem(app, &code).await.tokens();
    assert_eq!(tokens.scope, ["files:read", "openid"]);
    world.advance(120);
    let renewed = world.refresh(app, tokens.refresh()).await.tokens();
    assert_eq!(renewed.scope, ["files:read", "openid"]);
}

#[tokio::test]
async fn sec_px_16_a_token_of_ours_ends_with_theirs() {
    let world = World::new().await;
    // It ends soon and cannot be had anew.
    world.upstream.refresh_tokens(false);
    world
        .upstream
        .access_lifetime(std::time::Duration::from_secs(120));
    let tokens = world.tokens(DESK).await;
    assert!(tokens.expires_in <= 120, "{tokens:?}");
    assert_eq!(tokens.refresh, None, "there is nothing to refresh");
    let exp = tokens.claims()["exp"].as_i64().unwrap();
    assert!(exp <= super::stage::START + 120, "{exp}");
    // It ends soon, and is exchanged for as long as the provider likes.
    world.upstream.refresh_tokens(true);
    let tokens = world.tokens(DESK).await;
    assert_eq!(tokens.expires_in, 3600);
    assert!(tokens.refresh.is_some());
}

#[tokio::test]
async fn sec_px_16_a_token_without_an_end_gets_ours_and_is_asked_about() {
    let world = World::before(plain, |builder| builder).await;
    world.upstream.refresh_tokens(false);
    world
        .upstream
        .always("/token", Fault::without("expires_in"));
    let tokens = world.tokens(DESK).await;
    assert_eq!(tokens.expires_in, 3600, "an hour, not a year");
    let asked = world.upstream.hits("/userinfo");
    world.advance(60);
    let renewed = world.refresh(DESK, tokens.refresh()).await.tokens();
    assert_eq!(
        world.upstream.hits("/userinfo"),
        asked + 1,
        "it is asked at each refresh"
    );
    assert_eq!(world.call(&renewed.access).await, 200);
    world.upstream.end("alice");
    world.advance(60);
    let refused = world.refresh(DESK, renewed.refresh()).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
    assert_eq!(
        world.call(&renewed.access).await,
        401,
        "and all of it is over"
    );
}

#[tokio::test]
async fn sec_px_08_claims_of_the_provider_never_pass_for_ours() {
    let world = World::new().await;
    let claims = json!({
        "sub": "alice", "role": "editor", "roles": ["editor"], "email": "alice@example.com",
        "scope": "admin", "client_id": "other", "iss_": "x", "azp": "other", "act": "x",
        "token_use": "id", "jti": "mine", "nbf": 0, "cnf": "x", "may_act": "x",
    });
    world.upstream.jwt_access_tokens(true);
    world.upstream.user("alice", claims);
    // In an ID token some of it would be believed by nobody.
    world
        .upstream
        .always("/token", Fault::claim("azp", "proxy"));
    let tokens = world.tokens(DESK).await;
    let ours = tokens.claims();
    assert_eq!(
        (&ours["role"], &ours["sub"]),
        (&json!("editor"), &json!("alice"))
    );
    assert_eq!(ours["client_id"], "desk");
    assert_ne!(ours["scope"], "admin");
    assert_ne!(ours["jti"], "mine");
    assert_eq!(ours["iss"], super::stage::BASE);
    for name in ["azp", "act", "token_use", "cnf", "may_act"] {
        assert!(ours.get(name).is_none(), "{name}: {ours}");
    }
}

#[tokio::test]
async fn r_07_a_client_proves_itself_and_keeps_its_tokens_to_itself() {
    let world = World::new().await;
    let code = world.code(&world.browser(), SHOP, "alice").await;
    let impostor = App {
        secret: Some("a wrong secret of some length, 32+"),
        ..SHOP
    };
    let nobody = App {
        secret: None,
        ..SHOP
    };
    for app in [impostor, nobody] {
        assert_eq!(
            world.redeem(app, &code).await.refusal(),
            (401, "invalid_client")
        );
    }
    let tokens = world.redeem(SHOP, &code).await.tokens();
    world.advance(120);
    let asked = world.upstream.hits("/token");
    for (app, refusal) in [
        (impostor, (401, "invalid_client")),
        (nobody, (401, "invalid_client")),
        (DESK, (400, "invalid_grant")),
    ] {
        let refused = world.refresh(app, tokens.refresh()).await;
        assert_eq!(refused.refusal(), refusal);
    }
    assert_eq!(
        world.upstream.hits("/token"),
        asked,
        "nobody was asked for a stranger"
    );
    world.refresh(SHOP, tokens.refresh()).await.tokens();
}

#[tokio::test]
async fn r_08_no_token_stands_for_one_of_another_kind() {
    let world = World::new().await;
    world.upstream.jwt_access_tokens(true);
    let tokens = world.tokens(DESK).await;
    assert_eq!(world.call(&tokens.access).await, 200);
    assert_eq!(world.call(tokens.refresh()).await, 401);
    let refused = world.refresh(DESK, &tokens.access).await;
    assert_eq!(refused.refusal(), (400, "invalid_grant"));
    // The provider's own are worth nothing here.
    for theirs in world.upstream.secrets() {
        assert_eq!(world.call(&theirs).await, 401, "{theirs}");
        let refused = world.refresh(DESK, &theirs).await;
        assert_eq!(refused.refusal(), (400, "invalid_grant"));
        assert_eq!(
            world.redeem(DESK, &theirs).await.refusal(),
            (400, "invalid_grant")
        );
    }
    world.refresh(DESK, tokens.refresh()).await.tokens();
}

#[tokio::test]
async fn sec_px_18_the_providers_token_is_for_whoever_was_verified() {
    let world = World::new().await;
    let alice = world.tokens(DESK).await;
    let code = world.code(&world.browser(), DESK, "bob").await;
    let bob = world.redeem(DESK, &code).await.tokens();
    let (theirs, ours) = (
        world.load(&bob.access).await,
        world.load(&alice.access).await,
    );
    assert!(
        theirs.starts_with("up-access") && ours.starts_with("up-access"),
        "{theirs} {ours}"
    );
    assert_ne!(theirs, ours);
    for access in [alice.refresh(), "nothing", ours.as_str()] {
        assert_eq!(world.load(access).await, "401");
    }
    // Somebody who asks as another user's browser would is nobody.
    let page = browser(&world.site).open("/mcp").await;
    assert_eq!(page.status, 401);
}

/// What a handler has that takes its time: it was let in, and then its grant is revoked, at that site.
pub(super) async fn revoked_meanwhile(world: &World, other: &Router, tokens: &Tokens) -> String {
    let (begin, late) = watch::channel(false);
    let site = world.site.clone().layer(Extension(Late(late)));
    let access = tokens.access.clone();
    let (called, is_called) = watch::channel(());
    let slow = tokio::spawn(async move {
        called.send_replace(());
        super::stage::load(&site, &access).await
    });
    is_called.clone().changed().await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let fields = [("token", tokens.refresh()), ("client_id", DESK.id)];
    let revoke = Visit::post("/oauth/revoke", &fields);
    let page = crate::client::back_channel(&super::stage::browser(other), revoke).await;
    assert_eq!(page.status, 200);
    begin.send_replace(true);
    slow.await.unwrap()
}

#[tokio::test]
async fn sec_px_18_a_grant_that_ended_has_no_tokens_upstream() {
    for is_known in [false, true] {
        let world = World::new().await;
        let tokens = world.tokens(DESK).await;
        if is_known {
            assert!(world.load(&tokens.access).await.starts_with("up-access"));
        }
        let loaded = revoked_meanwhile(&world, &world.site, &tokens).await;
        assert_eq!(loaded, "ended", "known before: {is_known}");
    }
}
