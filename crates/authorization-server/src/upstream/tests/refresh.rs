//! Tokens become newer ones, or end, and no refresh token is lost on the way.

use std::time::Duration;

use portcullis_oauth::json::{Value, json};
use portcullis_oauth::{SecretString, Subject, Timestamp, scopes};

use super::super::{Login, TokenSet, Upstream, UpstreamClient, UpstreamError};
use super::world::{Answer, NOW, World};

fn alice() -> Subject {
    Subject::parse("alice").unwrap()
}

fn old() -> TokenSet {
    TokenSet {
        access_token: SecretString::from("at-0"),
        refresh_token: Some(SecretString::from("rt-0")),
        id_token: None,
        scope: Some(scopes!["read"]),
        expires_at: Some(Timestamp::from_secs(NOW)),
        refresh_expires_at: Some(Timestamp::from_secs(NOW + 500)),
        obtained_at: Timestamp::from_secs(NOW - 3600),
    }
}

async fn refresh(world: &World, upstream: Upstream) -> Result<Login, UpstreamError> {
    world.client(upstream).refresh(&old(), &alice()).await
}

fn refresh_token(login: &Login) -> &str {
    login.tokens.refresh_token.as_ref().unwrap().expose()
}

#[tokio::test]
async fn what_an_answer_leaves_out_stays() {
    let world = World::start().await;
    let login = refresh(&world, world.oauth2()).await.unwrap();
    assert_eq!(login.tokens.access_token.expose(), "at-1");
    assert_eq!(refresh_token(&login), "rt-0");
    assert_eq!(login.tokens.scope, Some(scopes!["read"]));
    assert_eq!(login.tokens.refresh_expires_at, old().refresh_expires_at);
    assert!(login.evidence.is_none(), "nothing new is said of the user");
    let asked = world.last("/token");
    assert_eq!(asked.value("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(asked.value("refresh_token").as_deref(), Some("rt-0"));
    assert_eq!(asked.value("scope"), None);
    assert!(world.asked("/userinfo").is_empty());
}

#[tokio::test]
async fn what_an_answer_has_is_new() {
    let world = World::start().await;
    let upstream = world
        .oauth2()
        .scope_at_refresh(true)
        .token_param("audience", "api");
    world.tokens(&json!({"refresh_token": "rt-1", "scope": "write", "expires_in": 60}));
    let login = refresh(&world, upstream).await.unwrap();
    assert_eq!(refresh_token(&login), "rt-1");
    assert_eq!(login.tokens.scope, Some(scopes!["write"]));
    assert_eq!(
        login.tokens.expires_at,
        Some(Timestamp::from_secs(NOW + 60))
    );
    assert_eq!(
        login.tokens.refresh_expires_at, None,
        "the end was the old one's"
    );
    let asked = world.last("/token");
    assert_eq!(asked.value("scope").as_deref(), Some("read"));
    assert_eq!(asked.value("audience").as_deref(), Some("api"));
}

#[tokio::test]
async fn sec_px_17_only_words_that_mean_it_end_a_grant() {
    let world = World::start().await;
    let upstream = world.oauth2();
    for (answer, expected) in [
        (
            Answer::json(&json!({"error": "invalid_grant"})).status(400),
            "upstream_ended",
        ),
        (
            Answer::json(&json!({"error": "bad_refresh_token"})),
            "upstream_ended",
        ),
        (
            Answer::json(&json!({"error": "invalid_client"})).status(401),
            "upstream_refuses_us",
        ),
        (
            Answer::json(&json!({"error": "JwtToken"})).status(401),
            "upstream_refuses_us",
        ),
        (
            Answer::of("text/html", "").status(401),
            "upstream_refuses_us",
        ),
        (
            Answer::of("text/html", "").status(500),
            "upstream_unavailable",
        ),
        (
            Answer::json(&json!({"error": "invalid_grant"})).status(503),
            "upstream_unavailable",
        ),
        (
            Answer::json(&json!({"error": "slow_down"})).status(400),
            "upstream_unavailable",
        ),
    ] {
        let shown = format!("{answer:?}");
        world.on("/token", answer);
        let error = refresh(&world, upstream.clone()).await.unwrap_err();
        assert_eq!(error.reason(), expected, "{shown}");
    }
}

#[tokio::test]
async fn without_a_refresh_token_there_is_nothing_to_ask() {
    let world = World::start().await;
    let client = world.client(world.oauth2());
    let mut tokens = old();
    tokens.refresh_token = None;
    let error = client.refresh(&tokens, &alice()).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_invalid");
    assert!(world.asked("/token").is_empty());
}

/// A login, and the client to refresh it with.
async fn logged_in(world: &World) -> (UpstreamClient, TokenSet) {
    let upstream = world.oidc();
    let id_token = world.sign(world.id_token());
    world.tokens(&json!({"refresh_token": "rt-0", "id_token": id_token}));
    let client = world.client(upstream);
    let login = super::world::redeem(&client).await.unwrap();
    (client, login.tokens)
}

#[tokio::test]
async fn an_id_token_of_a_refresh_says_what_is_new() {
    let world = World::start().await;
    let (client, tokens) = logged_in(&world).await;
    let newer = world.sign(world.id_token().claim("groups", json!(["staff"])));
    world.tokens(&json!({"id_token": newer}));
    let login = client.refresh(&tokens, &alice()).await.unwrap();
    assert_eq!(login.evidence.unwrap().id_token["groups"], json!(["staff"]));
    assert_eq!(login.tokens.id_token.unwrap().expose(), newer);

    world.tokens(&json!({}));
    let login = client.refresh(&tokens, &alice()).await.unwrap();
    let kept = login.tokens.id_token.unwrap();
    assert_eq!(kept.expose(), tokens.id_token.unwrap().expose());
}

#[tokio::test]
async fn sec_px_09_a_refresh_keeps_its_user() {
    let world = World::start().await;
    let (client, tokens) = logged_in(&world).await;
    for (name, value) in [("sub", "bob"), ("nonce", "another-login")] {
        let token = world.sign(world.id_token().claim(name, json!(value)));
        world.tokens(&json!({"id_token": token}));
        let error = client.refresh(&tokens, &alice()).await.unwrap_err();
        assert_eq!(error.reason(), "upstream_ended", "{name}");
    }
}

#[tokio::test]
async fn sec_rt_13_an_id_token_that_is_not_believed_loses_no_refresh_token() {
    let world = World::start().await;
    let (client, tokens) = logged_in(&world).await;
    for (name, value) in [
        ("aud", json!("another-client")),
        ("iss", json!("https://evil.example")),
        ("exp", json!(NOW - 30)),
    ] {
        let token = world.sign(world.id_token().claim(name, value));
        world.tokens(&json!({"access_token": "at-9", "refresh_token": "rt-9", "id_token": token}));
        let login = client.refresh(&tokens, &alice()).await.unwrap();
        assert_eq!(refresh_token(&login), "rt-9", "{name}");
        let doubt = login.doubt.map(|error| error.reason());
        assert_eq!(doubt, Some("upstream_invalid"), "{name}");
        // Nothing else of it counts.
        assert_ne!(login.tokens.access_token.expose(), "at-9", "{name}");
        assert!(login.evidence.is_none(), "{name}");
    }
}

#[tokio::test]
async fn an_outage_of_the_keys_loses_no_refresh_token() {
    let world = World::start().await;
    let (client, tokens) = logged_in(&world).await;
    world.clock.advance(Duration::from_secs(25 * 3600));
    world.on("/jwks", Answer::of("text/plain", "").status(503));
    let newer = world.id_token().valid(
        Timestamp::from_secs(NOW + 25 * 3600),
        Duration::from_secs(300),
    );
    world.tokens(&json!({"refresh_token": "rt-1", "id_token": world.sign(newer)}));
    let login = client.refresh(&tokens, &alice()).await.unwrap();
    assert_eq!(refresh_token(&login), "rt-1");
    assert_eq!(
        login.tokens.id_token.unwrap().expose(),
        tokens.id_token.unwrap().expose()
    );
    assert!(login.evidence.is_none());
}

#[tokio::test]
async fn an_access_token_that_is_a_jwt_says_something_too() {
    let world = World::start().await;
    let upstream = world.oauth2().claim_alias("groups", "cognito:groups");
    let token = world.sign(world.id_token().claim("cognito:groups", json!(["staff"])));
    world.tokens(&json!({"access_token": token}));
    let login = refresh(&world, upstream).await.unwrap();
    let claims = login.evidence.unwrap().access_token;
    assert_eq!(claims["groups"], json!(["staff"]));
    let none: Option<&Value> = claims.get("nothing");
    assert_eq!(none, None);
}
