//! Keys: fetched once, kept through outages, dropped when they are withdrawn.

use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::json::{self, json};
use portcullis_resource_server::{
    Algorithm, JwtVerifier, Rejection, TokenVerifier as _, VerifyError,
};
use portcullis_testkit::{CapturedLogs, FakeIdp};

use crate::world::{RESOURCE, World, cached, is_unavailable, present, rejection};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A token that names a key which the provider does not have.
fn with_kid(idp: &FakeIdp, kid: &str) -> String {
    idp.token().audience(RESOURCE).header("kid", kid).sign()
}

#[tokio::test]
async fn sec_key_01_random_key_ids_make_one_request() {
    let world = World::new().await;
    let verifier = world.verifier();
    let good = world.token();
    present(&verifier, &good).await.unwrap();
    assert_eq!(world.idp.hits("/jwks"), 1);
    for n in 0..1000 {
        let token = with_kid(&world.idp, &format!("random-{n}"));
        assert_eq!(
            rejection(present(&verifier, &token).await),
            Rejection::UnknownKey
        );
    }
    assert_eq!(world.idp.hits("/jwks"), 2, "one more fetch for all of them");
    let another = world.token();
    present(&verifier, &another).await.unwrap();

    world.clock.advance(seconds(29));
    let token = with_kid(&world.idp, "late");
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::UnknownKey
    );
    assert_eq!(world.idp.hits("/jwks"), 2);
    world.clock.advance(seconds(1));
    assert_eq!(
        rejection(present(&verifier, &token).await),
        Rejection::UnknownKey
    );
    assert_eq!(world.idp.hits("/jwks"), 3, "the cool-down is over");
}

#[tokio::test]
async fn sec_key_01_random_key_ids_at_once_share_one_request() {
    let world = World::new().await;
    let verifier = world.verifier();
    verifier.warm().await.unwrap();
    let tokens: Vec<_> = (0..200)
        .map(|n| with_kid(&world.idp, &format!("random-{n}")))
        .collect();
    let attempts = tokens.iter().map(|token| present(&verifier, token));
    for outcome in futures_util::future::join_all(attempts).await {
        assert_eq!(rejection(outcome), Rejection::UnknownKey);
    }
    assert_eq!(world.idp.hits("/jwks"), 2);
}

#[tokio::test]
async fn sec_key_01_failed_attempts_count_too() {
    let world = World::new().await;
    let verifier = world.verifier();
    let good = world.token();
    present(&verifier, &good).await.unwrap();
    world.idp.jwks_down(true);
    for n in 0..100 {
        // An outage is no verdict: the key may be one that we could not fetch.
        let token = with_kid(&world.idp, &format!("random-{n}"));
        assert!(is_unavailable(&present(&verifier, &token).await));
    }
    assert_eq!(world.idp.hits("/jwks"), 2);
    let another = world.token();
    present(&verifier, &another).await.unwrap();
}

#[tokio::test]
async fn sec_key_01_a_hundred_first_requests_make_one_fetch() {
    let world = World::new().await;
    let verifier = world.verifier();
    let held = world.idp.hold_jwks();
    let tokens: Vec<_> = (0..100).map(|_| world.token()).collect();
    let attempts = tokens.iter().map(|token| present(&verifier, token));
    let all = futures_util::future::join_all(attempts);
    let release = async {
        world.idp.wait_for_hits("/jwks", 1).await;
        drop(held);
    };
    let (outcomes, ()) = futures_util::future::join(all, release).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(world.idp.hits("/jwks"), 1);
}

#[tokio::test]
async fn sec_ds_09_few_requests_wait_for_keys_that_hang() {
    let world = World::new().await;
    let verifier = world.verifier();
    let held = world.idp.hold_jwks();
    let token = world.token();
    let mut attempts: FuturesUnordered<_> = (0..300).map(|_| present(&verifier, &token)).collect();
    for _ in 256..300 {
        match attempts.next().now_or_never().flatten() {
            Some(Err(VerifyError::Unavailable(fault))) => assert_eq!(fault.wait(), seconds(1)),
            other => panic!("not told at once: {other:?}"),
        }
    }
    drop(held);
    assert!(attempts.all(async |outcome| outcome.is_ok()).await);
    // And the same where one key is missing.
    let held = world.idp.hold_jwks();
    let token = with_kid(&world.idp, "another");
    let mut attempts: FuturesUnordered<_> = (0..300).map(|_| present(&verifier, &token)).collect();
    for _ in 256..300 {
        let told = attempts.next().now_or_never().flatten();
        assert!(is_unavailable(&told.expect("told at once")));
    }
    drop(held);
    while let Some(outcome) = attempts.next().await {
        assert_eq!(rejection(outcome), Rejection::UnknownKey);
    }
}

