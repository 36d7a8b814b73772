//! The settings of a JWT verifier: what is refused at start, and what each is good for.

use std::time::Duration;

use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::json;
use portcullis_oauth::{SecretString, scopes};
use portcullis_resource_server::{
    Algorithm, ConfigError, JwtVerifier, JwtVerifierBuilder, Rejection, TokenVerifier as _,
    TypProfile,
};
use portcullis_testkit::CapturedLogs;

use crate::world::{RESOURCE, World, cached, hs256, present, rejection};

const ISSUER: &str = "https://auth.example.com";
const SECRET: &str = "kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2u";

#[tokio::test]
async fn sec_jwt_14_any_audience_is_dangerous_and_logged() {
    let world = World::new().await;
    let logs = CapturedLogs::start();
    world.verifier();
    assert!(logs.security_events().is_empty());
    for start in 1..=2 {
        let verifier = world
            .builder()
            .dangerous()
            .accept_any_audience()
            .build()
            .unwrap();
        let warnings = logs.security_events();
        assert_eq!(warnings.len(), start);
        assert!(
            warnings
                .iter()
                .all(|line| line.contains("WARN")
                    && line.contains("setting=\"accept_any_audience\""))
        );
        drop(verifier);
    }
    let verifier = world
        .builder()
        .dangerous()
        .accept_any_audience()
        .build()
        .unwrap();
    present(
        &verifier,
        &world.idp.token().audience("https://other.example").sign(),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn public_keys_come_from_the_configuration_too() {
    let world = World::new().await;
    for key in [
        SigningKey::generate_es256().unwrap(),
        SigningKey::generate_ed25519().unwrap(),
        SigningKey::generate_rsa2048().unwrap(),
    ] {
        let algorithm = key.default_algorithm();
        let jwk = json::to_string(&key.public_jwk(Some("ours")).unwrap()).unwrap();
        let by_pem = world
            .builder()
            .public_key_pem(key.public_pem().unwrap())
            .build()
            .unwrap();
        let by_jwk = world.builder().public_key_jwk(jwk).build().unwrap();
        let token = world
            .idp
            .token()
            .audience(RESOURCE)
            .signed_by(key, algorithm);
        for verifier in [&by_pem, &by_jwk] {
            let plain = token.clone().sign();
            present(verifier, &plain).await.unwrap();
            assert!(cached(verifier, &plain).is_some());
            let foreign = world.token();
            rejection(present(verifier, &foreign).await);
        }
        present(&by_pem, &token.clone().header("kid", "any").sign())
            .await
            .unwrap();
        let other = present(&by_jwk, &token.header("kid", "theirs").sign()).await;
        assert_eq!(rejection(other), Rejection::UnknownKey);
    }
    assert_eq!(world.idp.hits("/jwks"), 0);
}

#[tokio::test]
async fn a_shared_secret_verifies_its_own_tokens_alone() {
    let world = World::new().await;
    let verifier = world.builder().hmac_secret(SECRET.into()).build().unwrap();
    present(&verifier, &hs256(&world, SECRET.as_bytes()))
        .await
        .unwrap();
    let other = hs256(&world, b"another secret that has 32 bytes");
    assert_eq!(
        rejection(present(&verifier, &other).await),
        Rejection::BadSignature
    );
    assert_eq!(
        rejection(present(&verifier, &world.token()).await),
        Rejection::WrongAlgorithm
    );
    assert!(!format!("{:?}", world.builder().hmac_secret(SECRET.into())).contains(SECRET));
}

#[test]
fn sec_key_17_weak_hmac_secrets_are_refused() {
    for secret in [
        "hunter2",
        "short-but-random-9f86d081884c7d",
        "secretsecretsecretsecretsecretsecret",
        "your-256-bit-secret-your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
        "super-secret-jwt-token-with-at-least-32-characters-long",
    ] {
        let error = fault(JwtVerifier::builder(ISSUER).hmac_secret(secret.into()));
        assert_eq!(error.field(), "hmac_secret", "{secret}");
        assert!(error.hint().is_some());
        assert!(!error.to_string().contains(secret));
    }
}

#[test]
fn sec_jwt_02_hmac_needs_a_secret_and_nothing_else() {
    let pem = SigningKey::generate_es256().unwrap().public_pem().unwrap();
    let secret = || SecretString::from(SECRET);
    let builder = || JwtVerifier::builder(ISSUER);
    for (builder, field) in [
        (builder().algorithms([Algorithm::Hs256]), "algorithms"),
        (
            builder()
                .jwks_uri("https://x.example/k")
                .algorithms([Algorithm::Hs256]),
            "algorithms",
        ),
        (
            builder()
                .public_key_pem(&pem)
                .algorithms([Algorithm::Hs256]),
            "algorithms",
        ),
        (
            builder().algorithms([Algorithm::Hs256, Algorithm::Rs256]),
            "algorithms",
        ),
        (
            builder()
                .hmac_secret(secret())
                .algorithms([Algorithm::Rs256]),
            "algorithms",
        ),
        (
            builder()
                .hmac_secret(secret())
                .algorithms([Algorithm::Hs512]),
            "algorithms",
        ),
        (
            builder().hmac_secret(secret()).public_key_pem(&pem),
            "hmac_secret",
        ),
        (
            builder().public_key_pem(&pem).hmac_secret(secret()),
            "hmac_secret",
        ),
        (
            builder().hmac_secret(SecretString::from(pem.as_str())),
            "hmac_secret",
        ),
    ] {
        assert_eq!(fault(builder).field(), field);
    }
}

#[test]
fn every_wrong_setting_names_its_field() {
    let builder = || JwtVerifier::builder(ISSUER);
    let pem = SigningKey::generate_es256().unwrap().public_pem().unwrap();
    let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (builder, field) in [
        (JwtVerifier::builder(""), "issuer"),
        (JwtVerifier::builder("http://auth.example.com"), "issuer"),
        (JwtVerifier::builder("https://auth.example.com?x"), "issuer"),
        (JwtVerifier::for_issuers(Vec::<String>::new()), "issuer"),
        (builder().issuer(""), "issuer"),
        (
            builder().jwks_uri("http://auth.example.com/keys"),
            "jwks_uri",
        ),
        (builder().jwks_uri("keys"), "jwks_uri"),
        (
            builder()
                .jwks_uri("https://a.example/k")
                .public_key_pem(&pem),
            "jwks_uri",
        ),
        (builder().public_key_pem("no pem"), "public_key_pem"),
        (builder().public_key_pem(private), "public_key_pem"),
        (builder().public_key_jwk("{}"), "public_key_jwk"),
        (
            builder().public_key_jwk(r#"{"kty":"oct","k":"AAAA"}"#),
            "public_key_jwk",
        ),
        (builder().algorithms([]), "algorithms"),
        (
            builder()
                .public_key_pem(&pem)
                .algorithms([Algorithm::Rs256]),
            "algorithms",
        ),
        (builder().audience(""), "audience"),
        (builder().leeway(Duration::from_secs(301)), "leeway"),
        (builder().max_lifetime(Duration::ZERO), "max_lifetime"),
        (
            builder().max_key_age(Duration::from_secs(59)),
            "max_key_age",
        ),
        (
            builder().max_key_outage(Duration::from_secs(60)),
            "max_key_outage",
        ),
    ] {
        assert_eq!(fault(builder).field(), field);
    }
}

#[test]
fn an_issuer_is_named_once() {
    let error = fault(
        JwtVerifier::builder(ISSUER)
            .issuer("https://b.example")
            .issuer(ISSUER),
    );
    assert_eq!(
        error.to_string(),
        "`issuer`: `https://auth.example.com` is named twice"
    );
}

#[test]
fn keys_are_not_given_for_several_issuers_at_once() {
    let both = JwtVerifier::for_issuers(["https://a.example", "https://b.example"]);
    assert_eq!(
        fault(both.clone().jwks_uri("https://k.example/")).field(),
        "jwks_uri"
    );
    // Settings that issuers can share are for all that were named together.
    let error = fault(both.algorithms([Algorithm::Hs256]));
    assert_eq!(error.field(), "algorithms");
}

#[tokio::test]
async fn an_issuers_settings_are_for_it_alone() {
    let (a, b) = (World::new().await, World::new().await);
    let verifier = a
        .builder()
        .issuer(b.idp.issuer().as_str())
        .typ_profile(TypProfile::Legacy)
        .scope_claims(["scp"])
        .build()
        .unwrap();
    let legacy = |world: &World| {
        world
            .idp
            .token()
            .typ("JWT")
            .audience(RESOURCE)
            .claim("scp", "x")
            .sign()
    };
    assert_eq!(
        rejection(present(&verifier, &legacy(&a)).await),
        Rejection::WrongType
    );
    let token = present(&verifier, &legacy(&b)).await.unwrap();
    assert_eq!(token.scopes(), &scopes!["x"]);
    assert_eq!(
        verifier.issuers(),
        [a.idp.issuer().clone(), b.idp.issuer().clone()]
    );
}

#[tokio::test]
async fn nothing_is_remembered_without_a_capacity() {
    let world = World::new().await;
    let verifier = world.builder().cache_capacity(0).build().unwrap();
    let token = world.token();
    present(&verifier, &token).await.unwrap();
    assert!(cached(&verifier, &token).is_none());
}

#[track_caller]
fn fault(builder: JwtVerifierBuilder) -> ConfigError {
    builder.build().expect_err("the settings are wrong")
}
