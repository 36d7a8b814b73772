//! The ID token of a login: every rule of OpenID Connect Core section 3.1.3.7, through the flow.

use std::time::Duration;

use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::sign::JwtBuilder;
use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{SecretBytes, scopes};

use super::super::{Login, UpstreamError};
use super::world::{Answer, CLIENT, World, redeem};

/// What `change` makes of a login that would have been good.
async fn login(change: impl FnOnce(JwtBuilder) -> JwtBuilder) -> Result<Login, UpstreamError> {
    let world = World::start().await;
    let upstream = world.oidc();
    world.tokens(&json!({"id_token": world.sign(change(world.id_token()))}));
    world.redeem(upstream).await
}

#[tokio::test]
async fn an_id_token_says_who_signed_in() {
    let evidence = login(|token| token).await.unwrap().evidence.unwrap();
    assert_eq!(evidence.subject.as_str(), "alice");
    assert_eq!(evidence.id_token["name"], "Alice");
    assert!(evidence.profile.is_empty());
}

#[tokio::test]
async fn sec_px_01_an_id_token_that_breaks_a_rule_logs_nobody_in() {
    type Claim = (&'static str, Value);
    let broken: [Claim; 12] = [
        ("iss", json!("https://evil.example")),
        ("aud", json!("another-client")),
        ("aud", json!([CLIENT, "another-client"])),
        ("azp", json!("another-client")),
        ("nonce", json!("another-login")),
        ("nonce", Value::Null),
        ("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
        ("exp", json!(1_799_999_970)),
        ("iat", json!(1_800_000_031)),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("events", json!({})),
    ];
    for (name, value) in broken {
        let refused = login(|token| token.claim(name, value.clone())).await;
        let error = refused.expect_err(name);
        assert_eq!(error.reason(), "upstream_invalid", "{name} {value}");
    }
    assert_eq!(
        login(|token| token.typ("at+jwt"))
            .await
            .unwrap_err()
            .reason(),
        "upstream_invalid"
    );
}

#[tokio::test]
async fn sec_px_01_a_provider_with_keys_sends_an_id_token() {
    let world = World::start().await;
    let upstream = world.oidc().userinfo_endpoint(world.url("/userinfo"));
    world.on("/userinfo", Answer::json(&json!({"sub": "alice"})));
    world.tokens(&json!({}));
    let error = world.redeem(upstream).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_invalid");
}

#[tokio::test]
async fn sec_jwt_02_a_shared_secret_signs_no_id_token() {
    let world = World::start().await;
    let upstream = world.oidc();
    let key = SigningKey::hmac(SecretBytes::new([7; 32])).unwrap();
    world.tokens(&json!({"id_token": world.id_token().sign(&key).unwrap()}));
    let error = world.redeem(upstream).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_invalid");
    assert!(world.asked("/jwks").len() <= 1, "garbage makes no requests");
}

#[tokio::test]
async fn a_key_that_is_new_is_looked_for_once() {
    let world = World::start().await;
    let upstream = world.oidc();
    let client = world.client(upstream);
    redeem(&client).await.unwrap();

    let newer = SigningKey::ed25519_from_seed(&[8; 32]).unwrap();
    world.tokens(&json!({"id_token": world.id_token().sign(&newer).unwrap()}));
    let error = redeem(&client).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_invalid");
    assert_eq!(world.asked("/jwks").len(), 2, "the key is looked for");
    world.publish(&newer);
    assert!(redeem(&client).await.is_err());
    assert_eq!(world.asked("/jwks").len(), 2, "and not again at once");
    world.clock.advance(Duration::from_secs(31));
    redeem(&client).await.unwrap();
    assert_eq!(world.asked("/jwks").len(), 3);
}

#[tokio::test]
async fn keys_out_of_reach_are_no_wrong_signature() {
    let world = World::start().await;
    let upstream = world.oidc();
    world.on("/jwks", Answer::of("text/plain", "").status(503));
    let error = world.redeem(upstream).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_unavailable");
}

#[tokio::test]
async fn without_keys_the_connection_vouches_for_the_token() {
    let world = World::start().await;
    let upstream = || {
        let upstream = super::super::Upstream::oauth2(world.url("/authorize"), world.url("/token"));
        upstream.scopes(scopes!["openid", "profile"])
    };
    let answer = |token: JwtBuilder| world.tokens(&json!({"id_token": world.sign(token)}));
    answer(world.id_token());
    let evidence = world.redeem(upstream()).await.unwrap().evidence.unwrap();
    assert_eq!(evidence.subject.as_str(), "alice");
    assert!(world.asked("/jwks").is_empty());
    for (name, value) in [("nonce", "another"), ("aud", "another"), ("azp", "another")] {
        answer(world.id_token().claim(name, value));
        assert!(world.redeem(upstream()).await.is_err(), "{name}");
    }
    answer(world.id_token().claim("iss", "https://evil.example"));
    let named = upstream().issuer(world.origin.as_str());
    assert!(world.redeem(named).await.is_err());
}

#[tokio::test]
async fn an_id_token_of_a_provider_that_speaks_none_is_not_kept() {
    let world = World::start().await;
    let upstream = world.oauth2();
    let forged = world.sign(world.id_token().subject("mallory").claim("groups", "admin"));
    world.tokens(&json!({"id_token": forged}));
    let login = world.redeem(upstream).await.unwrap();
    let evidence = login.evidence.unwrap();
    assert_eq!(evidence.subject.as_str(), "alice");
    assert!(evidence.id_token.is_empty() && login.tokens.id_token.is_none());
}