#[tokio::test]
async fn sec_key_01_a_fetch_outlives_the_request_that_started_it() {
    let world = World::new().await;
    let verifier = world.verifier();
    let held = world.idp.hold_jwks();
    let token = world.token();
    let mut first = Box::pin(present(&verifier, &token));
    tokio::select! {
        biased;
        () = world.idp.wait_for_hits("/jwks", 1) => {}
        _ = &mut first => panic!("there are no keys yet"),
    }
    drop(first);
    drop(held);
    present(&verifier, &token).await.unwrap();
    assert_eq!(world.idp.hits("/jwks"), 1);
}

#[tokio::test]
async fn sec_key_02_garbage_makes_no_request() {
    let world = World::new().await;
    let verifier = world.verifier();
    let foreign = SigningKey::generate_es256().unwrap();
    let hmac = SigningKey::hmac(portcullis_oauth::SecretBytes::new([7_u8; 32])).unwrap();
    let other_issuer = world.idp.token().issuer("https://evil.example").sign();
    let no_issuer = world.idp.token().without("iss").sign();
    let symmetric = world.idp.token().signed_by(hmac, Algorithm::Hs256).sign();
    let embedded = world
        .idp
        .token()
        .header("jku", world.idp.jwks_url().as_str());
    for token in [
        "",
        "garbage",
        "a.b.c",
        &"x".repeat(20_000),
        &other_issuer,
        &no_issuer,
        &symmetric,
        &embedded.signed_by(foreign, Algorithm::Es256).sign(),
    ] {
        rejection(present(&verifier, token).await);
    }
    for path in [
        "/jwks",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
    ] {
        assert_eq!(world.idp.hits(path), 0, "{path}");
    }
}

#[tokio::test]
async fn sec_key_03_a_new_key_is_found_by_one_fetch() {
    let world = World::new().await;
    let verifier = world.verifier();
    present(&verifier, &world.token()).await.unwrap();
    world.idp.rotate_key();
    present(&verifier, &world.token()).await.unwrap();
    assert_eq!(world.idp.hits("/jwks"), 2);
    present(&verifier, &world.token()).await.unwrap();
    assert_eq!(world.idp.hits("/jwks"), 2);
}

#[tokio::test]
async fn sec_key_03_a_withdrawn_key_ends_its_tokens() {
    let world = World::new().await;
    let verifier = world.verifier();
    let life = seconds(3600);
    let old = world.idp.token().audience(RESOURCE).expires_in(life).sign();
    present(&verifier, &old).await.unwrap();
    assert!(cached(&verifier, &old).is_some());
    world.idp.rotate_key();
    world.idp.retire_old_keys();
    // Still good, by the set that we have.
    assert!(cached(&verifier, &old).is_some());
    // A server without traffic: the next request finds a set that is too old, and waits.
    world.clock.advance(seconds(600));
    assert!(cached(&verifier, &old).is_none());
    assert_eq!(
        rejection(present(&verifier, &old).await),
        Rejection::UnknownKey
    );
    assert!(cached(&verifier, &old).is_none());
}

#[tokio::test]
async fn sec_key_03_a_withdrawn_key_ends_its_tokens_when_a_new_one_is_found() {
    let world = World::new().await;
    let verifier = world.verifier();
    let old = world.token();
    present(&verifier, &old).await.unwrap();
    world.idp.rotate_key();
    world.idp.retire_old_keys();
    present(&verifier, &world.token()).await.unwrap();
    assert!(cached(&verifier, &old).is_none());
    assert_eq!(
        rejection(present(&verifier, &old).await),
        Rejection::UnknownKey
    );
}

#[tokio::test]
async fn sec_key_03_a_key_that_stays_keeps_its_tokens() {
    let world = World::new().await;
    let verifier = world.verifier();
    let old = world.token();
    present(&verifier, &old).await.unwrap();
    world.idp.rotate_key();
    present(&verifier, &world.token()).await.unwrap();
    assert!(
        cached(&verifier, &old).is_none(),
        "to be looked at once more"
    );
    present(&verifier, &old).await.unwrap();
    assert!(cached(&verifier, &old).is_some());
}

#[tokio::test]
async fn sec_key_04_the_last_good_set_serves_through_an_outage() {
    let world = World::new().await;
    let verifier = world.verifier();
    present(&verifier, &world.token()).await.unwrap();
    world.idp.jwks_down(true);
    for _ in 0..23 {
        world.clock.advance(seconds(3600));
        let token = world.token();
        present(&verifier, &token).await.unwrap();
    }
    world.idp.jwks_body("<html>maintenance</html>");
    world.idp.jwks_down(false);
    present(&verifier, &world.token()).await.unwrap();
    // Back again: the next attempt ends the outage by itself.
    world.idp.jwks_body_reset();
    let seen = world.idp.hits("/jwks");
    world.clock.advance(seconds(31));
    present(&verifier, &world.token()).await.unwrap();
    world.idp.wait_for_hits("/jwks", seen + 1).await;
    present(&verifier, &world.token()).await.unwrap();
}

