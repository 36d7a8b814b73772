//! What clients ask for.

use std::time::Duration;

use http::StatusCode;
use portcullis_oauth::scopes;
use portcullis_testkit::{Site, Visit};

use super::world::{
    APP, Ask, CHALLENGE, DESK, RESOURCE, World, known, log_in, resource, to_consent,
};
use crate::client::{ClientOrigin, GrantType};
use crate::grant::record::{CodeRecord, GrantRecord};

/// What the configured client is told.
async fn told(world: &World, ask: &Ask) -> (String, Option<String>) {
    let page = world.browser().open(&ask.url()).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    assert!(page.location().unwrap().starts_with(DESK.1), "{page:?}");
    let answer = page.answer();
    // SEC-AZ-10: exactly one `iss` in every answer.
    assert_eq!(answer.one("iss"), Ok(Some("https://mcp.example")));
    let state = answer.one("state").unwrap().map(str::to_owned);
    (answer.required("error").unwrap().to_owned(), state)
}

#[tokio::test]
async fn sec_az_04_05_06_08_a_faulty_request_is_told_to_its_client() {
    let world = World::new().await;
    let desk = || Ask::of(DESK);
    let long = "x ".repeat(101);
    let words = "x".repeat(4097);
    for (ask, error) in [
        (desk().without("response_type"), "invalid_request"),
        (
            desk().with("response_type", "token"),
            "unsupported_response_type",
        ),
        (
            desk().with("response_type", "id_token"),
            "unsupported_response_type",
        ),
        (
            desk().with("response_type", "code token"),
            "unsupported_response_type",
        ),
        (
            desk().with("response_type", "none"),
            "unsupported_response_type",
        ),
        (
            desk().with("response_type", "CODE"),
            "unsupported_response_type",
        ),
        (
            desk().with("response_type", "code "),
            "unsupported_response_type",
        ),
        (
            desk().with("response_type", "code code"),
            "unsupported_response_type",
        ),
        (desk().with("response_mode", "fragment"), "invalid_request"),
        (
            desk().with("response_mode", "web_message"),
            "invalid_request",
        ),
        (desk().with("response_mode", "jwt"), "invalid_request"),
        (desk().with("request", "e30.e30."), "request_not_supported"),
        (
            desk().with("request_uri", "https://x.example"),
            "request_uri_not_supported",
        ),
        (desk().with("scope", &long), "invalid_scope"),
        (desk().with("scope", &words), "invalid_scope"),
        (
            desk().with("resource", "https://evil.example/mcp"),
            "invalid_target",
        ),
        (
            desk().with("resource", "https://mcp.example/mcp2"),
            "invalid_target",
        ),
        (
            desk().with("resource", "https://mcp.example/mcp#x"),
            "invalid_target",
        ),
        (
            desk().with("resource", "javascript:alert(1)"),
            "invalid_target",
        ),
        (desk().with("resource", "/mcp"), "invalid_target"),
        (
            desk()
                .with("resource", RESOURCE)
                .and("resource", "https://b.example"),
            "invalid_target",
        ),
        (desk().with("state", &"s".repeat(4097)), "invalid_request"),
        (desk().with("prompt", "none login"), "invalid_request"),
        (desk().with("max_age", "soon"), "invalid_request"),
    ] {
        let (told, _) = told(&world, &ask).await;
        assert_eq!(told, error, "{}", ask.query());
    }
    assert_eq!(world.decisions().await, 0);
}

#[tokio::test]
async fn sec_pk_02_and_03_every_challenge_but_a_sha_256_is_refused() {
    let world = World::new().await;
    let method = |method| Ask::of(DESK).with("code_challenge_method", method);
    let challenge = |challenge: &str| Ask::of(DESK).with("code_challenge", challenge);
    let (short, _) = CHALLENGE.split_at(42);
    for ask in [
        method("plain"),
        method("s256"),
        method("S512"),
        method("none"),
        Ask::of(DESK).without("code_challenge_method"),
        Ask::of(DESK).without("code_challenge"),
        Ask::of(DESK)
            .without("code_challenge")
            .without("code_challenge_method"),
        challenge(short),
        challenge(&format!("{CHALLENGE}A")),
        challenge(&format!("{short}+")),
        challenge(&format!("{short}=")),
    ] {
        let expected = ("invalid_request".to_owned(), Some("a state".to_owned()));
        assert_eq!(told(&world, &ask).await, expected, "{}", ask.query());
    }
}

