//! What a JWT access token must be, seen from outside of the verifier.

use std::time::Duration;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::sign::sign_bytes;
use portcullis_oauth::json::{self, Value, json};
use portcullis_oauth::{SecretString, Timestamp, scopes};
use portcullis_resource_server::{
    Algorithm, AudienceMode, ConfigError, JwtVerifier, JwtVerifierBuilder, Rejection,
    TokenVerifier as _, TypProfile,
};
use portcullis_testkit::{CapturedLogs, FakeIdp, TokenBuilder};
use proptest::prelude::*;

use crate::world::{NOW, RESOURCE, World, cached, present, present_at, rejection};

const ISSUER: &str = "https://auth.example.com";
const SECRET: &str = "kN3v8Qz_1mWx7-TtLr5yBc0dFgHjPs2u";

#[tokio::test]
async fn a_good_token_says_who_and_what() {
    let world = World::new().await;
    let token = world
        .idp
        .token()
        .subject("alice")
        .audience(RESOURCE)
        .scope("notes:read mail");
    let token = present(&world.verifier(), &token.claim("role", "admin").sign())
        .await
        .unwrap();
    assert_eq!(token.subject(), "alice");
    assert_eq!(token.issuer(), world.idp.issuer().as_str());
    assert_eq!(token.client_id(), Some("client"));
    assert_eq!(token.scopes(), &scopes!["notes:read", "mail"]);
    assert_eq!(token.audience(), [RESOURCE]);
    assert_eq!(token.expires_at(), Some(Timestamp::from_secs(NOW + 300)));
    assert_eq!(token.claim::<String>("role").as_deref(), Some("admin"));
}

#[tokio::test]
async fn sec_jwt_02_a_public_key_is_no_shared_secret() {
    let world = World::new().await;
    let key = SigningKey::generate_rsa2048().unwrap();
    let pem = key.public_pem().unwrap();
    let jwk = json::to_string(&key.public_jwk(Some("k")).unwrap()).unwrap();
    let verifier = world.builder().public_key_pem(&pem).build().unwrap();
    for secret in [pem.as_str(), pem.trim_end(), jwk.as_str()] {
        let forged = hs256(&world, secret.as_bytes());
        assert_eq!(
            rejection(present(&verifier, &forged).await),
            Rejection::WrongAlgorithm
        );
        assert_eq!(
            rejection(present(&world.verifier(), &forged).await),
            Rejection::WrongAlgorithm
        );
    }
}

/// A token with an HMAC that no key type would agree to make.
fn hs256(world: &World, secret: &[u8]) -> String {
    let claims = json!({
        "iss": world.idp.issuer().as_str(), "sub": "mallory", "aud": RESOURCE,
        "exp": NOW + 60, "iat": NOW,
    });
    let header = base64url::encode(r#"{"alg":"HS256","typ":"at+jwt"}"#);
    let signed = format!(
        "{header}.{}",
        base64url::encode(json::to_vec(&claims).unwrap())
    );
    let tag = portcullis_oauth::crypto::hmac_sha256(secret, signed.as_bytes());
    format!("{signed}.{}", base64url::encode(tag))
}

#[tokio::test]
async fn sec_jwt_03_the_algorithm_is_not_the_tokens_choice() {
    let world = World::new().await;
    world.idp.add_key(Algorithm::Rs256);
    let verifier = world.verifier();
    let token = |algorithm| world.idp.token().audience(RESOURCE).alg(algorithm);
    present(&verifier, &token(Algorithm::Rs256).sign())
        .await
        .unwrap();
    for algorithm in [Algorithm::Ps256, Algorithm::Rs384, Algorithm::Rs512] {
        let outcome = present(&verifier, &token(algorithm).sign()).await;
        assert_eq!(rejection(outcome), Rejection::WrongAlgorithm, "{algorithm}");
    }
    for name in ["ES384", "EdDSA", "none", "HS256"] {
        let lying = token(Algorithm::Rs256).header("alg", name).sign();
        let outcome = present(&verifier, &lying).await;
        assert_eq!(rejection(outcome), Rejection::WrongAlgorithm, "{name}");
    }
    assert_eq!(world.idp.hits("/jwks"), 1);
}

#[tokio::test]
async fn sec_jwt_08_keys_in_the_header_are_never_fetched() {
    let world = World::new().await;
    let trap = FakeIdp::start().await;
    let verifier = world.verifier();
    let url = trap.jwks_url();
    for name in ["jku", "x5u", "jwk", "x5c"] {
        let token = world
            .idp
            .token()
            .audience(RESOURCE)
            .header(name, url.as_str());
        assert_eq!(
            rejection(present(&verifier, &token.sign()).await),
            Rejection::Malformed
        );
    }
    assert_eq!(trap.hits("/jwks"), 0);
}

#[tokio::test]
async fn sec_jwt_10_other_types_are_refused_under_every_profile() {
    let world = World::new().await;
    let legacy = world
        .builder()
        .typ_profile(TypProfile::Legacy)
        .build()
        .unwrap();
    let strict = world.verifier();
    let typed = |typ: &str| {
        world
            .idp
            .token()
            .audience(RESOURCE)
            .scope("a")
            .typ(typ)
            .sign()
    };
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        present(&strict, &typed(typ)).await.unwrap();
        present(&legacy, &typed(typ)).await.unwrap();
    }
    assert_eq!(
        rejection(present(&strict, &typed("JWT")).await),
        Rejection::WrongType
    );
    present(&legacy, &typed("JWT")).await.unwrap();
    for typ in [
        "logout+jwt",
        "dpop+jwt",
        "oauth-id-jag+jwt",
        "secevent+jwt",
        "id_token",
    ] {
        assert_eq!(
            rejection(present(&strict, &typed(typ)).await),
            Rejection::WrongType
        );
        assert_eq!(
            rejection(present(&legacy, &typed(typ)).await),
            Rejection::WrongType
        );
    }
}

