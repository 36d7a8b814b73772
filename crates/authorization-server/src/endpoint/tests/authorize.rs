//! What clients ask for.

use std::time::Duration;

use http::StatusCode;
use portcullis_oauth::scopes;
use portcullis_testkit::{Page, Site, Visit};

use super::world::{
    APP, Ask, CHALLENGE, DESK, RESOURCE, World, known, log_in, resource, to_consent,
};
use crate::client::{ClientOrigin, GrantType};
use crate::grant::record::{CodeRecord, GrantRecord};

const UNSUPPORTED: &str = "unsupported_response_type";

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

/// Each of these requests is refused in that word, to its client, and leaves nothing.
async fn each_is_told(world: &World, asks: impl IntoIterator<Item = (Ask, &'static str)>) {
    for (ask, error) in asks {
        let expected = (error.to_owned(), Some("a state".to_owned()));
        assert_eq!(told(world, &ask).await, expected, "{}", ask.query());
    }
    assert_eq!(world.decisions().await, 0);
}

#[tokio::test]
async fn sec_az_04_no_answer_but_a_code_is_given() {
    let world = World::new().await;
    let kinds = [
        "token",
        "id_token",
        "id_token token",
        "code token",
        "code id_token",
        "none",
        "CODE",
        "code ",
        " code",
        "code code",
    ];
    let asks = kinds.map(|kind| (Ask::of(DESK).with("response_type", kind), UNSUPPORTED));
    each_is_told(&world, asks).await;
    let without = Ask::of(DESK).without("response_type");
    each_is_told(&world, [(without, "invalid_request")]).await;
}

#[tokio::test]
async fn sec_az_05_the_answer_is_in_the_query_and_nowhere_else() {
    let world = World::new().await;
    let modes = [
        "fragment",
        "form_post",
        "web_message",
        "jwt",
        "query.jwt",
        "QUERY",
    ];
    let asks = modes.map(|mode| (Ask::of(DESK).with("response_mode", mode), "invalid_request"));
    each_is_told(&world, asks).await;
}

#[tokio::test]
async fn sec_az_06_a_request_object_is_neither_read_nor_fetched() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = format!("http://{}/request", listener.local_addr().unwrap());
    let world = World::new().await;
    let uri = |uri: &str| Ask::of(DESK).with("request_uri", uri);
    let asks = [
        (
            Ask::of(DESK).with("request", "e30.e30."),
            "request_not_supported",
        ),
        (
            uri("https://evil.example/request"),
            "request_uri_not_supported",
        ),
        (
            uri("urn:ietf:params:oauth:request_uri:x"),
            "request_uri_not_supported",
        ),
        (uri(&here), "request_uri_not_supported"),
    ];
    each_is_told(&world, asks).await;
    // Nobody came for it.
    assert!(futures_util::FutureExt::now_or_never(listener.accept()).is_none());
}

#[tokio::test]
async fn sec_az_07_scopes_beyond_the_bounds_are_refused() {
    let world = World::new().await;
    let (many, long) = ("x ".repeat(101), "x".repeat(4097));
    let asks = [many, long].map(|scope| (Ask::of(DESK).with("scope", &scope), "invalid_scope"));
    each_is_told(&world, asks).await;
}

#[tokio::test]
async fn sec_az_08_a_token_is_asked_for_a_resource_of_ours_alone() {
    let world = World::new().await;
    let foreign = [
        "https://evil.example/mcp",
        "https://mcp.example.evil/mcp",
        "https://mcp.example@evil.example/mcp",
        "https://mcp.example/mcp2",
        "https://mcp.example/mc",
        "https://mcp.example/MCP",
        "https://mcp.example/other/../mcp",
        "https://mcp.example/mcp#x",
        "https://mcp.example/mcp?x=1",
        "https://mcp.example:8443/mcp",
        "http://mcp.example/mcp",
        "javascript:alert(1)",
        "/mcp",
        "mcp",
    ];
    for resource in foreign {
        let alone = Ask::of(DESK).with("resource", resource);
        let beside = Ask::of(DESK)
            .with("resource", RESOURCE)
            .and("resource", resource);
        each_is_told(
            &world,
            [(alone, "invalid_target"), (beside, "invalid_target")],
        )
        .await;
    }
    let nine = (0..9).fold(Ask::of(DESK), |ask, _| ask.and("resource", RESOURCE));
    each_is_told(&world, [(nine, "invalid_target")]).await;
}

