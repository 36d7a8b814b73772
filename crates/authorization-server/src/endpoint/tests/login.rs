//! Who is at the browser.

use std::time::Duration;

use http::StatusCode;
use portcullis_oauth::secret::AuthorizationCode;
use portcullis_testkit::{CapturedLogs, Site, Visit};

use super::world::{APP, Ask, DESK, World, log_in, to_consent};
use crate::grant::record::CodeState;
use crate::users::Persona;

const SESSION: &str = "__Host-portcullis-session";
const BROWSER: &str = "__Host-portcullis-browser";

#[tokio::test]
async fn sec_op_03_an_unknown_name_and_a_wrong_password_are_one_answer() {
    let world = World::new().await;
    let browser = world.browser();
    let page = browser.open(&Ask::of(DESK).url()).await;
    let mut answers = Vec::new();
    for (username, password) in [("alice", "wrong"), ("carol", "wrong"), ("alice", "")] {
        let fields = [("username", username), ("password", password)];
        let answer = browser.press(&page, "Sign in", &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.field("username").as_deref(), Some(username));
        assert_eq!(answer.field("password").as_deref(), Some(""));
        answers.push(answer.text.replace(username, "NAME"));
    }
    // The sealed request is the same, and nothing else differs.
    assert!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "{answers:?}"
    );
    assert!(!browser.cookie_names().contains(&SESSION.to_owned()));
    let page = log_in(&browser, &page, "alice").await;
    assert!(page.has_button("approve"));
}

#[tokio::test]
async fn sec_az_16_a_login_makes_a_new_session() {
    let world = World::new().await;
    let (attacker, victim) = (world.browser(), world.browser());
    to_consent(&attacker, &Ask::of(DESK)).await;
    let planted = attacker.cookie(SESSION).unwrap();
    victim.plant_cookie(SESSION, &planted);

    let page = victim
        .open(&Ask::of(DESK).with("prompt", "login").url())
        .await;
    let page = log_in(&victim, &page, "bob").await;
    assert!(page.text.contains("bob"), "{}", page.text);
    assert_ne!(victim.cookie(SESSION).unwrap(), planted);
    // What was planted is worth nothing any more, to nobody.
    let page = attacker.open(&Ask::of(DESK).url()).await;
    assert!(page.has_button("Sign in") && !page.text.contains("bob"));
}

#[tokio::test]
async fn sec_az_16_who_may_not_log_in_any_more_is_not_logged_in() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(DESK)).await;
    world
        .people
        .set(|moods| moods.gone.push("alice".to_owned()));
    let answer = browser.press(&page, "approve", &[]).await;
    assert!(answer.has_button("Sign in"), "{answer:?}");
    let answer = log_in(&browser, &answer, "alice").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(world.decisions().await, 0);
}

#[tokio::test]
async fn sec_az_17_a_password_that_changes_meanwhile_ends_the_approval() {
    let world = World::new().await;
    let browser = world.browser();
    let page = to_consent(&browser, &Ask::of(DESK)).await;
    world.people.set(|moods| moods.generation = 1);
    let answer = browser.press(&page, "approve", &[]).await;
    assert!(answer.has_button("Sign in"), "{answer:?}");
    assert_eq!(world.decisions().await, 0);

    // What is approved is bound to the login, and ends when a password is changed later.
    let page = log_in(&browser, &answer, "alice").await;
    let answer = browser.press(&page, "approve", &[]).await.answer();
    let code = AuthorizationCode::new(answer.required("code").unwrap());
    let known = world.context.ledger.look_up(&code).await.unwrap();
    let (_, known) = known.unwrap();
    let CodeState::Issued(issued) = &known.state else {
        panic!("{known:?}");
    };
    assert_eq!(issued.owner.generation, 1);
}

