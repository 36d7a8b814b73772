use std::sync::Arc;
use std::time::Duration;

use portcullis_fetch::{Accept, Fetcher};
use portcullis_oauth::crypto::{base64url, sign::SigningKey};
use portcullis_oauth::jose::{Algorithm, compact::CompactJws, jwks::JwkSet};
use portcullis_oauth::json::{self, Value, json};
use portcullis_oauth::{Clock, Timestamp};
use portcullis_testkit::{FakeIdp, MockClock};

/// Header and claims.
fn parts(token: &str) -> [Value; 2] {
    let mut parts = token.split('.').take(2).map(|part| {
        let bytes = base64url::decode_strict(part).unwrap();
        json::value(&bytes, json::Limits::JOSE).unwrap()
    });
    [parts.next().unwrap(), parts.next().unwrap()]
}

#[tokio::test]
async fn a_plain_token_is_an_access_token_of_the_provider() {
    let clock = Arc::new(MockClock::at(1_800_000_000));
    let idp = FakeIdp::start_at(clock.clone()).await;
    let [header, claims] = parts(&idp.token().sign());
    assert_eq!(
        header,
        json!({ "alg": "ES256", "kid": "key-1", "typ": "at+jwt" })
    );
    assert_eq!(
        claims,
        json!({
            "iss": idp.issuer().as_str(),
            "sub": "user",
            "client_id": "client",
            "jti": "token-1",
            "iat": 1_800_000_000,
            "exp": 1_800_000_300,
        })
    );
    clock.advance(Duration::from_secs(10));
    let [_, claims] = parts(&idp.token().sign());
    assert_eq!(claims["iat"], clock.now().as_secs());
    assert_eq!(claims["jti"], "token-2");
}

#[tokio::test]
async fn every_part_can_be_changed_or_left_out() {
    let idp = FakeIdp::start().await;
    let token = idp
        .token()
        .issuer("https://other.example")
        .subject("alice")
        .client_id("c")
        .audience(vec!["a", "b"])
        .scope("x y")
        .issued_at(Timestamp::from_secs(1))
        .not_before(Timestamp::from_secs(2))
        .expires_at(Timestamp::from_secs(3))
        .claim("role", "admin")
        .without("jti")
        .typ("JWT")
        .header("crit", json!(["x"]))
        .without_header("kid")
        .sign();
    let [header, claims] = parts(&token);
    assert_eq!(
        header,
        json!({ "alg": "ES256", "typ": "JWT", "crit": ["x"] })
    );
    assert_eq!(
        claims,
        json!({
            "iss": "https://other.example",
            "sub": "alice",
            "client_id": "c",
            "aud": ["a", "b"],
            "scope": "x y",
            "iat": 1,
            "nbf": 2,
            "exp": 3,
            "role": "admin",
        })
    );
}

#[tokio::test]
async fn the_signing_key_follows_the_algorithm() {
    let idp = FakeIdp::start().await;
    let edwards = idp.add_key(Algorithm::EdDsa);
    let newest = idp.rotate_key();
    let kid = |token: &str| parts(token)[0]["kid"].clone();
    assert_eq!(kid(&idp.token().sign()), newest);
    assert_eq!(kid(&idp.token().alg(Algorithm::EdDsa).sign()), edwards);

    let stranger = SigningKey::generate_ed25519().unwrap();
    let foreign = idp.token().signed_by(stranger, Algorithm::EdDsa);
    let [header, _] = parts(&foreign.clone().sign());
    assert_eq!(header, json!({ "alg": "EdDSA", "typ": "at+jwt" }));
    assert_eq!(kid(&foreign.header("kid", "key-1").sign()), "key-1");
}

#[tokio::test]
async fn what_the_provider_signs_its_key_verifies() {
    let idp = FakeIdp::start().await;
    idp.add_key(Algorithm::EdDsa);
    let fetcher = Fetcher::trusted().allow_loopback(true).build().unwrap();
    let answer = fetcher.get(&idp.jwks_url(), Accept::JwkSet).await.unwrap();
    let keys = JwkSet::parse(&answer.body).unwrap();
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let token = idp.token().alg(algorithm).sign();
        let jws = CompactJws::parse(&token).unwrap();
        let kid = parts(&token)[0]["kid"].as_str().map(ToOwned::to_owned);
        let key = keys.candidates(kid.as_deref(), algorithm).next().unwrap();
        assert!(jws.verify(key.key(), algorithm).is_ok());
    }
}
