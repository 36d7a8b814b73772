//! What users decide.

use std::time::Duration;

use http::StatusCode;
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_oauth::{Scope, ScopeHierarchy, scopes};
use portcullis_testkit::{Page, Site, Visit};

use super::world::{APP, Ask, CHALLENGE, DESK, World, known, log_in, to_consent};
use crate::client::ClientOrigin;
use crate::grant::record::CodeState;

/// The fields of a consent form, with another answer.
fn fields(page: &Page, action: &str) -> Vec<(String, String)> {
    let field = |name: &str| (name.to_owned(), page.field(name).unwrap());
    vec![
        field("request"),
        field("csrf"),
        ("action".to_owned(), action.to_owned()),
    ]
}

fn post(fields: &[(String, String)]) -> Visit {
    let pairs: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Visit::post("/oauth/consent", &pairs)
}

#[tokio::test]
async fn sec_cn_01_consent_is_asked_of_every_client_every_time() {
    let world = World::new().await;
    let browser = world.browser();
    for client in [APP, DESK, APP, APP] {
        let mut page = browser.open(&Ask::of(client).url()).await;
        if page.has_button("Sign in") {
            page = log_in(&browser, &page, "alice").await;
        }
        let name = format!("The {}", client.0);
        assert!(page.text.contains(&name), "{}", page.text);
        let page = browser.press(&page, "approve", &[]).await;
        assert!(page.answer().one("code").unwrap().is_some());
    }
}

#[tokio::test]
async fn sec_cn_04_an_answer_of_before_answers_nothing() {
    let world = World::new().await;
    for origin in [ClientOrigin::Registered, ClientOrigin::Configured] {
        world.clients.put(known(APP, origin));
        let browser = world.browser();
        let page = to_consent(&browser, &Ask::of(APP)).await;
        let page = browser.press(&page, "approve", &[]).await;
        assert!(page.answer().one("code").unwrap().is_some());
        let before = world.decisions().await;
        // The very same request, wherever the browser says that it comes from, if it says so.
        let again = || Visit::get(Ask::of(APP).url());
        for visit in [
            again().seen_from(Site::None),
            again().seen_from(Site::SameOrigin),
            again().seen_from(Site::CrossSite),
            again().without_header("sec-fetch-site"),
        ] {
            let page = browser.visit(visit).await;
            assert!(page.has_button("approve"), "{origin:?} {page:?}");
            assert_eq!(world.decisions().await, before);
        }
    }
}

#[tokio::test]
async fn sec_cn_03_an_approval_from_elsewhere_is_refused() {
    let world = World::new().await;
    let (victim, attacker) = (world.browser(), world.browser());
    let page = to_consent(&victim, &Ask::of(APP)).await;
    let own = fields(&page, "approve");
    let mine = to_consent(&attacker, &Ask::of(APP)).await;
    let foreign = fields(&mine, "approve");

    let mut mixed = own.clone();
    mixed[1].1.clone_from(&foreign[1].1);
    let mut bare = own.clone();
    bare.remove(1);
    for (who, visit) in [
        // The attacker's own request, sent by the victim's browser.
        (&victim, post(&foreign)),
        (&victim, post(&foreign).seen_from(Site::CrossSite)),
        // The victim's request with the attacker's token, or with none.
        (&victim, post(&mixed)),
        (&victim, post(&bare)),
        // CN-23: a form on the attacker's page; it carries no cookie, and says where it is from.
        (&victim, post(&own).seen_from(Site::CrossSite)),
        (&victim, post(&own).header("sec-fetch-site", "same-site")),
        (
            &victim,
            post(&own)
                .without_header("sec-fetch-site")
                .header("origin", "https://evil.example"),
        ),
        // What the victim's browser sees, sent by another one.
        (&attacker, post(&own)),
        (&world.browser(), post(&own)),
    ] {
        let answer = who.visit(visit.stay()).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
        assert_eq!(world.decisions().await, 0);
    }
    // An old browser says nothing of where a form is from; the token is enough.
    let quiet = post(&own)
        .without_header("sec-fetch-site")
        .without_header("origin");
    let answer = victim.visit(quiet).await;
    assert!(answer.answer().one("code").unwrap().is_some());
}