#[tokio::test]
async fn sec_jwt_11_an_id_token_is_no_access_token() {
    let world = World::new().await;
    let legacy = world.builder().typ_profile(TypProfile::Legacy);
    let verifier = legacy.clone().build().unwrap();
    let id_token = world.idp.token().typ("JWT").audience(RESOURCE).scope("a");
    for mark in ["nonce", "at_hash", "c_hash", "s_hash"] {
        let token = id_token.clone().claim(mark, "x").sign();
        assert_eq!(
            rejection(present(&verifier, &token).await),
            Rejection::WrongType,
            "{mark}"
        );
    }
    // With an audience of its own, an access token has to be marked.
    let foreign = legacy.audience("client").build().unwrap();
    let bare = world
        .idp
        .token()
        .typ("JWT")
        .audience("client")
        .without("client_id");
    let outcome = present(&foreign, &bare.clone().claim("auth_time", NOW).sign()).await;
    assert_eq!(rejection(outcome), Rejection::WrongType);
    present(&foreign, &bare.scope("a").sign()).await.unwrap();
}

#[tokio::test]
async fn sec_jwt_13_the_audience_is_the_resource_byte_for_byte() {
    let world = World::new().await;
    let verifier = world.verifier();
    let token = |audience: Value| world.idp.token().audience(audience).sign();
    for audience in [
        json!("https://other.example/mcp"),
        json!(["https://other.example/mcp"]),
        json!("https://mcp.example.com/mcp/"),
        json!("https://mcp.example.com"),
        json!("https://mcp.example.com/mcp2"),
        json!("https://mcp.example.com/mc"),
        json!("HTTPS://mcp.example.com/mcp"),
        json!(""),
    ] {
        let outcome = present(&verifier, &token(audience.clone())).await;
        assert_eq!(rejection(outcome), Rejection::WrongAudience, "{audience}");
    }
    for audience in [
        json!([]),
        json!({}),
        json!(7),
        json!(null),
        json!([RESOURCE, 7]),
    ] {
        let outcome = present(&verifier, &token(audience.clone())).await;
        assert_eq!(rejection(outcome), Rejection::BadClaims, "{audience}");
    }
    let without = world.idp.token().sign();
    assert_eq!(
        rejection(present(&verifier, &without).await),
        Rejection::WrongAudience
    );

    let shared = token(json!(["https://other.example", RESOURCE]));
    present(&verifier, &shared).await.unwrap();
    let exact = world
        .builder()
        .audience_mode(AudienceMode::Exact)
        .build()
        .unwrap();
    assert_eq!(
        rejection(present(&exact, &shared).await),
        Rejection::WrongAudience
    );
    present(&exact, &token(json!([RESOURCE]))).await.unwrap();
}

