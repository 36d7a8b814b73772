//! Authorization requests and tokens, as clients ask for them and lose them.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use portcullis_oauth::form;
use portcullis_oauth::json::{Value, json};
use portcullis_testkit::{Page, Visit};

use crate::client::{Client, Dialect, VERIFIER, back_channel, plain, text};
use crate::world::{self, BASE, RESOURCE, World};

async fn client(world: &World) -> Client {
    let dialect = Dialect {
        registration: json!({"redirect_uris": ["http://127.0.0.1/cb"]}),
        redirect_uri: "http://127.0.0.1:7000/cb",
        query: "scope=notes%3Aread+notes%3Awrite&state=abc",
        granted: "notes:read notes:write",
        ..plain()
    };
    Client::register(world.browser.clone(), dialect).await
}

fn error(page: &Page) -> (u16, String) {
    let error = world::json(page)["error"].as_str().unwrap().to_owned();
    (page.status.as_u16(), error)
}

async fn redeem(client: &Client, code: &str, verifier: Option<&str>) -> Page {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", client.dialect.redirect_uri),
    ];
    fields.extend(verifier.map(|verifier| ("code_verifier", verifier)));
    client.post("token", fields).await
}

async fn refresh(client: &Client, token: &str) -> Page {
    let fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
    client.post("token", fields).await
}

