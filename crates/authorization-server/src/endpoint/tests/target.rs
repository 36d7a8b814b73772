//! Who is redirected to, and who is not.

use http::StatusCode;
use portcullis_testkit::{Page, Site, Visit};

use super::world::{APP, Ask, DESK, World, known, to_consent};
use crate::client::ClientOrigin;

/// A page of ours, and no way anywhere.
#[track_caller]
fn assert_local(page: &Page, status: StatusCode) {
    assert_eq!(page.status, status, "{page:?}");
    assert_eq!(page.location(), None);
    assert!(
        page.header("content-type").starts_with("text/html"),
        "{page:?}"
    );
    assert!(
        page.header("content-security-policy")
            .contains("frame-ancestors 'none'")
    );
    assert_eq!(page.header("cache-control"), "no-store");
}

/// A redirect to the client, as RFC 6749 section 4.1.2.1 and RFC 9207 want it.
#[track_caller]
fn assert_told(page: &Page, redirect_uri: &str, error: &str) {
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    assert!(
        page.location().unwrap().starts_with(redirect_uri),
        "{page:?}"
    );
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let answer = page.answer();
    assert_eq!(answer.one("error"), Ok(Some(error)), "{page:?}");
    assert_eq!(answer.one("iss"), Ok(Some("https://mcp.example")));
    assert_eq!(answer.one("code"), Ok(None));
    assert_eq!(page.text, "");
}

#[tokio::test]
async fn sec_ru_01_an_unregistered_redirect_is_shown_and_not_followed() {
    let world = World::new().await;
    let browser = world.browser();
    let other = |uri: &str| Ask::of(DESK).with("redirect_uri", uri);
    for ask in [
        other("https://evil.example/cb"),
        other("https://desk.example/cb/"),
        other("https://desk.example/CB"),
        other("https://DESK.example/cb"),
        other("https://desk.example/cb?x=1"),
        other("https://desk.example/cb#x"),
        other("https://desk.example:443/cb"),
        other("javascript:alert(1)"),
        other("http://desk.example/cb"),
        other("cb"),
        other(""),
        Ask::of(DESK).without("redirect_uri"),
        Ask::of(APP).with("redirect_uri", "http://127.0.0.1/other"),
        Ask::of(APP).with("redirect_uri", "http://localhost/cb"),
        Ask::of(APP).with("redirect_uri", "http://[::1]:7/cb"),
        Ask::of(APP).with("redirect_uri", DESK.1),
        Ask::of((APP.0, DESK.1)),
    ] {
        // Whatever else is wrong with it, and whatever it asks for, nobody is sent there.
        for ask in [
            ask.clone(),
            ask.clone().with("prompt", "none"),
            ask.clone().with("response_mode", "fragment"),
            ask.clone().and("state", "again"),
            ask.without("code_challenge"),
        ] {
            let page = browser.open(&ask.url()).await;
            assert_local(&page, StatusCode::BAD_REQUEST);
            assert!(!page.text.contains("evil.example"), "{}", page.text);
        }
    }
}

#[tokio::test]
async fn sec_ru_14_a_request_names_its_redirect_uri() {
    let world = World::new().await;
    let browser = world.browser();
    // Though each of them has only one.
    for client in [DESK, APP] {
        for ask in [
            Ask::of(client).without("redirect_uri"),
            Ask::of(client).with("redirect_uri", ""),
            Ask::of(client).with("redirect_uri", " "),
        ] {
            for ask in [ask.clone(), ask.with("response_type", "token")] {
                let page = browser.open(&ask.url()).await;
                assert_local(&page, StatusCode::BAD_REQUEST);
                assert!(!page.text.contains(client.1), "{}", page.text);
            }
        }
    }
}

#[tokio::test]
async fn sec_ru_19_an_error_goes_no_further_than_a_code_would() {
    let world = World::new().await;
    let browser = world.browser();
    let stranger = Ask::of(("nobody", DESK.1));
    let elsewhere = Ask::of(DESK).with("redirect_uri", "https://evil.example/cb");
    for ask in [stranger, elsewhere] {
        for ask in [
            ask.clone().with("prompt", "none"),
            ask.clone().with("response_type", "token"),
            ask.clone().with("response_mode", "form_post"),
            ask.clone().with("scope", &"x ".repeat(200)),
            ask.clone().with("resource", "https://evil.example/mcp"),
            ask.clone().with("request_uri", "https://evil.example/r"),
            ask.clone().and("state", "again"),
            ask.clone().and("scope", "again"),
            ask.clone().without("code_challenge"),
            ask.with("max_age", "soon"),
        ] {
            let page = browser.open(&ask.url()).await;
            assert_local(&page, StatusCode::BAD_REQUEST);
            assert!(page.links("evil.example").is_empty(), "{}", page.text);
            // Nor is a program, or a form that is posted from elsewhere.
            let program = Visit::get(ask.url()).header("accept", "*/*");
            let posted = Visit::post("/oauth/authorize", &ask.pairs()).seen_from(Site::CrossSite);
            for visit in [program, posted] {
                let page = browser.visit(visit).await;
                assert_eq!(page.status, StatusCode::BAD_REQUEST, "{page:?}");
                assert_eq!(page.location(), None);
            }
        }
    }
}

#[tokio::test]
async fn a5_loopback_ports_vary_and_hosts_do_not() {
    let world = World::new().await;
    for uri in ["http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"] {
        let browser = world.browser();
        let page = to_consent(&browser, &Ask::of((APP.0, uri))).await;
        let page = browser.press(&page, "approve", &[]).await;
        assert!(
            page.location()
                .unwrap()
                .starts_with(&format!("{uri}?code=")),
            "{page:?}"
        );
    }
}

