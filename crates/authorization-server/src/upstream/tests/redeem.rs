//! A code becomes tokens, and a user.

use portcullis_oauth::json::{self, json};
use portcullis_oauth::{Timestamp, scopes};

use super::super::{Evidence, TokenSet, UpstreamError};
use super::world::{Answer, CALLBACK, NOW, SECRET, World, redeem};

#[tokio::test]
async fn a_code_becomes_tokens_and_a_user() {
    let world = World::start().await;
    world.tokens(&json!({"refresh_token": "rt-1", "scope": "read write"}));
    let login = world.redeem(world.oauth2()).await.unwrap();
    let tokens = &login.tokens;
    assert_eq!(tokens.access_token.expose(), "at-1");
    assert_eq!(tokens.refresh_token.as_ref().unwrap().expose(), "rt-1");
    assert_eq!(tokens.scope, Some(scopes!["read", "write"]));
    assert_eq!(tokens.expires_at, Some(Timestamp::from_secs(NOW + 3600)));
    let evidence = login.evidence.unwrap();
    assert_eq!(evidence.subject.as_str(), "alice");
    assert_eq!(evidence.profile["name"], "Alice");

    let asked = world.last("/token");
    assert_eq!(
        asked.value("grant_type").as_deref(),
        Some("authorization_code")
    );
    assert_eq!(asked.value("code").as_deref(), Some("code-1"));
    assert_eq!(asked.value("redirect_uri").as_deref(), Some(CALLBACK));
    assert!(asked.value("code_verifier").is_some());
    assert_eq!(asked.value("client_secret"), None);
    assert_eq!(asked.header("accept"), "application/json");
    // base64 of `our-client:s3cret+of+ours`
    assert_eq!(
        asked.header("authorization"),
        "Basic b3VyLWNsaWVudDpzM2NyZXQrb2Yrb3Vycw=="
    );
    assert_eq!(
        world.last("/userinfo").header("authorization"),
        "Bearer at-1"
    );
}

#[tokio::test]
async fn tokens_are_kept_as_they_are_and_shown_to_nobody() {
    let world = World::start().await;
    world.tokens(&json!({"refresh_token": "rt-1", "refresh_expires_in": "60", "scope": "a"}));
    let login = world.redeem(world.oauth2()).await.unwrap();
    let kept = json::to_vec(&login.tokens).unwrap();
    let read: TokenSet = json::from_own(&kept).unwrap();
    assert_eq!(json::to_vec(&read).unwrap(), kept);
    assert_eq!(
        read.refresh_expires_at,
        Some(Timestamp::from_secs(NOW + 60))
    );
    assert_eq!(read.id_token.map(|_| ()), None);
    let shown = format!("{login:?}");
    for secret in ["at-1", "rt-1", "Alice", SECRET] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn nothing_says_who_the_user_is() {
    let world = World::start().await;
    let upstream = world.oauth2();
    world.on("/userinfo", Answer::json(&json!({"name": "Alice"})));
    let refused = redeem(&world.client(upstream)).await;
    assert!(
        matches!(&refused, Err(UpstreamError::Nobody(claim)) if claim == "sub"),
        "{refused:?}"
    );
    let _: Option<Evidence> = None;
}
