//! One key after the other.

use super::*;

#[tokio::test]
async fn the_first_start_makes_a_key_and_the_next_one_finds_it() {
    let world = World::new();
    let (first, second) = (world.keyring().await, world.keyring().await);
    assert_eq!(ids(&first).await, ids(&second).await);
    assert_eq!(first.keys().await.unwrap()[0].algorithm, "ES256");
    let token = sign(&first).await;
    let token = present(&verifier(&second), &token).await.unwrap();
    assert_eq!((token.subject(), token.client_id()), ("alice", Some("cli")));
    assert_eq!(token.scopes(), &scopes!["notes:read"]);
    assert_eq!(token.jwt_id(), Some("grant.token"));
    assert_eq!(token.claim::<i64>("auth_time"), Some(NOW));
}

#[tokio::test]
async fn sec_key_15_the_key_set_has_public_parts_alone() {
    let world = World::new();
    for algorithm in [KeyAlgorithm::Es256, KeyAlgorithm::EdDsa] {
        let settings = world.settings().algorithm(algorithm);
        let world = World::new();
        let records = world.records().await;
        let keyring = Keyring::open(&records, settings).await.unwrap();
        keyring.rotate(Rotation::Overlap).await.unwrap();
        let published = keyring.jwks().unwrap();
        let document: Value =
            portcullis_oauth::json::value(&published.json, portcullis_oauth::json::Limits::JOSE)
                .unwrap();
        let keys = document["keys"].as_array().unwrap();
        assert_eq!((keys.len(), published.set.len()), (2, 2));
        for key in keys {
            let public = ["alg", "crv", "kid", "kty", "use", "x", "y"];
            let members = key.as_object().unwrap().keys();
            assert!(
                members.clone().all(|name| public.contains(&name.as_str())),
                "{key}"
            );
            let read = portcullis_oauth::jose::jwk::Jwk::from_value(key).unwrap();
            assert_eq!(key["kid"], read.thumbprint(), "RFC 7638");
        }
    }
}

#[tokio::test]
async fn sec_key_15_a_full_rotation_fails_no_request_and_ends_the_old_key() {
    let world = World::new();
    let (signs, checks) = (world.keyring().await, world.keyring().await);
    let verifier = verifier(&checks);
    let old = ids(&signs).await[0].clone();
    let stolen = signs.inner.seen().signing.clone();
    let next = signs.rotate(Rotation::Overlap).await.unwrap();
    let mut tokens: Vec<BearerToken> = Vec::new();
    let mut switched_at = None;
    // One token a minute, and all that are still good are presented each time.
    for minute in 0..120_u64 {
        let token = sign(&signs).await;
        if switched_at.is_none() && token.expose().contains('.') && kid(&token) == next.id {
            switched_at = Some(minute);
        }
        tokens.push(token);
        tokens.retain(|token| {
            let claims = claims(token);
            claims["exp"].as_i64().unwrap() > world.now().as_secs()
        });
        for token in &tokens {
            let outcome = present(&verifier, token).await;
            assert!(outcome.is_ok(), "minute {minute}: {outcome:?}");
        }
        world.clock.advance(Duration::from_secs(60));
        signs.tick().await.unwrap();
        checks.tick().await.unwrap();
    }
    assert_eq!(
        switched_at,
        Some(15),
        "the new key signs when everybody knows it"
    );
    assert_eq!(ids(&signs).await, [next.id]);
    assert!(!ids(&checks).await.contains(&old));
    let forged = forge(&stolen, &world);
    assert_eq!(
        rejection(present(&verifier, &forged).await),
        Rejection::UnknownKey
    );
}

#[tokio::test]
async fn sec_key_16_a_revoked_key_takes_every_token_along() {
    let world = World::new();
    let keyring = world.keyring().await;
    let verifier = verifier(&keyring);
    let before = sign(&keyring).await;
    present(&verifier, &before).await.unwrap();
    let key = keyring.rotate(Rotation::Revoke).await.unwrap();
    assert_eq!(key.state, KeyState::Active);
    assert_eq!(
        rejection(present(&verifier, &before).await),
        Rejection::UnknownKey
    );
    let after = sign(&keyring).await;
    assert_eq!(kid(&after), key.id);
    present(&verifier, &after).await.unwrap();
    assert_eq!(ids(&keyring).await, [key.id]);
}

/// A token that whoever has the key makes for himself.
fn forge(key: &view::Held, world: &World) -> BearerToken {
    let token = portcullis_oauth::jose::sign::JwtBuilder::access_token(issuer().as_str())
        .kid(&key.id)
        .subject("mallory")
        .audience(RESOURCE)
        .valid(world.now(), HOUR);
    BearerToken::new(token.sign(&key.key).unwrap())
}