#[tokio::test]
async fn sec_jwt_13_a_verified_token_opens_no_other_resource() {
    let world = World::new().await;
    let verifier = world.verifier();
    let token = world.token();
    present(&verifier, &token).await.unwrap();
    let elsewhere = present_at(&verifier, &token, "https://mcp.example.com/other").await;
    assert_eq!(rejection(elsewhere), Rejection::WrongAudience);
}

#[tokio::test]
async fn sec_jwt_13_a_named_audience_replaces_the_resource() {
    let world = World::new().await;
    let verifier = world
        .builder()
        .audience("api://a")
        .audience("api://b")
        .build()
        .unwrap();
    for audience in ["api://a", "api://b"] {
        present(&verifier, &world.idp.token().audience(audience).sign())
            .await
            .unwrap();
    }
    assert_eq!(
        rejection(present(&verifier, &world.token()).await),
        Rejection::WrongAudience
    );
}

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
async fn sec_jwt_15_17_19_times_are_judged() {
    let world = World::new().await;
    let verifier = world.verifier();
    let at = |seconds: i64| Timestamp::from_secs(NOW + seconds);
    let token = || world.idp.token().audience(RESOURCE);
    for (token, expected) in [
        (token().without("exp"), Rejection::BadClaims),
        (token().claim("exp", "1900000000"), Rejection::BadClaims),
        (
            token().issued_at(at(-60)).expires_at(at(-30)),
            Rejection::Expired,
        ),
        (token().issued_at(at(31)), Rejection::NotYetValid),
        (token().not_before(at(31)), Rejection::NotYetValid),
        (token().expires_at(at(24 * 3600 + 1)), Rejection::Lifetime),
        (
            token().issued_at(at(20)).expires_at(at(10)),
            Rejection::Lifetime,
        ),
        (token().without("sub"), Rejection::BadClaims),
    ] {
        let token = token.sign();
        assert_eq!(rejection(present(&verifier, &token).await), expected);
        assert!(cached(&verifier, &token).is_none());
    }
    for token in [
        token().issued_at(at(-60)).expires_at(at(-29)),
        token().issued_at(at(30)),
        token().not_before(at(30)),
        token().expires_at(at(24 * 3600)),
    ] {
        present(&verifier, &token.sign()).await.unwrap();
    }
    let strict = world.builder().leeway(Duration::ZERO).build().unwrap();
    let token = token().expires_at(at(0)).sign();
    assert_eq!(
        rejection(present(&strict, &token).await),
        Rejection::Expired
    );
}

#[tokio::test]
async fn sec_jwt_21_a_remembered_token_ends_at_exp() {
    let world = World::new().await;
    let verifier = world.builder().leeway(Duration::ZERO).build().unwrap();
    let token = world.token();
    present(&verifier, &token).await.unwrap();
    world.clock.advance(Duration::from_secs(299));
    assert!(cached(&verifier, &token).is_some());
    world.clock.advance(Duration::from_secs(1));
    assert!(cached(&verifier, &token).is_none());
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::Expired
    );
    // The wall clock is set back: what the cache let go stays away.
    world.clock.set_wall(NOW);
    assert!(cached(&verifier, &token).is_none());
}

#[tokio::test]
async fn sec_jwt_24_scopes_come_from_the_named_claims() {
    let world = World::new().await;
    let token = world
        .idp
        .token()
        .audience(RESOURCE)
        .claim("scp", json!(["a", "b c"]));
    let token = token
        .claim("permissions", json!(["read:x"]))
        .claim("scope", json!({"admin": 1}));
    let token = token.sign();
    let scopes = async |builder: JwtVerifierBuilder| {
        let token = present(&builder.build().unwrap(), &token).await.unwrap();
        token.scopes().to_string()
    };
    assert_eq!(scopes(world.builder()).await, "");
    assert_eq!(scopes(world.builder().scope_claims(["scp"])).await, "a");
    assert_eq!(
        scopes(
            world
                .builder()
                .scope_claims(["scope", "scp", "permissions"])
        )
        .await,
        "a read:x"
    );
}

#[tokio::test]
async fn sec_jwt_25_a_bound_token_is_no_bearer_token() {
    let world = World::new().await;
    for confirmation in [json!({"jkt": "x"}), json!({"x5t#S256": "x"}), json!(null)] {
        let token = world
            .idp
            .token()
            .audience(RESOURCE)
            .claim("cnf", confirmation)
            .sign();
        let outcome = present(&world.verifier(), &token).await;
        assert_eq!(rejection(outcome), Rejection::SenderConstrained);
    }
}