#[tokio::test]
async fn a2_the_resource_has_several_spellings_and_is_one() {
    let world = World::new().await;
    let browser = world.browser();
    for ask in [
        Ask::of(DESK),
        Ask::of(DESK).with("resource", "https://mcp.example"),
        Ask::of(DESK).with("resource", "https://mcp.example/"),
        Ask::of(DESK).with("resource", RESOURCE),
        Ask::of(DESK).with("resource", "https://mcp.example/mcp/"),
        Ask::of(DESK)
            .with("resource", RESOURCE)
            .and("resource", RESOURCE),
    ] {
        browser.clear_cookies();
        let page = to_consent(&browser, &ask).await;
        assert!(
            page.text.contains("https://mcp.example/mcp<"),
            "{}",
            page.text
        );
    }
    world
        .context
        .resources
        .add(resource("https://mcp.example/b"));
    let (error, _) = told(&world, &Ask::of(DESK)).await;
    assert_eq!(error, "invalid_target");
}

#[tokio::test]
async fn a1_a10_scopes_are_read_with_patience_and_unknown_ones_dropped() {
    let world = World::new().await;
    for (scope, shown) in [
        (
            "  notes:read  notes:write ",
            &["notes:read", "notes:write"][..],
        ),
        ("openid email notes:write", &["notes:write"]),
        ("openid email", &["notes:read"]),
        ("", &["notes:read"]),
    ] {
        let browser = world.browser();
        let page = to_consent(&browser, &Ask::of(DESK).with("scope", scope)).await;
        for word in ["notes:read", "notes:write", "openid", "admin"] {
            let is_there = page.text.contains(word);
            assert_eq!(
                is_there,
                shown.contains(&word),
                "{scope:?} {word} {}",
                page.text
            );
        }
    }
}

#[tokio::test]
async fn sec_az_07_a_user_grants_no_more_than_he_has() {
    let world = World::new().await;
    world
        .people
        .set(|moods| moods.scopes = Some(scopes!["notes:read"]));
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(DESK).with("scope", "admin notes:read")).await;
    assert!(page.text.contains("notes:read") && !page.text.contains("admin"));

    world.people.set(|moods| moods.scopes = Some(scopes![]));
    let browser = world.browser();
    let page = browser.open(&Ask::of(DESK).url()).await;
    let page = log_in(&browser, &page, "alice").await;
    assert_eq!(
        page.answer().one("error"),
        Ok(Some("invalid_scope")),
        "{page:?}"
    );
}

#[tokio::test]
async fn a3_state_comes_back_byte_for_byte_or_not_at_all() {
    let world = World::new().await;
    let long = "\u{e4}+ &%\"<>".repeat(200);
    for state in [Some("x".repeat(43)), Some(long), None] {
        let browser = world.browser();
        let ask = Ask::of(DESK).without("state");
        let ask = match &state {
            Some(state) => ask.with("state", state),
            None => ask,
        };
        let page = to_consent(&browser, &ask).await;
        let page = browser.press(&page, "approve", &[]).await;
        assert_eq!(page.answer().one("state"), Ok(state.as_deref()));
    }
}

#[tokio::test]
async fn sec_az_03_parameters_come_from_one_place() {
    let world = World::new().await;
    let browser = world.browser();
    let ask = Ask::of(DESK);
    let post = |address: &str| Visit::post(address, &ask.pairs()).seen_from(Site::CrossSite);
    let page = browser.visit(post(&ask.url())).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(page.location(), None);
    let page = browser.visit(post("/oauth/authorize?x=1")).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);

    // A form of the client's page arrives without cookies, and other flows go on nevertheless.
    let first = to_consent(&browser, &ask).await;
    let second = browser.visit(post("/oauth/authorize")).await;
    assert!(second.has_button("approve"), "{second:?}");
    for page in [first, second] {
        let page = browser.press(&page, "approve", &[]).await;
        assert!(page.answer().one("code").unwrap().is_some(), "{page:?}");
    }
}