/// That a browser then forgets the page is seen in one: `cargo xtask pages --only comes`.
#[tokio::test]
async fn sec_cn_18_a_page_that_is_left_does_not_come_back_as_it_was() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(APP)).await;
    assert!(
        page.text
            .contains(r#"<img src="/oauth/shown" alt="" hidden>"#)
    );
    assert!(
        page.header("content-security-policy")
            .contains("img-src 'self'")
    );
    let mut cookies = Vec::new();
    for _ in 0..2 {
        let picture = browser.visit(Visit::get("/oauth/shown")).await;
        assert_eq!(picture.status, StatusCode::NO_CONTENT);
        assert_eq!(picture.header("cache-control"), "no-store");
        cookies.push(picture.header("set-cookie").to_owned());
    }
    assert_ne!(cookies[0], cookies[1]);
    assert!(cookies[0].starts_with("__Host-portcullis-shown="));
    assert!(cookies[0].ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"));
}

#[tokio::test]
async fn sec_cn_10_tabs_and_reloads_do_not_get_in_each_others_way() {
    let world = World::new().await;
    let browser = world.browser();
    let first = to_consent(&browser, &Ask::of(APP).with("state", "1")).await;
    let reloaded = browser.open(&first.url).await;
    let prefetched = Visit::get(&first.url).header("sec-purpose", "prefetch");
    browser.visit(prefetched).await;
    let second = browser.open(&Ask::of(DESK).with("state", "2").url()).await;
    let third = browser.open(&Ask::of(APP).with("state", "3").url()).await;
    for (page, state, to) in [(third, "3", APP), (reloaded, "1", APP), (second, "2", DESK)] {
        let page = browser.press(&page, "approve", &[]).await;
        assert!(page.location().unwrap().starts_with(to.1));
        assert_eq!(page.answer().one("state"), Ok(Some(state)));
    }
    let late = browser.press(&first, "deny", &[]).await;
    assert_eq!(
        late.status,
        StatusCode::CONFLICT,
        "it was answered in the other tab"
    );
}

#[tokio::test]
async fn sec_cn_11_an_answer_is_given_once() {
    let world = World::new().await;
    let browser = world.browser();
    for (first, second) in [("approve", "deny"), ("deny", "approve"), ("deny", "deny")] {
        browser.clear_cookies();
        let page = to_consent(&browser, &Ask::of(APP)).await;
        let answer = browser.press(&page, first, &[]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let before = world.decisions().await;
        let again = browser.press(&page, second, &[]).await;
        assert_eq!(again.status, StatusCode::CONFLICT, "{first}, then {second}");
        assert_eq!(again.location(), None);
        assert_eq!(world.decisions().await, before);
    }
}

/// A double click, or a browser that sends the form again because nothing came back.
#[tokio::test]
async fn an_approval_that_is_sent_again_has_the_same_answer() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(APP)).await;
    let first = browser.press(&page, "approve", &[]).await;
    let again = browser.press(&page, "approve", &[]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER);
    assert_eq!(again.location(), first.location());
    assert!(first.answer().one("code").is_ok_and(|code| code.is_some()));
    assert_eq!(world.decisions().await, 1);
    // Not in a session of later, though it is the same user and the same browser.
    browser.visit(Visit::get("/account")).await;
    let account = browser.open("/account").await;
    browser.press(&account, "Sign out", &[]).await;
    let login = browser.press(&page, "approve", &[]).await;
    let later = log_in(&browser, &login, "alice").await;
    let other = browser.press(&later, "approve", &[]).await;
    assert_eq!(other.status, StatusCode::CONFLICT, "{other:?}");
}