#[tokio::test]
async fn sec_key_04_a_set_ends_after_the_longest_outage() {
    let world = World::new().await;
    let verifier = world.verifier();
    present(&verifier, &world.token()).await.unwrap();
    world.idp.jwks_down(true);
    world.clock.advance(seconds(24 * 3600 - 1));
    present(&verifier, &world.token()).await.unwrap();
    world.clock.advance(seconds(1));
    assert!(is_unavailable(&present(&verifier, &world.token()).await));
    world.idp.jwks_down(false);
    world.clock.advance(seconds(5));
    present(&verifier, &world.token()).await.unwrap();
}

#[tokio::test]
async fn sec_key_04_without_keys_a_token_is_unavailable_and_not_invalid() {
    let world = World::new().await;
    let logs = CapturedLogs::start();
    let verifier = world.verifier();
    world.idp.jwks_down(true);
    assert!(is_unavailable(&verifier.warm().await));
    for _ in 0..50 {
        assert!(is_unavailable(&present(&verifier, &world.token()).await));
    }
    assert_eq!(
        world.idp.hits("/jwks"),
        1,
        "a failed first fetch cools down too"
    );
    let events = logs.security_events().join("\n");
    assert!(events.contains("event=\"key_set_unavailable\""), "{events}");
    world.idp.jwks_down(false);
    world.clock.advance(seconds(5));
    present(&verifier, &world.token()).await.unwrap();
    let events = logs.security_events().join("\n");
    assert!(events.contains("event=\"key_set_recovered\""), "{events}");
}

#[tokio::test]
async fn sec_key_04_a_new_key_in_an_outage_is_unavailable_and_not_invalid() {
    let world = World::new().await;
    let verifier = world.verifier();
    present(&verifier, &world.token()).await.unwrap();
    world.idp.jwks_down(true);
    world.clock.advance(seconds(700));
    let rotated = with_kid(&world.idp, "rotated");
    for _ in 0..3 {
        assert!(is_unavailable(&present(&verifier, &rotated).await));
    }
    assert_eq!(world.idp.hits("/jwks"), 2);
    present(&verifier, &world.token()).await.unwrap();
}

#[tokio::test]
async fn sec_key_04_an_outage_that_is_known_holds_nobody_up() {
    let world = World::new().await;
    let verifier = world.verifier();
    present(&verifier, &world.token()).await.unwrap();
    world.idp.jwks_down(true);
    world.clock.advance(seconds(700));
    present(&verifier, &world.token()).await.unwrap();
    world.clock.advance(seconds(31));
    let held = world.idp.hold_jwks();
    // The request does not wait for the attempt that it starts.
    present(&verifier, &world.token()).await.unwrap();
    world.idp.wait_for_hits("/jwks", 3).await;
    drop(held);
}

#[tokio::test]
async fn sec_key_04_a_refresh_ahead_of_time_holds_nobody_up() {
    let world = World::new().await;
    let verifier = world.verifier();
    let token = world
        .idp
        .token()
        .audience(RESOURCE)
        .expires_in(seconds(3600))
        .sign();
    present(&verifier, &token).await.unwrap();
    world.clock.advance(seconds(449));
    assert!(cached(&verifier, &token).is_some());
    world.clock.advance(seconds(1));
    let held = world.idp.hold_jwks();
    present(&verifier, &token).await.unwrap();
    world.idp.wait_for_hits("/jwks", 2).await;
    drop(held);
}