#[tokio::test]
async fn sec_az_11_prompt_login_asks_a_user_who_is_logged_in() {
    let world = World::new().await;
    let browser = world.browser();
    to_consent(&browser, &Ask::of(DESK)).await;
    let anew = Ask::of(DESK).with("prompt", "login");
    let first = browser.open(&anew.url()).await;
    assert!(first.has_button("Sign in"), "{first:?}");
    let page = log_in(&browser, &first, "alice").await;
    assert!(page.has_button("approve"));
    // The page from before the login leads to the login again, not around it.
    let again = browser.open(&first.url).await;
    assert!(again.has_button("Sign in"), "{again:?}");
    // Neither does its consent page open by hand.
    let consent = first.url.replace("/login", "/consent");
    assert!(browser.open(&consent).await.has_button("Sign in"));
    let page = browser.press(&page, "approve", &[]).await;
    assert!(page.answer().one("code").unwrap().is_some());
}

#[tokio::test]
async fn sec_az_11_max_age_is_the_age_of_the_login() {
    let world = World::new().await;
    let browser = world.browser();
    to_consent(&browser, &Ask::of(DESK)).await;
    let minute = Ask::of(DESK).with("max_age", "60");
    world.clock.advance(Duration::from_secs(60));
    assert!(browser.open(&minute.url()).await.has_button("approve"));
    world.clock.advance(Duration::from_secs(1));
    let page = browser.open(&minute.url()).await;
    assert!(page.has_button("Sign in"));
    let page = log_in(&browser, &page, "alice").await;
    // Who reads slowly is not asked again.
    world.clock.advance(Duration::from_secs(300));
    let page = browser.press(&page, "approve", &[]).await;
    assert!(page.answer().one("code").unwrap().is_some(), "{page:?}");
}

#[tokio::test]
async fn sec_cn_03_a_login_form_from_elsewhere_is_refused() {
    let world = World::new().await;
    let browser = world.browser();
    let page = browser.open(&Ask::of(DESK).url()).await;
    let (request, csrf) = (page.field("request").unwrap(), page.field("csrf").unwrap());
    let fields = [
        ("request", request.as_str()),
        ("csrf", &csrf),
        ("username", "alice"),
        ("password", "alice's own password"),
    ];
    let post = || Visit::post("/oauth/login", &fields);
    let without = |name: &str| -> Vec<_> {
        fields
            .iter()
            .filter(|(known, _)| *known != name)
            .copied()
            .collect()
    };
    let foreign = browser.visit(post().seen_from(Site::CrossSite)).await;
    assert_eq!(foreign.status, StatusCode::FORBIDDEN);
    let bare = browser
        .visit(Visit::post("/oauth/login", &without("csrf")))
        .await;
    assert_eq!(bare.status, StatusCode::FORBIDDEN);
    let other = browser.another().visit(post()).await;
    assert_eq!(other.status, StatusCode::FORBIDDEN);
    assert_eq!(world.people.asked(), 0, "no password was looked at");
    assert!(browser.visit(post()).await.has_button("approve"));
}

/// The attacker's own form, with the attacker's own password, sent by the victim's browser.
#[tokio::test]
async fn sec_cn_24_nobody_logs_a_victim_in_as_himself() {
    let world = World::new().await;
    let (attacker, victim) = (world.browser(), world.browser());
    to_consent(&victim, &Ask::of(APP)).await;
    let session = victim.cookie(SESSION).unwrap();
    for errand in [Ask::of(DESK).url(), "/account".to_owned()] {
        let page = attacker.open(&errand).await;
        let (request, csrf) = (page.field("request").unwrap(), page.field("csrf").unwrap());
        let fields = [
            ("request", request.as_str()),
            ("csrf", &csrf),
            ("username", "bob"),
            ("password", "bob's own password"),
        ];
        let post = || Visit::post("/oauth/login", &fields);
        let asked = world.people.asked();
        for browser in [&victim, &world.browser(), &victim.another()] {
            for visit in [
                post().seen_from(Site::CrossSite),
                post().without_header("sec-fetch-site"),
                // Even from a page of ours.
                post(),
            ] {
                let answer = browser.visit(visit.stay()).await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
            }
        }
        assert_eq!(world.people.asked(), asked, "no password was looked at");
        // Nor does the link bring the victim to a form to fill in.
        assert!(!victim.open(&page.url).await.has_button("Sign in"));
    }
    assert_eq!(victim.cookie(SESSION).unwrap(), session);
}

