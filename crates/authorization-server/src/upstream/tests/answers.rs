//! Answers of token endpoints, as providers write them and as they must not be.

use std::time::Duration;

use portcullis_oauth::json::json;
use portcullis_oauth::{Timestamp, scopes};

use super::super::{Login, UpstreamClient, UpstreamError};
use super::world::{Answer, NOW, World, redeem};

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// A provider of plain OAuth 2, and its client.
struct Desk {
    world: World,
    client: UpstreamClient,
}

impl Desk {
    async fn open() -> Self {
        let world = World::start().await;
        let client = world.client(world.oauth2());
        Self { world, client }
    }

    async fn redeemed(&self, answer: Answer) -> Result<Login, UpstreamError> {
        self.world.on("/token", answer);
        redeem(&self.client).await
    }

    async fn reason(&self, answer: Answer) -> &'static str {
        self.redeemed(answer).await.unwrap_err().reason()
    }
}

#[tokio::test]
async fn r_35_a_form_is_an_answer_too() {
    let desk = Desk::open().await;
    let body = "access_token=gho_x&scope=read%3Auser%2Cuser%3Aemail&token_type=bearer";
    let tokens = desk.redeemed(Answer::of(FORM, body)).await.unwrap().tokens;
    assert_eq!(tokens.access_token.expose(), "gho_x");
    assert_eq!(tokens.scope, Some(scopes!["read:user", "user:email"]));
    assert_eq!(tokens.expires_at, None);
}

#[tokio::test]
async fn r_35_an_error_with_status_200_is_an_error() {
    let desk = Desk::open().await;
    let form = "error=bad_verification_code&error_description=The+code+is+incorrect";
    assert_eq!(desk.reason(Answer::of(FORM, form)).await, "upstream_ended");
    for (error, expected) in [
        (json!("bad_verification_code"), "upstream_ended"),
        (json!("incorrect_client_credentials"), "upstream_refuses_us"),
        (json!("access_denied"), "upstream_denied"),
        (json!({"code": 1}), "upstream_invalid"),
        (json!(true), "upstream_invalid"),
    ] {
        let with_token = json!({"error": error, "access_token": "x", "token_type": "bearer"});
        assert_eq!(
            desk.reason(Answer::json(&with_token)).await,
            expected,
            "{error}"
        );
    }
}

#[tokio::test]
async fn r_46_a_failure_without_an_error_is_a_failure() {
    let desk = Desk::open().await;
    let tokens = json!({"access_token": "x", "token_type": "Bearer"});
    for (status, expected) in [
        (400, "upstream_refuses_us"),
        (401, "upstream_refuses_us"),
        (403, "upstream_unavailable"),
        (404, "upstream_invalid"),
        (408, "upstream_unavailable"),
        (429, "upstream_unavailable"),
        (500, "upstream_unavailable"),
        (503, "upstream_unavailable"),
    ] {
        let answer = Answer::json(&tokens).status(status);
        assert_eq!(desk.reason(answer).await, expected, "{status}");
        let page = Answer::of("text/html", "<html>oops</html>").status(status);
        assert_eq!(desk.reason(page).await, expected, "{status}");
    }
}

#[tokio::test]
async fn sec_px_17_an_outage_ends_nothing() {
    let desk = Desk::open().await;
    for status in [429, 500, 502, 503] {
        let answer = Answer::json(&json!({"error": "invalid_grant"})).status(status);
        let answer = answer.header("retry-after", "17");
        let error = desk.redeemed(answer).await.unwrap_err();
        let UpstreamError::Unavailable(unavailable) = error else {
            panic!("{status}: {error:?}");
        };
        assert_eq!(unavailable.wait(), Duration::from_secs(17));
    }
    for wait in ["soon", "-1", "999999999999999999999"] {
        let answer = Answer::of("text/plain", "")
            .status(503)
            .header("retry-after", wait);
        let Err(UpstreamError::Unavailable(unavailable)) = desk.redeemed(answer).await else {
            panic!("{wait}");
        };
        assert_eq!(unavailable.wait(), Duration::from_secs(5), "{wait}");
    }
    let answer = Answer::of("text/plain", "")
        .status(503)
        .header("retry-after", "86400");
    let Err(UpstreamError::Unavailable(unavailable)) = desk.redeemed(answer).await else {
        panic!("not out of reach");
    };
    assert_eq!(unavailable.wait(), Duration::from_secs(3600));
}

