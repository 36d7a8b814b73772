//! What is signed.

use portcullis_oauth::jose::compact::CompactJws;
use portcullis_oauth::json::json;
use portcullis_resource_server::{Caller, TokenParts};

use super::*;
use crate::Unsigned;

#[tokio::test]
async fn sec_key_15_no_token_outlives_its_key() {
    let world = World::new();
    let keyring = world.keyring().await;
    let life = HOUR + Duration::from_secs(1);
    let refused = try_sign(&keyring, life, &Map::new()).await.unwrap_err();
    assert!(matches!(
        refused,
        KeyringError::Claims(Unsigned::TooLongLived)
    ));
    // Who configures longer tokens keeps the key for as long.
    let settings = world.settings().access_token_lifetime(HOUR * 5);
    let longer = Keyring::open(&world.records().await, settings)
        .await
        .unwrap();
    longer.rotate(Rotation::Overlap).await.unwrap();
    world.clock.advance(Duration::from_secs(900));
    let until = Some(
        world
            .now()
            .saturating_add(HOUR * 5 + Duration::from_secs(300)),
    );
    assert_eq!(
        longer.keys().await.unwrap()[0].state,
        KeyState::Retired { until }
    );
}

#[tokio::test]
async fn sec_jwt_20_a_token_of_ours_ends_when_it_says_give_or_take_five_seconds() {
    let world = World::new();
    let keyring = world.keyring().await;
    let (known, token) = (verifier(&keyring), sign(&keyring).await);
    let unknown = verifier(&keyring);
    present(&known, &token).await.unwrap();
    world.clock.advance(HOUR + Duration::from_secs(4));
    for verifier in [&known, &unknown] {
        present(verifier, &token).await.unwrap();
    }
    world.clock.advance(Duration::from_secs(1));
    for verifier in [known, unknown, verifier(&keyring)] {
        let refused = present(&verifier, &token).await;
        assert_eq!(rejection(refused), Rejection::Expired);
    }
}

#[tokio::test]
async fn a_claim_of_the_user_replaces_none_of_ours() {
    let world = World::new();
    let keyring = world.keyring().await;
    let Value::Object(extra) = json!({
        "iss": "https://evil.example", "sub": "mallory", "aud": "https://evil.example",
        "exp": 9_999_999_999_i64, "nbf": 0, "iat": 0, "jti": "x", "client_id": "evil", "azp": "evil",
        "scope": "admin", "scp": ["admin"], "auth_time": 0, "cnf": {"jkt": "x"}, "act": {"sub": "x"},
        "nonce": "n", "typ": "Bearer", "token_use": "access", "role": "editor", "groups": ["a", "b"],
    }) else {
        unreachable!()
    };
    let token = sign_with(&keyring, HOUR, &extra).await;
    let claims = claims(&token);
    let mut names: Vec<&str> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "aud",
            "auth_time",
            "client_id",
            "exp",
            "groups",
            "iat",
            "iss",
            "jti",
            "role",
            "scope",
            "sub"
        ]
    );
    assert_eq!(claims["sub"], "alice");
    assert_eq!(claims["iss"], "https://mcp.example.com");
    assert_eq!(claims["scope"], "notes:read");
    assert_eq!(claims["auth_time"], NOW);
    let token = present(&verifier(&keyring), &token).await.unwrap();
    assert_eq!(token.claim::<&str>("role"), Some("editor"));
}

#[tokio::test]
async fn a_token_is_an_access_token_of_rfc_9068_and_fits_a_header() {
    let world = World::new();
    let keyring = world.keyring().await;
    let token = sign(&keyring).await;
    let header = part(&token, 0);
    let id = &ids(&keyring).await[0];
    assert_eq!(header, json!({"alg": "ES256", "kid": id, "typ": "at+jwt"}));
    assert_eq!(claims(&token)["aud"], RESOURCE, "one text");
    let Value::Object(long) = json!({"about": "x".repeat(7000)}) else {
        unreachable!()
    };
    let refused = try_sign(&keyring, HOUR, &long).await.unwrap_err();
    assert!(matches!(refused, KeyringError::Claims(Unsigned::TooLong)));
}

#[tokio::test]
async fn a_statement_on_a_caller_says_who_and_for_whom() {
    let world = World::new();
    let keyring = world.keyring().await;
    let signer = keyring.identity_signer(issuer());
    let caller = AccessToken::assert_verified(
        TokenParts::new("https://idp.example", "alice")
            .client_id("cli")
            .scopes(scopes!["read", "write"]),
    );
    let caller = Caller::new(&caller, &["admin", "ops"], "https://files.internal/mcp");
    let statement = signer.sign(&caller).unwrap();
    assert_eq!(statement.lifetime, Duration::from_secs(60));
    let jwt = BearerToken::new(statement.jwt.expose());
    let header = part(&jwt, 0);
    assert_eq!(header["typ"], "portcullis-identity+jwt");
    assert_eq!(header["kid"], ids(&keyring).await[0]);
    let mut said = claims(&jwt);
    let id = said.as_object_mut().unwrap().remove("jti").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 22);
    assert_eq!(
        said,
        json!({
            "iss": "https://mcp.example.com", "aud": "https://files.internal/mcp", "sub": "alice",
            "sub_id": {"format": "iss_sub", "iss": "https://idp.example", "sub": "alice"},
            "client_id": "cli", "scope": "read write", "roles": ["admin", "ops"],
            "iat": NOW, "exp": NOW + 60,
        })
    );
    let another = signer.sign(&caller).unwrap();
    assert_ne!(
        another.jwt.expose(),
        jwt.expose(),
        "each has an id of its own"
    );
    let jws = CompactJws::parse(jwt.expose()).unwrap();
    let published = keyring.jwks().unwrap();
    let key = published.set.keys()[0].key();
    assert!(jws.verify(key, jws.header().algorithm()).is_ok());
}

#[tokio::test]
async fn sec_jwt_10_a_statement_on_a_caller_is_no_access_token() {
    let world = World::new();
    let keyring = world.keyring().await;
    let caller = AccessToken::assert_verified(TokenParts::new("https://idp.example", "alice"));
    let caller = Caller::new(&caller, &[], RESOURCE);
    let signed = keyring.identity_signer(issuer()).sign(&caller).unwrap();
    let presented = BearerToken::new(signed.jwt.expose());
    let refused = present(&verifier(&keyring), &presented).await;
    assert_eq!(rejection(refused), Rejection::WrongType);
}

#[tokio::test]
async fn sec_key_16_no_statement_is_signed_with_a_key_that_may_be_gone() {
    let world = World::new();
    let keyring = world.keyring().await;
    let signer = keyring.identity_signer(issuer());
    let caller = AccessToken::assert_verified(TokenParts::new("https://idp.example", "alice"));
    let caller = Caller::new(&caller, &[], RESOURCE);
    world.clock.advance(Duration::from_secs(59));
    assert!(signer.sign(&caller).is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert!(signer.sign(&caller).is_err());
    keyring.tick().await.unwrap();
    assert!(signer.sign(&caller).is_ok());
}
