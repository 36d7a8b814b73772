//! Tokens out of the configuration, and the verifier for development.

use std::sync::Arc;

use portcullis_oauth::crypto::{hex, sha256};
use portcullis_oauth::{Timestamp, scopes};
use portcullis_resource_server::{
    ConfigError, DebugTokenVerifier, Rejection, StaticToken, StaticTokenVerifier,
    StaticTokenVerifierBuilder, TokenVerifier,
};
use portcullis_testkit::{CapturedLogs, MockClock};

use crate::world::{NOW, RESOURCE, present, rejection};

const KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn one(secret: &str) -> StaticTokenVerifierBuilder {
    StaticTokenVerifier::builder().token(secret.into(), StaticToken::new("ci"))
}

#[track_caller]
fn fault(builder: StaticTokenVerifierBuilder) -> ConfigError {
    builder.build().expect_err("the settings are wrong")
}

#[tokio::test]
async fn what_is_claimed_of_a_subject_is_in_its_token() {
    let entry = StaticToken::new("ci").claim("role", "admin");
    let builder = StaticTokenVerifier::builder().token(KEY.into(), entry);
    let found = present(&builder.build().unwrap(), KEY).await.unwrap();
    assert_eq!(found.claim::<String>("role").as_deref(), Some("admin"));
}

#[tokio::test]
async fn sec_key_14_each_token_is_found_among_many() {
    let tokens: Vec<String> = (0..50_u8).map(|n| hex::encode(sha256(&[n]))).collect();
    let builder = tokens.iter().enumerate().fold(
        StaticTokenVerifier::builder().issuer("urn:example:keys"),
        |builder, (n, token)| {
            let entry = StaticToken::new(format!("user-{n}"))
                .client_id(format!("client-{n}"))
                .scopes(scopes!["a"]);
            if n % 2 == 0 {
                builder.token(token.as_str().into(), entry)
            } else {
                builder.token_digest(hex::encode(sha256(token.as_bytes())), entry)
            }
        },
    );
    let verifier = builder.build().unwrap();
    for (n, token) in tokens.iter().enumerate() {
        let found = present(&verifier, token).await.unwrap();
        assert_eq!(found.subject(), format!("user-{n}"));
        assert_eq!(found.client_id(), Some(format!("client-{n}").as_str()));
        assert_eq!(found.issuer(), "urn:example:keys");
        assert_eq!(found.audience(), [RESOURCE]);
        assert_eq!(found.scopes(), &scopes!["a"]);
        assert_eq!(found.expires_at(), None);
        let near = [
            token.get(1..).unwrap(),
            token.get(..63).unwrap(),
            &format!("{token}0"),
            &token.to_uppercase(),
        ];
        for other in near {
            assert_eq!(
                rejection(present(&verifier, other).await),
                Rejection::Unknown
            );
        }
        // The digest itself opens nothing.
        let digest = hex::encode(sha256(token.as_bytes()));
        assert_eq!(
            rejection(present(&verifier, &digest).await),
            Rejection::Unknown
        );
    }
}

#[tokio::test]
async fn sec_key_14_a_static_token_ends() {
    let clock = Arc::new(MockClock::at(NOW));
    let entry = StaticToken::new("ci").expires_at(Timestamp::from_secs(NOW + 10));
    let verifier = StaticTokenVerifier::builder()
        .token(KEY.into(), entry)
        .clock(clock.clone())
        .build()
        .unwrap();
    clock.set_wall(NOW + 9);
    present(&verifier, KEY).await.unwrap();
    clock.set_wall(NOW + 10);
    assert_eq!(rejection(present(&verifier, KEY).await), Rejection::Expired);
}