#[tokio::test]
async fn sec_cn_12_nothing_but_approve_approves() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(APP)).await;
    for action in [
        "", "Approve", "APPROVE", "approve ", "approved", "yes", "true",
    ] {
        let answer = browser.visit(post(&fields(&page, action))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{action}");
    }
    let mut twice = fields(&page, "approve");
    twice.push(("action".to_owned(), "deny".to_owned()));
    let mut none = fields(&page, "approve");
    none.pop();
    // An action that is none is seen before anything is looked up.
    let unsealed = vec![
        ("request".to_owned(), "x".to_owned()),
        ("action".to_owned(), "x".to_owned()),
    ];
    for bad in [twice, none, unsealed] {
        let answer = browser.visit(post(&bad)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    let json = post(&[])
        .body("{}")
        .header("content-type", "application/json");
    assert_eq!(browser.visit(json).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.decisions().await, 0);
}

#[tokio::test]
async fn sec_cn_13_a_change_between_page_and_approval_asks_again() {
    type Change = (&'static str, fn(&World));
    let world = World::new().await;
    let changes: [Change; 3] = [
        ("another name", |world| {
            let mut app = known(APP, ClientOrigin::Registered);
            app.name = Some("Your bank".to_owned());
            world.clients.put(app);
        }),
        ("one more redirect URI", |world| {
            let mut app = known(APP, ClientOrigin::Registered);
            app.redirect_uris
                .extend(known(DESK, ClientOrigin::Configured).redirect_uris);
            world.clients.put(app);
        }),
        ("fewer scopes", |world| {
            world
                .people
                .set(|moods| moods.scopes = Some(scopes!["notes:read"]));
        }),
    ];
    for (what, change) in changes {
        let browser = world.browser();
        let page = to_consent(&browser, &Ask::of(APP)).await;
        change(&world);
        let answer = browser.press(&page, "approve", &[]).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{what}: {answer:?}");
        assert_eq!(world.decisions().await, 0, "{what}");
        // It can be looked at again, and then approved as it is now.
        let links = answer.links("");
        let again = links
            .iter()
            .find(|link| link.contains("/oauth/consent?request="));
        let page = browser.open(again.unwrap()).await;
        assert!(page.has_button("approve"));
        world.clients.put(known(APP, ClientOrigin::Registered));
        world.people.set(|moods| moods.scopes = None);
    }
}

#[tokio::test]
async fn sec_az_17_nobody_approves_for_another_user() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(APP)).await;
    // Bob sits down at the same browser, in another tab.
    let other = browser
        .open(&Ask::of(DESK).with("prompt", "login").url())
        .await;
    log_in(&browser, &other, "bob").await;
    let answer = browser.press(&page, "approve", &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    // Alice is back, with another session.
    let other = browser
        .open(&Ask::of(DESK).with("prompt", "login").url())
        .await;
    log_in(&browser, &other, "alice").await;
    let answer = browser.press(&page, "approve", &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    assert_eq!(world.decisions().await, 0);
    let page = browser.open(&page.url).await;
    let answer = browser.press(&page, "approve", &[]).await;
    assert!(answer.answer().one("code").unwrap().is_some());
}

#[tokio::test]
async fn sec_cn_14_the_page_says_who_asks_for_what() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of((APP.0, "http://127.0.0.1:4711/cb"))).await;
    for shown in [
        "The app-1",
        "127.0.0.1:4711",
        "notes:read",
        "notes:write",
        "Notes",
        "alice",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
}

#[tokio::test]
async fn sec_cn_14_the_page_says_what_else_a_scope_implies() {
    let world = World::with(|settings| {
        let write = Scope::from_static("notes:write");
        let hierarchy = ScopeHierarchy::new().implies(write, scopes!["notes:read"]);
        settings.hierarchy = hierarchy;
    });
    let world = world.await;
    let ask = Ask::of(APP).with("scope", "notes:write");
    let page = to_consent(&world.browser(), &ask).await;
    for scope in ["notes:write", "notes:read"] {
        assert!(
            page.text.contains(&format!("<code>{scope}</code>")),
            "{page:?}"
        );
    }
}

#[tokio::test]
async fn sec_cn_22_a_denial_is_told_and_nothing_is_granted() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(APP)).await;
    let foreign = post(&fields(&page, "deny")).seen_from(Site::CrossSite);
    assert_eq!(browser.visit(foreign).await.status, StatusCode::FORBIDDEN);
    let mut forged = fields(&page, "deny");
    forged[1].1 = "A".repeat(86);
    assert_eq!(
        browser.visit(post(&forged)).await.status,
        StatusCode::FORBIDDEN
    );

    let answer = browser.press(&page, "deny", &[]).await;
    assert!(
        answer
            .location()
            .unwrap()
            .starts_with("http://127.0.0.1/cb?")
    );
    let answer = answer.answer();
    assert_eq!(answer.one("error"), Ok(Some("access_denied")));
    assert_eq!(answer.one("state"), Ok(Some("a state")));
    assert_eq!(answer.one("iss"), Ok(Some("https://mcp.example")));
    assert_eq!(answer.one("code"), Ok(None));
    // It is not remembered, and nobody is told of it at an address that is the client's no more.
    let page = browser.open(&Ask::of(APP).url()).await;
    assert!(page.has_button("approve"));
    let elsewhere = (APP.0, "http://127.0.0.1/elsewhere");
    world
        .clients
        .put(known(elsewhere, ClientOrigin::Registered));
    let answer = browser.press(&page, "deny", &[]).await;
    assert_eq!(
        (answer.status, answer.location()),
        (StatusCode::BAD_REQUEST, None)
    );
}

