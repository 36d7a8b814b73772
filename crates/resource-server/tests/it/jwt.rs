//! What a JWT access token must be, seen from outside of the verifier.

use std::time::Duration;

use portcullis_oauth::crypto::base64url;
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::sign::sign_bytes;
use portcullis_oauth::json::{self, Value, json};
use portcullis_oauth::{Timestamp, scopes};
use portcullis_resource_server::{
    Algorithm, AudienceMode, JwtVerifier, JwtVerifierBuilder, Rejection, TypProfile,
};
use portcullis_testkit::{CapturedLogs, FakeIdp, TokenBuilder};
use proptest::prelude::*;

use crate::world::{NOW, RESOURCE, World, cached, hs256, present, present_at, rejection};

const ISSUER: &str = "https://auth.example.com";

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
    let a = World::new().await;
    let b = FakeIdp::start_at(a.clock.clone()).await;
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
    let a = World::new().await;
    let b = FakeIdp::start_at(a.clock.clone()).await;
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