#[tokio::test]
async fn sec_az_11_prompt_none_grants_nothing_in_silence() {
    let world = World::new().await;
    let browser = world.browser();
    let silent = Ask::of(DESK).with("prompt", "none");
    let error = async || {
        let page = browser.open(&silent.url()).await;
        page.answer().required("error").unwrap().to_owned()
    };
    assert_eq!(error().await, "login_required");
    let page = to_consent(&browser, &Ask::of(DESK)).await;
    let page = browser.press(&page, "approve", &[]).await;
    assert!(page.answer().one("code").unwrap().is_some());
    assert_eq!(error().await, "consent_required");
    world.clock.advance(Duration::from_secs(61));
    let page = browser.open(&silent.with("max_age", "60").url()).await;
    assert_eq!(page.answer().one("error"), Ok(Some("login_required")));
}

#[tokio::test]
async fn sec_az_14_a_flood_of_requests_keeps_nothing_and_ends_no_other() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(DESK)).await;
    let rows = async || {
        let records = &world.context.records;
        let codes = records.count::<CodeRecord>().await.unwrap();
        codes + records.count::<GrantRecord>().await.unwrap()
    };
    let before = rows().await;
    for round in 0..300 {
        let flood = browser.another();
        let visit = Visit::get(Ask::of(APP).with("state", &round.to_string()).url()).stay();
        flood.visit(visit).await;
    }
    assert_eq!(rows().await, before);
    let page = browser.press(&page, "approve", &[]).await;
    assert!(page.answer().one("code").unwrap().is_some());
}

#[tokio::test]
async fn sec_az_14_requests_are_counted_by_source() {
    let world = World::new().await;
    world.from("192.0.2.1");
    let browser = world.browser();
    let mut last = browser.open(&Ask::of(DESK).url()).await;
    for _ in 0..1000 {
        if last.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        let visit = Visit::get("/oauth/authorize").header("accept", "*/*");
        last = browser.visit(visit).await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(!last.header("retry-after").is_empty());
    let page = browser.open(&Ask::of(DESK).url()).await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.header("content-type").starts_with("text/html"));
    world.from("192.0.2.2");
    assert!(
        browser
            .open(&Ask::of(DESK).url())
            .await
            .has_button("Sign in")
    );
}

#[tokio::test]
async fn sec_az_15_hints_are_text_and_nothing_else() {
    let world = World::new().await;
    let markup = "\"><script>alert(1)</script>";
    let ask = Ask::of(DESK)
        .with("login_hint", markup)
        .with("ui_locales", markup)
        .with("claims", markup)
        .with("nonce", markup);
    let browser = world.browser();
    let page = browser.open(&ask.url()).await;
    assert!(!page.text.contains("<script>"), "{}", page.text);
    assert_eq!(page.field("username").as_deref(), Some(markup));
    let page = log_in(&browser, &page, "alice").await;
    assert!(!page.text.contains("<script>"), "{}", page.text);

    let page = world
        .browser()
        .open(&ask.with("ui_locales", "de").url())
        .await;
    assert_eq!(page.header("content-language"), "de");
}

#[tokio::test]
async fn what_nobody_looks_at_sets_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let visit = Visit::get(Ask::of(DESK).url()).header("sec-purpose", "prefetch");
    let page = browser.visit(visit).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(browser.cookie_names().is_empty());
}

#[tokio::test]
async fn a_client_that_is_not_registered_for_codes_gets_none() {
    let world = World::new().await;
    let mut desk = known(DESK, ClientOrigin::Configured);
    desk.grant_types = vec![GrantType::CLIENT_CREDENTIALS];
    world.clients.put(desk);
    let (error, _) = told(&world, &Ask::of(DESK)).await;
    assert_eq!(error, "unauthorized_client");
}
