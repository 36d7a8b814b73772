//! Whatever strangers send, the server says no and goes on.

use std::time::Duration;

use http::{Method, StatusCode};
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_testkit::store::Fault;
use portcullis_testkit::{Browser, CapturedLogs, Page, Visit};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::world::{Ask, DESK, World, log_in, to_consent};
use crate::endpoint::path::{ACCOUNT, AUTHORIZE, CONSENT, LOGIN, LOGOUT};

/// Pieces of which requests are made, odd ones among them.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "(client_id|redirect_uri|state|scope|resource|request|csrf|action|again|grant|prompt|max_age)",
        "(desk|https://desk.example/cb|code|S256|approve|deny|revoke|none|login|9{1,30})",
        "[A-Za-z0-9_-]{0,90}",
        "(%|%00|%ff|%zz|&|=|\\+|\u{e4}|\u{202e}|<script>)",
    ]
}

#[test]
fn sec_ds_11_no_request_is_a_failure_of_ours() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.unwrap();
    let world = runtime.block_on(World::new());
    let browser = world.browser();
    let consent = runtime.block_on(to_consent(&browser, &Ask::of(DESK)));
    let (request, csrf) = (
        consent.field("request").unwrap(),
        consent.field("csrf").unwrap(),
    );
    let places = prop::sample::select(vec![AUTHORIZE, LOGIN, CONSENT, ACCOUNT, LOGOUT]);
    let pieces = prop::collection::vec((piece(), piece()), 0..8);
    let cases = (places, pieces, any::<[bool; 4]>());
    let mut runner = TestRunner::new(Config::with_cases(600));
    let checked = runner.run(
        &cases,
        |(place, pieces, [posts, escaped, known, cookies])| {
            let mut pairs: Vec<(&str, &str)> = pieces
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            if known {
                pairs.extend([("request", request.as_str()), ("csrf", csrf.as_str())]);
            }
            let raw: Vec<String> = pairs
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let raw: String = raw
                .join("&")
                .chars()
                .filter(char::is_ascii_graphic)
                .collect();
            let encoded = portcullis_oauth::form::encode(&pairs);
            let sent = if escaped { encoded } else { raw };
            let sent = sent.replace(['<', '>', '"'], "");
            let visit = if posts || place == LOGOUT {
                Visit::post(place, &[]).body(sent)
            } else {
                Visit::get(format!("{place}?{sent}"))
            };
            let visit = if cookies {
                visit
            } else {
                visit.without_cookies()
            };
            let page = runtime.block_on(browser.visit(visit.stay()));
            prop_assert!(!page.status.is_server_error(), "{page:?}");
            prop_assert!(!page.text.contains("<script>"));
            // None of it comes near a client that was not named rightly.
            if let Some(location) = page.location() {
                prop_assert!(
                    location.starts_with('/') || location.starts_with(DESK.1),
                    "{location}"
                );
            }
            Ok(())
        },
    );
    checked.unwrap();
}

#[tokio::test]
async fn sec_az_14_documents_are_fetched_within_limits() {
    let logs = CapturedLogs::start();
    let world = World::new().await;
    world.from("192.0.2.1");
    let browser = world.browser();
    let mut answers = Vec::new();
    for number in 0..40 {
        // Hosts that no resolver knows (RFC 6761 section 6.4).
        let id = format!("https://app-{number}.invalid/client.json");
        let redirect_uri = format!("https://app-{number}.invalid/cb");
        let page = browser.open(&Ask::of((&id, &redirect_uri)).url()).await;
        assert_eq!(page.location(), None);
        answers.push(page.status);
    }
    assert!(
        answers.contains(&StatusCode::TOO_MANY_REQUESTS),
        "{answers:?}"
    );
    assert!(
        answers.contains(&StatusCode::SERVICE_UNAVAILABLE),
        "{answers:?}"
    );
    // Nobody fills our log with failures of theirs.
    assert!(!logs.text().contains("ERROR"), "{}", logs.text());
    // Who brings no document is not stopped by those who do.
    assert!(
        browser
            .open(&Ask::of(DESK).url())
            .await
            .has_button("Sign in")
    );
    world.clock.advance(Duration::from_secs(3600));
    let visit = Visit::get(Ask::of(DESK).url()).method(Method::HEAD);
    assert!(browser.visit(visit).await.status.is_success());
}

/// A person who tries again when something did not work, and what was seen last.
async fn persist(browser: &Browser) -> Page {
    let mut page = browser.open(&Ask::of(DESK).url()).await;
    let mut before = page.clone();
    for _ in 0..8 {
        let next = if page.status == StatusCode::SERVICE_UNAVAILABLE {
            before.clone()
        } else {
            page.clone()
        };
        page = if next.has_button("approve") {
            browser.press(&next, "approve", &[]).await
        } else if next.has_button("Sign in") {
            log_in(browser, &next, "alice").await
        } else if next.location().is_some() {
            return next;
        } else {
            browser.open(&Ask::of(DESK).url()).await
        };
        if next.status != StatusCode::SERVICE_UNAVAILABLE {
            before = next;
        }
    }
    page
}

#[tokio::test]
async fn sec_st_14_no_code_is_given_that_was_not_kept() {
    let mut given = 0;
    for fault in [Fault::Refused, Fault::AnswerLost] {
        for later in 0.. {
            let (world, store) = World::faulty().await;
            let browser = world.browser();
            let before = store.operations();
            store.fail(later, fault);
            let page = persist(&browser).await;
            let has_failed = store.operations() - before > later;
            store.heal();
            // Whoever tries again is sent on with a code, also where the first one was never heard of.
            assert!(page.location().is_some(), "{fault:?} {later}: {page:?}");
            let code = AuthorizationCode::new(page.answer().required("code").unwrap());
            let known = world.context.ledger.look_up(&code).await.unwrap();
            assert!(known.is_some(), "{fault:?} {later}");
            given += 1;
            if !has_failed {
                break;
            }
        }
    }
    assert!(given > 5, "{given}");
}