#[tokio::test]
async fn what_else_is_wrong_with_a_request_is_told_to_its_client() {
    let world = World::new().await;
    let asks = [
        (
            Ask::of(DESK).with("prompt", "none login"),
            "invalid_request",
        ),
        (Ask::of(DESK).with("max_age", "soon"), "invalid_request"),
    ];
    each_is_told(&world, asks).await;
    let long = Ask::of(DESK).with("state", &"s".repeat(4097));
    assert_eq!(told(&world, &long).await.0, "invalid_request");
}

#[tokio::test]
async fn sec_az_10_every_answer_names_its_issuer_once() {
    let world = World::new().await;
    let iss = |page: &Page| page.answer().one("iss").unwrap().map(str::to_owned);
    let ours = Some("https://mcp.example".to_owned());
    // A client that plants a second one gets none of it: it asks for another answer than `iss`.
    for ask in [
        Ask::of(DESK),
        Ask::of(DESK).with("iss", "https://evil.example"),
    ] {
        let browser = world.browser();
        let page = to_consent(&browser, &ask).await;
        assert_eq!(iss(&browser.press(&page, "approve", &[]).await), ours);
        let page = browser.open(&ask.url()).await;
        assert_eq!(iss(&browser.press(&page, "deny", &[]).await), ours);
        let faulty = ask.with("response_type", "token");
        let page = browser.open(&faulty.url()).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER);
        assert_eq!(iss(&page), ours);
    }
}

#[tokio::test]
async fn sec_pk_02_every_method_but_s256_is_refused() {
    let world = World::new().await;
    let methods = ["plain", "s256", "S512", "none", "S256 ", "SHA-256"];
    let asks = methods.map(|method| Ask::of(DESK).with("code_challenge_method", method));
    let without = [
        Ask::of(DESK).without("code_challenge_method"),
        Ask::of(DESK).with("code_challenge_method", ""),
        Ask::of(DESK).without("code_challenge"),
        Ask::of(DESK)
            .without("code_challenge")
            .without("code_challenge_method"),
    ];
    let asks = asks.into_iter().chain(without);
    each_is_told(&world, asks.map(|ask| (ask, "invalid_request"))).await;
}

#[tokio::test]
async fn sec_pk_03_every_challenge_but_a_sha_256_is_refused() {
    let world = World::new().await;
    let (short, _) = CHALLENGE.split_at(42);
    let challenges = [
        short.to_owned(),
        format!("{CHALLENGE}A"),
        format!("{CHALLENGE}="),
        format!("{short}+"),
        format!("{short}="),
        format!("{short} "),
        // Bits that no SHA-256 fills.
        format!("{short}N"),
        "a".repeat(128),
        "0".repeat(64),
    ];
    let asks = challenges.map(|challenge| Ask::of(DESK).with("code_challenge", &challenge));
    each_is_told(&world, asks.map(|ask| (ask, "invalid_request"))).await;
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
async fn sec_az_07_words_that_nobody_knows_are_worth_the_least() {
    for (default, required, shown) in [
        (
            Some(scopes!["notes:read"]),
            scopes!["notes:write"],
            "notes:read",
        ),
        (None, scopes!["notes:write"], "notes:write"),
        // Of the resource alone.
        (None, scopes![], "notes:write"),
    ] {
        let of_resource = required.is_empty();
        let world = World::with(|settings| {
            settings.default_scopes = default;
            settings.required_scopes = required;
        })
        .await;
        if of_resource {
            let mut known = resource(RESOURCE);
            known.required = scopes!["notes:write"];
            world.context.resources.add(known);
        }
        for scope in ["evil", "NOTES:READ Admin", "openid email", ""] {
            let browser = world.browser();
            let page = to_consent(&browser, &Ask::of(DESK).with("scope", scope)).await;
            let (start, _) = page.text.split_once("<dl").unwrap();
            for word in ["notes:read", "notes:write", "admin"] {
                assert_eq!(start.contains(word), word == shown, "{scope:?} {word}");
            }
        }
    }
    let world = World::new().await;
    let broken = [
        "notes:read\tadmin",
        "admin\u{a0}",
        "\"admin\"",
        "admin\n",
        "\u{2003}admin",
    ];
    let asks = broken.map(|scope| (Ask::of(DESK).with("scope", scope), "invalid_scope"));
    each_is_told(&world, asks).await;
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
    // What a request by `GET` has in its body is nothing.
    let body = Visit::get("/oauth/authorize").body(ask.query());
    let page = browser.visit(body).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(page.location(), None);

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