#[tokio::test]
async fn sec_jwt_30_without_kid_four_keys_are_tried() {
    let world = World::new().await;
    let first = world
        .idp
        .token()
        .audience(RESOURCE)
        .without_header("kid")
        .sign();
    present(&world.verifier(), &first).await.unwrap();
    for _ in 0..3 {
        world.idp.rotate_key();
    }
    let fourth = world
        .idp
        .token()
        .audience(RESOURCE)
        .without_header("kid")
        .sign();
    let verifier = world.verifier();
    present(&verifier, &fourth).await.unwrap();
    world.idp.rotate_key();
    let fifth = world
        .idp
        .token()
        .audience(RESOURCE)
        .without_header("kid")
        .sign();
    assert_eq!(
        rejection(present(&world.verifier(), &fifth).await),
        Rejection::BadSignature
    );
    // One that names its key is found among any number.
    present(&world.verifier(), &world.token()).await.unwrap();
}

#[tokio::test]
async fn sec_jwt_30_hostile_key_ids_are_only_looked_up() {
    let world = World::new().await;
    let verifier = world.verifier();
    let logs = CapturedLogs::start();
    let long = "k".repeat(2_000);
    for kid in [
        "../../dev/null",
        "' OR 1=1--",
        "a\0b",
        "%00",
        "__proto__",
        "x\n\u{1b}[31m",
        &long,
    ] {
        let token = world
            .idp
            .token()
            .audience(RESOURCE)
            .header("kid", kid)
            .sign();
        assert_eq!(
            rejection(present(&verifier, &token).await),
            Rejection::UnknownKey,
            "{kid:.20}"
        );
    }
    for kid in [json!(7), json!([]), json!({}), json!(true)] {
        let token = world
            .idp
            .token()
            .audience(RESOURCE)
            .header("kid", kid)
            .sign();
        assert_eq!(
            rejection(present(&verifier, &token).await),
            Rejection::Malformed
        );
    }
    logs.assert_free_of("\u{1b}");
    let shown = logs.security_events().join("\n");
    assert!(shown.contains("reason=\"unknown_key\""), "{shown}");
    assert!(!shown.contains(&"k".repeat(65)));
}

#[tokio::test]
async fn sec_jwt_31_a_shared_key_id_stays_with_its_issuer() {
    let (a, b) = (
        World::new().await,
        FakeIdp::start_at(std::sync::Arc::new(portcullis_testkit::MockClock::at(NOW))).await,
    );
    let issuers = [a.idp.issuer().as_str(), b.issuer().as_str()];
    let verifier = JwtVerifier::for_issuers(issuers)
        .clock(a.clock.clone())
        .build()
        .unwrap();
    // Both call their first key `key-1`.
    let of_a = present(&verifier, &a.token()).await.unwrap();
    let of_b = present(&verifier, &b.token().audience(RESOURCE).sign())
        .await
        .unwrap();
    assert_eq!(of_a.issuer(), a.idp.issuer().as_str());
    assert_eq!(of_b.issuer(), b.issuer().as_str());
    assert_ne!(of_a.principal(), of_b.principal());
}

#[tokio::test]
async fn sec_jwt_32_a_key_vouches_for_its_own_issuer_alone() {
    let (a, b) = (
        World::new().await,
        FakeIdp::start_at(std::sync::Arc::new(portcullis_testkit::MockClock::at(NOW))).await,
    );
    let issuers = [a.idp.issuer().as_str(), b.issuer().as_str()];
    let verifier = JwtVerifier::for_issuers(issuers)
        .clock(a.clock.clone())
        .build()
        .unwrap();
    let forged = b.token().issuer(a.idp.issuer().as_str()).audience(RESOURCE);
    assert_eq!(
        rejection(present(&verifier, &forged.sign()).await),
        Rejection::BadSignature
    );
    for issuer in [
        format!("{}/", a.idp.issuer()),
        "https://evil.example".to_owned(),
    ] {
        let token = a.idp.token().issuer(&issuer).audience(RESOURCE).sign();
        assert_eq!(
            rejection(present(&verifier, &token).await),
            Rejection::WrongIssuer
        );
    }
}