#[tokio::test]
async fn a8_without_cookies_the_page_says_how_to_try_again() {
    let world = World::new().await;
    let browser = world.browser();
    let page = browser
        .visit(Visit::get(Ask::of(APP).url()).without_cookies())
        .await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text.contains("cookies"), "{}", page.text);
    assert!(!page.has_button("Sign in"));
    // With them, trying again is one click.
    let again = page.links("Try again");
    let again = browser.open(&again[0]).await;
    let page = log_in(&browser, &again, "alice").await;
    let page = browser.press(&page, "approve", &[]).await;
    assert_eq!(page.answer().one("state"), Ok(Some("a state")));
}

#[tokio::test]
async fn two_first_tabs_at_once_both_lead_somewhere() {
    let world = World::new().await;
    let browser = world.browser();
    // Neither of them has a cookie to send yet, and the one that is set last stays.
    let first = browser.visit(Visit::get(Ask::of(APP).url()).stay()).await;
    let cookie = browser.cookie(BROWSER).unwrap();
    browser.clear_cookies();
    let second = browser.visit(Visit::get(Ask::of(DESK).url()).stay()).await;
    assert_ne!(browser.cookie(BROWSER).unwrap(), cookie);

    let page = browser.open(second.location().unwrap()).await;
    assert!(page.has_button("Sign in"));
    let page = browser.open(first.location().unwrap()).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    let page = browser.open(&page.links("Try again")[0]).await;
    assert!(page.has_button("Sign in"), "{page:?}");
}