#[tokio::test]
async fn sec_az_02_a_repeated_target_is_shown_and_another_repeat_is_told() {
    let world = World::new().await;
    let browser = world.browser();
    for (name, value) in [
        ("client_id", DESK.0),
        ("client_id", ""),
        ("redirect_uri", DESK.1),
    ] {
        let page = browser.open(&Ask::of(DESK).and(name, value).url()).await;
        assert_local(&page, StatusCode::BAD_REQUEST);
    }
    for name in [
        "state",
        "code_challenge",
        "code_challenge_method",
        "scope",
        "response_type",
        "response_mode",
        "prompt",
        "max_age",
        "login_hint",
        "unknown",
    ] {
        let ask = Ask::of(DESK).with(name, "code").and(name, "code");
        let page = browser.open(&ask.url()).await;
        assert_told(&page, DESK.1, "invalid_request");
        let state = (name != "state").then_some("a state");
        assert_eq!(page.answer().one("state"), Ok(state), "{name}");
    }
}

#[tokio::test]
async fn a6_an_unknown_client_is_told_on_a_page() {
    let world = World::new().await;
    let browser = world.browser();
    let ask = Ask::of(("nobody", "https://evil.example/<script>"));
    let page = browser.open(&ask.url()).await;
    assert_local(&page, StatusCode::BAD_REQUEST);
    assert!(!page.text.contains("<script>") && !page.text.contains("nobody"));

    let visit = Visit::get(Ask::of(("nobody", DESK.1)).url()).header("accept", "*/*");
    let page = browser.visit(visit).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(page.header("content-type"), "application/json");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(
        page.text.contains(r#""error":"invalid_request""#),
        "{}",
        page.text
    );
    let metadata = "https://mcp.example/.well-known/oauth-authorization-server";
    assert!(page.text.contains(metadata), "{}", page.text);
    let desk = "https://mcp.example/oauth/register";
    assert!(page.text.contains(desk), "{}", page.text);
    assert!(page.header("link").starts_with(&format!("<{desk}>; rel=")));
    assert!(!page.text.contains("nobody"));
}

#[tokio::test]
async fn sec_ru_22_nobody_is_sent_on_to_a_stranger() {
    let world = World::new().await;
    let browser = world.browser();
    let faulty = |client| Ask::of(client).with("response_type", "token");
    // The operator's own client hears of it at once.
    let page = browser.open(&faulty(DESK).url()).await;
    assert_told(&page, DESK.1, "unsupported_response_type");

    // One that registered itself does when the user follows the link, which shows where it leads.
    for ask in [faulty(APP), Ask::of(APP).with("prompt", "none")] {
        let page = browser.open(&ask.url()).await;
        assert_local(&page, StatusCode::BAD_REQUEST);
        let links = page.links("127.0.0.1");
        let [link] = links.as_slice() else {
            panic!("{links:?} {}", page.text);
        };
        assert!(link.starts_with("http://127.0.0.1/cb?error="), "{link}");
        assert!(link.contains("iss=https%3A%2F%2Fmcp.example"), "{link}");
        assert!(link.contains("state=a+state"), "{link}");
    }
    // A program, whom no link leads astray, hears of it at once too.
    let visit = Visit::get(faulty(APP).url()).header("accept", "*/*");
    let page = browser.visit(visit).await;
    assert_told(&page, APP.1, "unsupported_response_type");
    // And so does a client whose user decided.
    let page = to_consent(&browser, &Ask::of(APP)).await;
    let page = browser.press(&page, "deny", &[]).await;
    assert_told(&page, APP.1, "access_denied");
}

#[tokio::test]
async fn sec_ru_18_a_redirect_that_is_gone_is_not_followed() {
    let world = World::new().await;
    let browser = world.browser();
    for button in ["approve", "deny"] {
        for is_removed in [true, false] {
            let page = to_consent(&browser, &Ask::of(APP)).await;
            if is_removed {
                world.clients.remove(APP.0);
            } else {
                let elsewhere = (APP.0, "http://127.0.0.1/elsewhere");
                world
                    .clients
                    .put(known(elsewhere, ClientOrigin::Registered));
            }
            let page = browser.press(&page, button, &[]).await;
            assert_local(&page, StatusCode::BAD_REQUEST);
            world.clients.put(known(APP, ClientOrigin::Registered));
            browser.clear_cookies();
        }
    }
    assert_eq!(world.decisions().await, 0);
}

#[tokio::test]
async fn sec_ru_20_redirects_are_303_and_private() {
    let world = World::new().await;
    let browser = world.browser();
    let visit = Visit::get(Ask::of(DESK).url()).seen_from(Site::CrossSite);
    let page = browser.visit(visit.stay()).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert!(
        page.location()
            .unwrap()
            .starts_with("/oauth/login?request=")
    );
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cache-control"), "no-store");

    let page = to_consent(&browser, &Ask::of(DESK)).await;
    let page = browser.press(&page, "approve", &[]).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER);
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cache-control"), "no-store");
    let answer = page.answer();
    assert!(answer.required("code").unwrap().len() >= 43);
    assert_eq!(answer.one("state"), Ok(Some("a state")));
    assert_eq!(answer.one("iss"), Ok(Some("https://mcp.example")));
    assert_eq!(answer.iter().count(), 3);
}