#[tokio::test]
async fn sec_key_05_bad_keys_are_skipped_and_the_others_used() {
    let world = World::new().await;
    let ours = SigningKey::generate_es256().unwrap();
    let good = ours.public_jwk(Some("good")).unwrap();
    let set = json!({"keys": [
        {"kty": "quantum", "kid": "good"},
        {"kty": "RSA", "n": "!!", "e": "AQAB"},
        {"kty": "oct", "k": "AAAA", "kid": "good"},
        null, 7, "key",
        good,
    ]});
    world.idp.jwks_body(json::to_string(&set).unwrap());
    let token = world.idp.token().audience(RESOURCE).header("kid", "good");
    present(
        &world.verifier(),
        &token.signed_by(ours, Algorithm::Es256).sign(),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn sec_key_07_an_oversized_or_broken_set_is_an_outage() {
    let many = format!(
        r#"{{"keys":[{}]}}"#,
        vec![r#"{"kty":"RSA"}"#; 101].join(",")
    );
    let twice = r#"{"keys":[],"keys":[]}"#.to_owned();
    let huge = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(300 * 1024));
    for body in [
        many,
        twice,
        huge,
        "[]".to_owned(),
        String::new(),
        "null".to_owned(),
    ] {
        let world = World::new().await;
        world.idp.jwks_body(body.clone());
        let verifier = world.verifier();
        assert!(
            is_unavailable(&present(&verifier, &world.token()).await),
            "{body:.40}"
        );
    }
}

#[tokio::test]
async fn sec_key_07_an_empty_set_withdraws_every_key() {
    let world = World::new().await;
    let verifier = world.verifier();
    present(&verifier, &world.token()).await.unwrap();
    world.idp.jwks_body(r#"{"keys":[]}"#);
    world.clock.advance(seconds(600));
    assert_eq!(
        rejection(present(&verifier, &world.token()).await),
        Rejection::UnknownKey
    );
}

#[tokio::test]
async fn sec_key_09_a_document_of_another_issuer_gives_no_keys() {
    let world = World::new().await;
    let with_slash = format!("{}/", world.idp.issuer());
    for issuer in ["https://evil.example", with_slash.as_str(), ""] {
        world.idp.edit_metadata(|metadata| {
            metadata.insert("issuer".to_owned(), issuer.into());
        });
        let verifier = world.verifier();
        assert!(
            is_unavailable(&present(&verifier, &world.token()).await),
            "{issuer}"
        );
    }
    assert_eq!(world.idp.hits("/jwks"), 0);
}

#[tokio::test]
async fn sec_key_08_a_jwks_uri_that_is_no_https_url_is_not_used() {
    let world = World::new().await;
    for uri in [
        "http://idp.example/keys",
        "file:///etc/passwd",
        "//x",
        "",
        "https://u:p@x.example/k",
    ] {
        world.idp.edit_metadata(|metadata| {
            metadata.insert("jwks_uri".to_owned(), uri.into());
        });
        assert!(
            is_unavailable(&present(&world.verifier(), &world.token()).await),
            "{uri}"
        );
    }
}

#[tokio::test]
async fn sec_key_08_a_private_address_in_the_metadata_is_refused() {
    let world = World::new().await;
    let logs = CapturedLogs::start();
    for uri in ["https://169.254.169.254/keys", "https://10.0.0.1/keys"] {
        world.idp.edit_metadata(|metadata| {
            metadata.insert("jwks_uri".to_owned(), uri.into());
        });
        assert!(
            is_unavailable(&present(&world.verifier(), &world.token()).await),
            "{uri}"
        );
    }
    let events = logs.security_events().join("\n");
    assert_eq!(
        events.matches("event=\"outbound_refused\"").count(),
        2,
        "{events}"
    );
}

#[tokio::test]
async fn discovery_is_done_once_and_again_when_its_answer_fails() {
    let world = World::new().await;
    let verifier = world.verifier();
    let discoveries = || {
        world.idp.hits("/.well-known/oauth-authorization-server")
            + world.idp.hits("/.well-known/openid-configuration")
    };
    verifier.warm().await.unwrap();
    assert_eq!(discoveries(), 1);
    world.clock.advance(seconds(600));
    verifier.warm().await.unwrap();
    assert_eq!((discoveries(), world.idp.hits("/jwks")), (1, 2));
    world.idp.jwks_down(true);
    world.clock.advance(seconds(600));
    verifier.warm().await.unwrap();
    world.idp.jwks_down(false);
    world.clock.advance(seconds(31));
    verifier.warm().await.unwrap();
    world.idp.wait_for_hits("/jwks", 4).await;
    assert_eq!(discoveries(), 2);
}

#[tokio::test]
async fn cache_control_is_honoured_within_bounds() {
    // From three quarters of the time on, a refresh is due.
    for (header, due) in [
        ("max-age=1", 45),
        ("no-store", 45),
        ("max-age=200", 150),
        ("max-age=86400", 450),
        ("public", 450),
    ] {
        let world = World::new().await;
        world.idp.cache_control(header);
        let verifier = world.verifier();
        let token = world
            .idp
            .token()
            .audience(RESOURCE)
            .expires_in(seconds(3600))
            .sign();
        present(&verifier, &token).await.unwrap();
        world.clock.advance(seconds(due - 1));
        assert!(cached(&verifier, &token).is_some(), "{header}");
        world.clock.advance(seconds(1));
        assert!(cached(&verifier, &token).is_none(), "{header}");
    }
}

#[tokio::test]
async fn a_configured_key_set_needs_no_discovery() {
    let world = World::new().await;
    let url = world.idp.jwks_url();
    let verifier = JwtVerifier::builder(world.idp.issuer().as_str())
        .jwks_uri(url.as_str())
        .clock(world.clock.clone())
        .build()
        .unwrap();
    present(&verifier, &world.token()).await.unwrap();
    assert_eq!(world.idp.hits("/.well-known/oauth-authorization-server"), 0);
}