#[tokio::test]
async fn words_say_who_has_to_act() {
    let desk = Desk::open().await;
    for (status, word, expected) in [
        (400, "invalid_grant", "upstream_ended"),
        (401, "invalid_grant", "upstream_ended"),
        (401, "invalid_client", "upstream_refuses_us"),
        (400, "unauthorized_client", "upstream_refuses_us"),
        (401, "invalid_request", "upstream_refuses_us"),
        (401, "JwtToken", "upstream_refuses_us"),
        (400, "consent_required", "upstream_denied"),
        (400, "temporarily_unavailable", "upstream_unavailable"),
        (400, "slow_down", "upstream_unavailable"),
    ] {
        let answer = Answer::json(&json!({"error": word})).status(status);
        assert_eq!(desk.reason(answer).await, expected, "{word}");
    }
    for (word, expected) in [
        ("access_denied", "upstream_denied"),
        ("login_required", "upstream_denied"),
        ("server_error", "upstream_unavailable"),
        ("invalid_scope", "upstream_refuses_us"),
        ("invalid_grant", "upstream_refuses_us"),
        ("<script>", "upstream_refuses_us"),
    ] {
        assert_eq!(
            UpstreamError::of_callback(word).reason(),
            expected,
            "{word}"
        );
    }
}

#[tokio::test]
async fn expiry_is_read_as_providers_write_it() {
    let desk = Desk::open().await;
    for (value, seconds) in [
        (json!(60), Some(60)),
        (json!("60"), Some(60)),
        (json!(60.9), Some(60)),
        (json!(null), None),
        (json!(1e30), Some(10 * 365 * 24 * 3600)),
        (json!(-5), Some(0)),
        (json!(0), Some(0)),
    ] {
        let body = json!({
            "access_token": "x", "token_type": "BEARER", "refresh_token": "r", "expires_in": value,
        });
        let tokens = desk.redeemed(Answer::json(&body)).await.unwrap().tokens;
        let expected = seconds.map(|seconds| Timestamp::from_secs(NOW + seconds));
        assert_eq!(tokens.expires_at, expected, "{value}");
    }
    for value in [json!("soon"), json!([]), json!({}), json!(true)] {
        let body = json!({"access_token": "x", "token_type": "bearer", "expires_in": value});
        assert_eq!(
            desk.reason(Answer::json(&body)).await,
            "upstream_invalid",
            "{value}"
        );
    }
}

#[tokio::test]
async fn a_token_that_has_expired_needs_another_to_renew_it() {
    let desk = Desk::open().await;
    for over in [json!(0), json!(-1), json!("0")] {
        let body = json!({"access_token": "x", "token_type": "bearer", "expires_in": over});
        assert_eq!(
            desk.reason(Answer::json(&body)).await,
            "upstream_invalid",
            "{over}"
        );
    }
}

#[tokio::test]
async fn the_end_of_a_refresh_token_is_heard_where_it_is_told() {
    let desk = Desk::open().await;
    for (name, value, seconds) in [
        ("refresh_expires_in", json!(60), Some(60)),
        ("refresh_token_expires_in", json!("60"), Some(60)),
        // An offline token of Keycloak's does not end.
        ("refresh_expires_in", json!(0), None),
        ("refresh_expires_in", json!("soon"), None),
    ] {
        let mut body = json!({"access_token": "x", "token_type": "bearer", "refresh_token": "r"});
        body[name] = value.clone();
        let tokens = desk.redeemed(Answer::json(&body)).await.unwrap().tokens;
        let expected = seconds.map(|seconds| Timestamp::from_secs(NOW + seconds));
        assert_eq!(tokens.refresh_expires_at, expected, "{name} {value}");
    }
}

#[tokio::test]
async fn scopes_are_heard_however_they_are_told() {
    let desk = Desk::open().await;
    for (value, expected) in [
        (json!("a b"), Some(scopes!["a", "b"])),
        (json!("a,b"), Some(scopes!["a", "b"])),
        (json!(["a", "b"]), Some(scopes!["a", "b"])),
        (json!(""), None),
        (json!(null), None),
    ] {
        let body = json!({"access_token": "x", "token_type": "bearer", "scope": value});
        let tokens = desk.redeemed(Answer::json(&body)).await.unwrap().tokens;
        assert_eq!(tokens.scope, expected, "{value}");
    }
}

#[tokio::test]
async fn sec_px_11_a_repeated_member_is_refused() {
    let desk = Desk::open().await;
    for body in [
        r#"{"access_token":"a","access_token":"b","token_type":"bearer"}"#,
        r#"{"access_token":"a","token_type":"bearer","x":{"y":1,"\u0079":2}}"#,
    ] {
        assert_eq!(
            desk.reason(Answer::of("application/json", body)).await,
            "upstream_invalid"
        );
    }
    let form = "access_token=a&access_token=b&token_type=bearer";
    assert_eq!(
        desk.reason(Answer::of(FORM, form)).await,
        "upstream_invalid"
    );
}