#[tokio::test]
async fn a6_a_program_hears_that_its_client_was_forgotten() {
    let world = World::new();
    let client = client(&world).await;
    let registered = form::encode(&[("client_id", client.id())]);
    let forgotten = "client_id=0123456789abcdef0123456789abcdef";
    let page = world
        .browser
        .open(&client.authorize_url().replace(&registered, forgotten))
        .await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(
        page.text.contains("again"),
        "it says how to go on: {}",
        page.text
    );
    for fields in [
        [("grant_type", "refresh_token"), ("refresh_token", "x")],
        [("grant_type", "authorization_code"), ("code", "x")],
    ] {
        let fields = [
            &fields[..],
            &[("client_id", "0123456789abcdef0123456789abcdef")],
        ]
        .concat();
        let page = back_channel(&world.browser, Visit::post("/oauth/token", &fields)).await;
        assert_eq!(error(&page), (401, "invalid_client".to_owned()));
        assert_eq!(page.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn a7_a_consent_page_that_is_loaded_twice_still_works() {
    let world = World::new();
    let client = client(&world).await;
    let first = client.consent_page().await;
    let second = world.browser.open(&first.url).await;
    for page in [&second, &first] {
        assert!(page.has_button("approve"), "{page:?}");
    }
    let back = world.browser.press(&second, "approve", &[]).await;
    let code = back.answer().required("code").unwrap().to_owned();
    client.tokens(code).await;
    // The other one comes too late, and changes nothing.
    let late = world.browser.press(&first, "approve", &[]).await;
    assert_eq!(late.location(), None);
}

#[tokio::test]
async fn a9_every_answer_says_who_gives_it() {
    let world = World::new();
    let client = client(&world).await;
    let said = |page: &Page| {
        let answer = page.answer();
        assert_eq!(answer.one("iss"), Ok(Some(BASE)), "{page:?}");
        assert_eq!(answer.one("state"), Ok(Some("abc")));
        answer
    };
    let page = client.consent_page().await;
    said(&world.browser.press(&page, "approve", &[]).await);
    let page = world.browser.open(&client.authorize_url()).await;
    let denied = said(&world.browser.press(&page, "deny", &[]).await);
    assert_eq!(denied.one("error"), Ok(Some("access_denied")));
    // A program, which follows no link, is told at once.
    let faulty = client.authorize_url().replace("S256", "plain");
    let told = back_channel(&world.browser, Visit::get(faulty).header("accept", "*/*")).await;
    assert_eq!(said(&told).one("error"), Ok(Some("invalid_request")));
    let path = "/.well-known/oauth-authorization-server";
    let metadata = world::json(&world.browser.open(path).await);
    assert_eq!(
        metadata["authorization_response_iss_parameter_supported"],
        true
    );
    assert_eq!(metadata["issuer"], BASE);
}

#[tokio::test]
async fn t2_without_s256_nobody_gets_a_code_or_a_token() {
    let world = World::new();
    let client = client(&world).await;
    let right = client.authorize_url();
    let (before, _) = right.split_once("&code_challenge=").unwrap();
    let rest = client.dialect.query;
    for wrong in [
        right.replace("S256", "plain"),
        right.replace("&code_challenge_method=S256", ""),
        format!("{before}&{rest}"),
    ] {
        let visit = Visit::get(wrong).header("accept", "*/*");
        let page = back_channel(&world.browser, visit).await;
        let answer = page.answer();
        assert_eq!(answer.one("error"), Ok(Some("invalid_request")), "{page:?}");
        assert_eq!(answer.one("code"), Ok(None));
    }
    let code = client.code().await;
    for verifier in [None, Some("x".repeat(43))] {
        let page = redeem(&client, &code, verifier.as_deref()).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{page:?}");
    }
    let page = redeem(&client, &code, Some(VERIFIER)).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
}

#[tokio::test]
async fn t3_a_code_that_comes_twice_ends_what_came_of_it() {
    let world = World::new();
    let client = client(&world).await;
    let code = client.code().await;
    let tokens = client.tokens(code.clone()).await;
    assert_eq!(client.call(&tokens).await, StatusCode::OK);
    let again = redeem(&client, &code, Some(VERIFIER)).await;
    assert_eq!(error(&again), (400, "invalid_grant".to_owned()));
    assert_eq!(client.call(&tokens).await, StatusCode::UNAUTHORIZED);
    let page = refresh(&client, text(&tokens, "refresh_token")).await;
    assert_eq!(error(&page), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn t4_refreshes_one_after_another_and_twenty_at_once() {
    let world = World::new();
    let client = client(&world).await;
    let first = client.tokens(client.code().await).await;
    let mut last = first.clone();
    for _ in 0..3 {
        world.clock.advance(Duration::from_secs(3600));
        let answers = join_all((0..20).map(|_| client.refresh(&last))).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]));
        last = answers.into_iter().next().unwrap();
        assert_eq!(client.call(&last).await, StatusCode::OK);
    }
    // Within a minute the one before is the same family; the first is not taken for it.
    let reused = refresh(&client, text(&first, "refresh_token")).await;
    assert_eq!(error(&reused), (400, "invalid_grant".to_owned()));
    assert_eq!(client.call(&last).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn t5_an_answer_that_got_lost_comes_again() {
    let world = World::new();
    let client = client(&world).await;
    let first = client.tokens(client.code().await).await;
    let lost = client.refresh(&first).await;
    world.clock.advance(Duration::from_secs(30));
    let again = client.refresh(&first).await;
    for name in ["access_token", "refresh_token"] {
        assert_eq!(text(&again, name), text(&lost, name));
    }
    client.refresh(&again).await;
    let late = refresh(&client, text(&first, "refresh_token")).await;
    assert_eq!(error(&late), (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn t7_a_refresh_names_its_resource_and_fewer_scopes() {
    let world = World::new();
    let client = client(&world).await;
    let first = client.tokens(client.code().await).await;
    let fewer = client
        .token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", text(&first, "refresh_token")),
            ("scope", "notes:read"),
        ])
        .await;
    assert_eq!(text(&fewer, "scope"), "notes:read");
    assert_eq!(client.call(&fewer).await, StatusCode::OK);
    for resource in [
        RESOURCE,
        "https://mcp.example.com",
        "https://mcp.example.com/",
    ] {
        let fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", text(&fewer, "refresh_token")),
            ("resource", resource),
        ];
        let page = client.post("token", fields).await;
        assert_eq!(page.status, StatusCode::OK, "{resource} {page:?}");
        assert_eq!(text(&world::json(&page), "scope"), "notes:read notes:write");
    }
}

#[tokio::test]
async fn t10_an_answer_says_how_long_and_how_far() {
    let world = World::new();
    let mut client = client(&world).await;
    client.dialect.query = "scope=notes%3Aread+unheard+of&state=abc";
    let code = client.code().await;
    let page = redeem(&client, &code, Some(VERIFIER)).await;
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("pragma"), "no-cache");
    assert_eq!(page.header("content-type"), "application/json");
    let tokens = world::json(&page);
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], "notes:read");
    assert_eq!(tokens["token_type"], "Bearer");
    assert!(
        tokens
            .as_object()
            .unwrap()
            .values()
            .all(|value| !value.is_null())
    );
    world.clock.advance(Duration::from_secs(600));
    let again = client.refresh(&tokens).await;
    assert!(again["expires_in"].is_u64());
    assert_eq!(again["scope"], "notes:read");
}

#[tokio::test]
async fn t11_a_token_of_either_kind_takes_the_grant_along() {
    let world = World::new();
    let client = client(&world).await;
    for name in ["access_token", "refresh_token"] {
        for hint in [None, Some(name), Some("access_token"), Some("unheard_of")] {
            let page = world.browser.open(&client.authorize_url()).await;
            let page = if page.has_button("approve") {
                page
            } else {
                client.consent_page().await
            };
            let back = world.browser.press(&page, "approve", &[]).await;
            let code = back.answer().required("code").unwrap().to_owned();
            let tokens: Value = client.tokens(code).await;
            let mut fields = vec![("token", text(&tokens, name))];
            fields.extend(hint.map(|hint| ("token_type_hint", hint)));
            let page = client.post("revoke", fields).await;
            assert_eq!((page.status, page.text.as_str()), (StatusCode::OK, ""));
            assert_eq!(client.call(&tokens).await, StatusCode::UNAUTHORIZED);
            let page = refresh(&client, text(&tokens, "refresh_token")).await;
            assert_eq!(error(&page), (400, "invalid_grant".to_owned()));
        }
    }
}