#[tokio::test]
async fn sec_az_14_a_page_that_was_left_open_ends() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(APP)).await;
    world.clock.advance(Duration::from_secs(600));
    let answer = browser.press(&page, "approve", &[]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(world.decisions().await, 0);
}

#[tokio::test]
async fn sec_pk_08_a_second_request_with_the_same_state_changes_no_challenge() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(APP)).await;
    let other = "qjrzSW9gMiUgpUvqgEPE4_-8swvyCtfOVvg55o5S_es";
    let second = browser
        .open(&Ask::of(APP).with("code_challenge", other).url())
        .await;
    assert_ne!(page.field("request"), second.field("request"));
    // The token of one form is none of the other's.
    let mut mixed = fields(&second, "approve");
    mixed[1].1 = page.field("csrf").unwrap();
    assert_eq!(
        browser.visit(post(&mixed)).await.status,
        StatusCode::FORBIDDEN
    );
    let first = browser.press(&page, "approve", &[]).await;
    let second = browser.press(&second, "approve", &[]).await;
    // Each code waits for the verifier of its own request.
    for (page, challenge) in [(&first, CHALLENGE), (&second, other)] {
        let code = AuthorizationCode::new(page.answer().required("code").unwrap());
        let (_, known) = world.context.ledger.look_up(&code).await.unwrap().unwrap();
        let CodeState::Issued(issued) = &known.state else {
            panic!("{known:?}");
        };
        assert_eq!(issued.code_challenge.as_str(), challenge);
    }
}

#[tokio::test]
async fn somebody_else_goes_on_with_the_same_request() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(APP)).await;
    let login = browser.press(&page, "Not you?", &[]).await;
    assert!(login.has_button("Sign in"), "{login:?}");
    let page = log_in(&browser, &login, "bob").await;
    assert!(page.text.contains("bob") && !page.text.contains("alice"));
    let answer = browser.press(&page, "approve", &[]).await;
    assert!(answer.answer().one("code").unwrap().is_some());
}

/// Denied as often as approved: both are kept for a while.
#[tokio::test]
async fn sec_ds_08_a_user_decides_so_often_and_no_more() {
    let world = World::new().await;
    let ask = Ask::of(DESK);
    let browser = world.browser();
    let mut page = to_consent(&browser, &ask).await;
    let mut decided = 0;
    loop {
        let button = if decided % 2 == 0 { "approve" } else { "deny" };
        let answer = browser.press(&page, button, &[]).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        decided += 1;
        assert!(decided <= 100, "nobody counts");
        page = browser.open(&ask.url()).await;
    }
    assert_eq!(decided, 100);
    assert_eq!(world.decisions().await, decided);
    // Another user is another matter, and so is another time.
    let other = world.browser();
    let theirs = other.open(&ask.url()).await;
    let theirs = log_in(&other, &theirs, "bob").await;
    assert!(
        other
            .press(&theirs, "approve", &[])
            .await
            .location()
            .is_some()
    );
    world.clock.advance(Duration::from_secs(1));
    assert!(
        browser
            .press(&page, "approve", &[])
            .await
            .location()
            .is_some()
    );
}