#[tokio::test]
async fn sec_jwt_33_a_bad_signature_hides_every_other_fault() {
    let world = World::new().await;
    let verifier = world.verifier();
    let foreign = std::sync::Arc::new(SigningKey::generate_es256().unwrap());
    let forged = |token: TokenBuilder| {
        token
            .header("kid", "key-1")
            .signed_by(foreign.clone(), Algorithm::Es256)
            .sign()
    };
    let token = || world.idp.token().audience(RESOURCE);
    for token in [
        token(),
        token().expires_at(Timestamp::from_secs(NOW - 3600)),
        token().audience("https://other.example"),
        token().typ("JWT"),
    ] {
        let rejection = rejection(present(&verifier, &forged(token)).await);
        assert_eq!(rejection, Rejection::BadSignature);
        assert_eq!(
            rejection.description(),
            Rejection::WrongAudience.description()
        );
    }
}

#[tokio::test]
async fn sec_op_01_no_token_reaches_a_log() {
    let world = World::new().await;
    let logs = CapturedLogs::start();
    let verifier = world.verifier();
    let canary = "canary-7d1f";
    let mut tokens = vec![
        world.idp.token().audience(RESOURCE).subject(canary).sign(),
        world
            .idp
            .token()
            .audience(canary)
            .claim("email", canary)
            .sign(),
        world.idp.token().audience(RESOURCE).issuer(canary).sign(),
        world
            .idp
            .token()
            .audience(RESOURCE)
            .subject(canary)
            .header("kid", "other")
            .sign(),
        format!("{canary}.{canary}.{canary}"),
    ];
    let stolen = tokens[0].rsplit_once('.').unwrap().0.to_owned();
    tokens.push(format!("{stolen}.AAAA"));
    for token in &tokens {
        let _ = present(&verifier, token).await;
        let _ = cached(&verifier, token);
    }
    assert!(logs.text().contains("token rejected"));
    logs.assert_free_of(canary);
    for token in &tokens {
        for segment in token.split('.').skip(1) {
            logs.assert_free_of(segment);
        }
    }
    assert!(!format!("{verifier:?}").contains(canary));
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

#[tokio::test]
async fn what_is_signed_may_still_be_garbage() {
    let world = World::new().await;
    let key = SigningKey::generate_es256().unwrap();
    let verifier = world
        .builder()
        .public_key_pem(key.public_pem().unwrap())
        .build()
        .unwrap();
    for payload in [
        "",
        "null",
        "[]",
        "\"iss\"",
        "{\"iss\":7}",
        "{",
        "\u{feff}{}",
    ] {
        let token = sign_bytes(
            br#"{"alg":"ES256","typ":"at+jwt"}"#,
            payload.as_bytes(),
            &key,
            Algorithm::Es256,
        );
        rejection(present(&verifier, &token.unwrap()).await);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn sec_jwt_38_no_bytes_make_a_verifier_panic(text in any_token()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pem = "-----BEGIN PUBLIC KEY-----\n\
            MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
            -----END PUBLIC KEY-----\n";
        let verifier = JwtVerifier::builder(ISSUER).public_key_pem(pem).build().unwrap();
        let outcome = runtime.block_on(present(&verifier, &text));
        prop_assert!(outcome.is_err());
    }
}

/// Texts, and things that are nearly tokens.
fn any_token() -> impl Strategy<Value = String> {
    let header = prop_oneof![
        Just(r#"{"alg":"EdDSA","typ":"at+jwt"}"#.to_owned()),
        "\\{\"alg\":\"[A-Za-z0-9]{0,6}\"\\}",
        any::<String>(),
    ];
    let payload = prop_oneof![
        Just(format!(r#"{{"iss":"{ISSUER}","exp":1e400}}"#)),
        Just(format!(
            r#"{{"iss":"{ISSUER}","sub":"a","exp":9999999999}}"#
        )),
        any::<String>(),
    ];
    let made = (header, payload, any::<Vec<u8>>()).prop_map(|(header, payload, signature)| {
        [
            base64url::encode(header),
            base64url::encode(payload),
            base64url::encode(signature),
        ]
        .join(".")
    });
    prop_oneof![any::<String>(), made]
}

#[track_caller]
fn fault(builder: JwtVerifierBuilder) -> ConfigError {
    builder.build().expect_err("the settings are wrong")
}