#[tokio::test]
async fn sec_cn_25_what_begins_again_is_another_interaction() {
    let world = World::new().await;
    let (first, other) = (world.browser(), world.browser());
    let anew = Ask::of(APP).with("prompt", "login");
    let page = first.open(&anew.url()).await;
    let page = log_in(&first, &page, "alice").await;
    to_consent(&other, &Ask::of(DESK)).await;
    let refused = other.open(&page.url).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    // Who logged in there did not do it here.
    let again = refused.links("Try again");
    let login = other.open(&again[0]).await;
    assert!(login.has_button("Sign in"), "{login:?}");
    let mine = log_in(&other, &login, "bob").await;
    for (browser, page) in [(&first, &page), (&other, &mine)] {
        let answer = browser.press(page, "approve", &[]).await;
        assert!(answer.answer().one("code").unwrap().is_some());
    }
    // It begins again for as long as it lasts.
    world.clock.advance(Duration::from_secs(600));
    let late = other.open(&again[0]).await;
    assert_eq!(late.status, StatusCode::BAD_REQUEST);
    let junk = other.open("/oauth/authorize?again=AAAA").await;
    assert_eq!(junk.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn sec_cn_25_every_link_of_ours_is_for_one_browser() {
    let world = World::new().await;
    let browser = world.browser();
    let account = browser.open("/account").await;
    let login = browser.open(&Ask::of(DESK).url()).await;
    let consent = log_in(&browser, &login, "alice").await;
    assert!(consent.has_button("approve"));
    let signed_in = world.browser();
    to_consent(&signed_in, &Ask::of(APP)).await;
    for link in [&account.url, &login.url, &consent.url] {
        for victim in [&signed_in, &browser.another(), &world.browser()] {
            let seen = victim.open(link).await;
            assert_eq!(seen.status, StatusCode::FORBIDDEN, "{link}");
            assert!(!seen.has_button("Sign in") && !seen.has_button("approve"));
            assert!(!seen.text.contains("alice"));
            // Nor after the victim began something else.
            victim.open(&Ask::of(APP).url()).await;
            assert_eq!(victim.open(link).await.status, StatusCode::FORBIDDEN);
        }
    }
}

#[tokio::test]
async fn sec_op_14_guesses_are_counted() {
    let world = World::new().await;
    world.from("192.0.2.1");
    let browser = world.browser();
    let page = browser.open(&Ask::of(DESK).url()).await;
    let guess = async |name: &str| {
        let fields = [("username", name), ("password", "wrong")];
        browser.press(&page, "Sign in", &fields).await
    };
    let mut last = guess("alice").await;
    // The same name from the same place: a handful of times.
    for _ in 0..10 {
        if last.status != StatusCode::FORBIDDEN {
            break;
        }
        last = guess("alice").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS, "{last:?}");
    assert!(last.has_button("Sign in"));
    assert!(!last.header("retry-after").is_empty());
    let before = world.people.asked();
    let right = log_in(&browser, &page, "alice").await;
    assert_eq!(right.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(world.people.asked(), before, "no password was looked at");
    // From elsewhere alice gets in.
    world.from("198.51.100.7");
    assert!(log_in(&browser, &page, "alice").await.has_button("approve"));
    // Many names from one place: not without end either.
    world.from("192.0.2.2");
    let mut statuses = Vec::new();
    for number in 0..100 {
        statuses.push(guess(&format!("user-{number}")).await.status);
    }
    let first = statuses
        .iter()
        .position(|status| *status == StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(first, Some(30), "each costs work, whoever it is");
}

#[tokio::test]
async fn a_database_that_sleeps_is_no_wrong_password() {
    let world = World::new().await;
    let browser = world.browser();
    let page = browser.open(&Ask::of(DESK).url()).await;
    world.people.set(|moods| moods.unavailable = true);
    let answer = log_in(&browser, &page, "alice").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.header("retry-after").is_empty());
    world.people.set(|moods| moods.unavailable = false);
    assert!(
        log_in(&browser, &answer, "alice")
            .await
            .has_button("approve")
    );
}

#[tokio::test]
async fn a_persona_is_one_click_away() {
    let world = World::new().await;
    let persona = Persona::new("alice").role("admin");
    world.people.set(|moods| moods.personas.push(persona));
    let browser = world.browser();
    let page = browser.open(&Ask::of(DESK).url()).await;
    let page = browser.press(&page, "alice", &[]).await;
    assert!(page.has_button("approve"), "{page:?}");
    // Who is none cannot be clicked.
    let browser = world.browser();
    let page = browser.open(&Ask::of(DESK).url()).await;
    let (request, csrf) = (page.field("request").unwrap(), page.field("csrf").unwrap());
    let fields = [
        ("request", request.as_str()),
        ("csrf", &csrf),
        ("persona", "bob"),
    ];
    let page = browser.visit(Visit::post("/oauth/login", &fields)).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn who_is_logged_in_is_not_asked_again() {
    let world = World::new().await;
    let browser = world.browser();
    let page = browser.open(&Ask::of(DESK).url()).await;
    to_consent(&browser, &Ask::of(APP)).await;
    // The first tab, reloaded.
    assert!(browser.open(&page.url).await.has_button("approve"));
    assert!(
        browser
            .open(&Ask::of(DESK).url())
            .await
            .has_button("approve")
    );
    let names = browser.cookie_names();
    assert!(
        [SESSION, BROWSER]
            .iter()
            .all(|name| names.contains(&(*name).to_owned()))
    );
}

#[tokio::test]
async fn sec_op_01_no_password_cookie_or_request_is_logged() {
    let logs = CapturedLogs::start();
    let world = World::new().await;
    let browser = world.browser();
    let page = browser
        .open(&Ask::of(DESK).with("state", "canary-state").url())
        .await;
    let fields = [("username", "alice"), ("password", "canary-password")];
    let page = browser.press(&page, "Sign in", &fields).await;
    let page = log_in(&browser, &page, "alice").await;
    let sealed = page.field("request").unwrap();
    let page = browser.press(&page, "approve", &[]).await;
    let code = page.answer().required("code").unwrap().to_owned();
    let (session, seen) = (
        browser.cookie(SESSION).unwrap(),
        browser.cookie(BROWSER).unwrap(),
    );
    for canary in [
        "canary-state",
        "canary-password",
        &sealed,
        &code,
        &session,
        &seen,
    ] {
        logs.assert_free_of(canary);
    }
    assert!(logs.text().contains("logged_in") && logs.text().contains("login_failed"));
}