#[tokio::test]
async fn sec_px_11_a_token_that_no_header_can_carry_is_refused() {
    let desk = Desk::open().await;
    for token in ["a b", "a\nb", "a\u{7f}", "ä", "\u{202e}a"] {
        let body = json!({"access_token": token, "token_type": "bearer"});
        assert_eq!(
            desk.reason(Answer::json(&body)).await,
            "upstream_invalid",
            "{token:?}"
        );
    }
}

#[tokio::test]
async fn sec_px_11_what_is_no_bearer_token_is_refused() {
    let desk = Desk::open().await;
    for members in [
        json!({"token_type": "Bearer"}),
        json!({"access_token": "", "token_type": "Bearer"}),
        json!({"access_token": 1, "token_type": "Bearer"}),
        json!({"access_token": null, "token_type": "Bearer"}),
        json!({"access_token": "x"}),
        json!({"access_token": "x", "token_type": "DPoP"}),
        json!({"access_token": "x", "token_type": ["Bearer"]}),
    ] {
        assert_eq!(
            desk.reason(Answer::json(&members)).await,
            "upstream_invalid",
            "{members}"
        );
    }
}

#[tokio::test]
async fn an_answer_without_a_type_is_a_bearer_tokens_where_the_provider_is_known_for_it() {
    let world = World::start().await;
    let upstream = world.oauth2().bearer_unless_said(true);
    let answered = |members| world.on("/token", Answer::json(&members));
    answered(json!({"access_token": "x"}));
    assert!(world.redeem(upstream.clone()).await.is_ok());
    for said in [json!("mac"), json!(null), json!("")] {
        answered(json!({"access_token": "x", "token_type": said}));
        let error = world.redeem(upstream.clone()).await.unwrap_err();
        assert_eq!(error.reason(), "upstream_invalid", "{said}");
    }
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let desk = Desk::open().await;
    for (kind, body) in [
        ("application/json", b"{".as_slice()),
        ("application/json", b"\xff\xfe".as_slice()),
        ("application/json", b"[]".as_slice()),
        ("application/json", b"\"x\"".as_slice()),
        ("application/json", b"".as_slice()),
        ("text/html", b"<html></html>".as_slice()),
        ("text/plain", b"access_token=x&token_type=bearer".as_slice()),
        (FORM, b"access_token=%zz&token_type=bearer".as_slice()),
        (FORM, b"nothing".as_slice()),
    ] {
        let shown = String::from_utf8_lossy(body).into_owned();
        assert_eq!(
            desk.reason(Answer::of(kind, body)).await,
            "upstream_invalid",
            "{shown}"
        );
    }
}

#[tokio::test]
async fn sec_px_11_an_answer_has_a_greatest_length() {
    let world = World::start().await;
    let client = world.client_of_its_own(world.oauth2());
    let desk = Desk { world, client };
    let long = |bytes: usize| {
        let padding = "x".repeat(bytes);
        Answer::json(&json!({"access_token": "a", "token_type": "bearer", "x": padding}))
    };
    assert!(desk.redeemed(long(1024 * 1024 - 100)).await.is_ok());
    assert_eq!(desk.reason(long(1024 * 1024)).await, "upstream_invalid");
}

#[tokio::test]
async fn sec_sf_05_a_token_request_is_never_redirected() {
    for status in [301, 302, 303, 307, 308] {
        let world = World::start().await;
        let upstream = world.oauth2();
        let answer = Answer::of("text/plain", "").status(status);
        world.on("/token", answer.header("location", &world.url("/thief")));
        let error = world.redeem(upstream).await.unwrap_err();
        assert_eq!(error.reason(), "upstream_refuses_us", "{status}");
        assert!(world.asked("/thief").is_empty());
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_out_of_reach() {
    let world = World::start().await;
    let client = world.client(world.oauth2());
    world.stop();
    let error = redeem(&client).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_unavailable");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up() {
    let world = World::start().await;
    let client = world.client_of_its_own(world.oauth2().timeout(Duration::from_millis(50)));
    world.stall("/token");
    let error = redeem(&client).await.unwrap_err();
    assert_eq!(error.reason(), "upstream_unavailable");
    assert_eq!(world.asked("/token").len(), 1, "a code is sent once");
}