#[test]
fn sec_key_14_guessable_tokens_are_refused() {
    for secret in [
        "",
        "secret-api-key",
        "hunter2",
        "9f86d081884c7d659a2feaa0c55ad01", // 31 hexadecimal digits
        "kN3v8Qz_1mWx7-TtLr5yB",           // 21 of base64url
        "abcabcabcabcabcabcabcabcabcabcabc",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "0123456789abcdef0123456789abcdef",
        "change-me-change-me-Change-Me-1234567890",
        "has a blank 9f86d081884c7d659a2feaa0c55ad015",
        "line\nbreak9f86d081884c7d659a2feaa0c55ad015",
        "ümlaut9f86d081884c7d659a2feaa0c55ad015",
    ] {
        let error = fault(one(secret));
        assert_eq!(error.field(), "tokens", "{secret}");
        assert!(secret.is_empty() || !error.to_string().contains(secret));
        assert!(error.hint().is_some());
    }
    for secret in [
        "9f86d081884c7d659a2feaa0c55ad015",
        "kN3v8Qz_1mWx7-TtLr5yBc",
        KEY,
    ] {
        assert!(one(secret).build().is_ok(), "{secret}");
    }
}

#[test]
fn every_wrong_setting_names_its_field() {
    let again = StaticToken::new("other");
    let digest = hex::encode(sha256(KEY.as_bytes()));
    for (builder, field) in [
        (StaticTokenVerifier::builder(), "tokens"),
        (one(KEY).token(KEY.into(), again.clone()), "tokens"),
        (one(KEY).token_digest(&digest, again.clone()), "tokens"),
        (one(KEY).token_digest("abc", again.clone()), "tokens"),
        (
            one(KEY).token_digest(digest.to_uppercase(), again),
            "tokens",
        ),
        (one(KEY).issuer(""), "issuer"),
        (
            StaticTokenVerifier::builder().token(KEY.into(), StaticToken::new("")),
            "subject",
        ),
        (
            StaticTokenVerifier::builder()
                .token(KEY.into(), StaticToken::new("ci").client_id("a\nb")),
            "client_id",
        ),
    ] {
        assert_eq!(fault(builder).field(), field);
    }
}

#[tokio::test]
async fn sec_op_01_no_static_token_reaches_a_log() {
    let logs = CapturedLogs::start();
    let builder = one(KEY);
    assert!(!format!("{builder:?}").contains(KEY));
    let verifier = builder.build().unwrap();
    present(&verifier, KEY).await.unwrap();
    let wrong = KEY.replace('9', "8");
    rejection(present(&verifier, &wrong).await);
    assert!(logs.text().contains("reason=\"unknown\""));
    logs.assert_free_of(KEY);
    logs.assert_free_of(&wrong);
    assert!(!format!("{verifier:?}").contains(KEY));
}

#[tokio::test]
async fn the_debug_verifier_warns_and_refuses_blanks() {
    let logs = CapturedLogs::start();
    let verifier = DebugTokenVerifier::dangerous()
        .accept_any()
        .subject("alice")
        .client_id("cli")
        .scopes(scopes!["a"])
        .required_scopes(scopes!["a"]);
    let warnings = logs.security_events();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("WARN") && warnings[0].contains("event=\"dangerous_setting\""));
    let token = present(&verifier, "anything").await.unwrap();
    assert_eq!((token.subject(), token.client_id()), ("alice", Some("cli")));
    assert_eq!(TokenVerifier::required_scopes(&verifier), scopes!["a"]);
    assert!(!format!("{token:?} {:?}", token.claims()).contains("anything"));
    for blank in ["", " ", "\t\n"] {
        assert_eq!(
            rejection(present(&verifier, blank).await),
            Rejection::Unknown
        );
    }
}

#[tokio::test]
async fn a_panicking_predicate_is_a_denial() {
    let verifier = DebugTokenVerifier::dangerous().accept_if(|token| {
        assert!(token != "boom", "a predicate with a bug");
        token.starts_with("dev-")
    });
    present(&verifier, "dev-1").await.unwrap();
    assert_eq!(
        rejection(present(&verifier, "prod-1").await),
        Rejection::Unknown
    );
    assert_eq!(
        rejection(present(&verifier, "boom").await),
        Rejection::Unknown
    );
    present(&verifier, "dev-2").await.unwrap();
}
