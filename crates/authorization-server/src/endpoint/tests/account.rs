//! What users see of their grants, and take back.

use http::StatusCode;
use portcullis_oauth::{ClientId, ResourceUrl, Subject, scopes};
use portcullis_testkit::{Browser, Page, Site, Visit};

use super::world::{APP, DESK, RESOURCE, World, log_in};
use crate::grant::GrantId;
use crate::grant::record::{GrantRecord, Owner};

const SESSION: &str = "__Host-portcullis-session";

/// A grant of that user's.
async fn granted(world: &World, user: &str, client: &str) -> GrantId {
    let now = world.context.clock.now();
    let ends_at = now.saturating_add(std::time::Duration::from_secs(3600));
    let grant = GrantRecord {
        id: world.context.ledger.fresh_id().unwrap(),
        client: ClientId::parse(client).unwrap(),
        is_configured: false,

        is_proxied: false,
        is_minted: false,
        owner: Some(Owner {
            subject: Subject::parse(user).unwrap(),
            generation: 0,
            authenticated_at: now,
        }),
        scope: scopes!["notes:read"],
        resource: ResourceUrl::parse(RESOURCE).unwrap(),
        reach: None,
        granted_at: now,
        last_used: now,
        ends_at,
        expires_at: ends_at,
        refresh: None,
    };
    assert!(world.context.ledger.open(&grant).await.unwrap());
    grant.id
}

async fn account(browser: &Browser, name: &str) -> Page {
    let page = browser.open("/account").await;
    let page = log_in(browser, &page, name).await;
    assert!(page.url.ends_with("/account"), "{page:?}");
    page
}

async fn stands(world: &World, grant: GrantId) -> bool {
    world.context.ledger.find(grant).await.unwrap().is_some()
}

#[tokio::test]
async fn users_see_what_they_granted_and_take_it_back() {
    let world = World::new().await;
    let first = granted(&world, "alice", APP.0).await;
    let second = granted(&world, "alice", "gone").await;
    let third = granted(&world, "alice", "https://never.example/fetched.json").await;
    let browser = world.browser();
    let page = account(&browser, "alice").await;
    for shown in [
        "The app-1",
        "without a name",
        "never.example",
        "notes:read",
        "alice",
    ] {
        assert!(page.text.contains(shown), "{shown}: {}", page.text);
    }
    let csrf = page.field("csrf").unwrap();
    let id = first.to_string();
    let fields = [
        ("csrf", csrf.as_str()),
        ("action", "revoke"),
        ("grant", &id),
    ];
    let page = browser.visit(Visit::post("/account", &fields)).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("The app-1"), "{}", page.text);
    assert!(!stands(&world, first).await);
    assert!(stands(&world, second).await && stands(&world, third).await);
}

#[tokio::test]
async fn all_that_a_client_has_can_be_taken_back_at_once() {
    let world = World::new().await;
    let mine = [
        granted(&world, "alice", APP.0).await,
        granted(&world, "alice", APP.0).await,
    ];
    let (other, bobs) = (
        granted(&world, "alice", DESK.0).await,
        granted(&world, "bob", APP.0).await,
    );
    let browser = world.browser();
    let page = account(&browser, "alice").await;
    browser.press(&page, "revoke_client", &[]).await;
    for grant in mine {
        assert!(!stands(&world, grant).await);
    }
    assert!(stands(&world, other).await && stands(&world, bobs).await);
}

/// Only whoever removed something is told so, and nobody by a link.
#[tokio::test]
async fn what_was_removed_is_said_to_whoever_removed_it() {
    let world = World::new().await;
    let grant = granted(&world, "alice", APP.0).await.to_string();
    let browser = world.browser();
    let page = account(&browser, "alice").await;
    let csrf = page.field("csrf").unwrap();
    let revoke = [
        ("csrf", csrf.as_str()),
        ("action", "revoke"),
        ("grant", &grant),
    ];
    let removed = browser.visit(Visit::post("/account", &revoke)).await;
    let done = removed.url.clone();
    let again = browser.visit(Visit::post("/account", &revoke)).await;
    let says = |page: &Page| page.text.contains(r#"role="status""#);
    assert!(says(&removed) && !says(&again));
    assert!(!again.url.contains("removed"), "{}", again.url);
    assert!(says(&browser.open(&done).await), "as it was reloaded");
    for link in [
        "/account?removed=1",
        "/account?removed=",
        "/account?removed=AAAA",
    ] {
        assert!(!says(&browser.open(link).await), "{link}");
    }
    let bob = world.browser();
    account(&bob, "bob").await;
    assert!(!says(&bob.open(&done).await), "in another session");
}

#[tokio::test]
async fn many_connections_are_shown_in_parts() {
    let world = World::new().await;
    for n in 0..120 {
        let client = format!("https://client-{n}.example/client.json");
        granted(&world, "alice", &client).await;
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    let browser = world.browser();
    account(&browser, "alice").await;
    let mut seen = 0;
    for (part, shown) in [("", 50), ("?part=1", 50), ("?part=2", 20), ("?part=3", 50)] {
        let page = browser.open(&format!("/account{part}")).await;
        let all = (0..120).filter(|n| page.text.contains(&format!("client-{n}.example")));
        assert_eq!(all.count(), shown, "{part}");
        seen += shown;
        let next = page.text.contains("/account?part=");
        assert_eq!(next, part != "?part=2", "{part}");
    }
    assert_eq!(seen, 170);
}

#[tokio::test]
async fn sec_ds_08_nobody_reads_his_connections_without_end() {
    let world = World::new().await;
    let browser = world.browser();
    account(&browser, "alice").await;
    world.from("192.0.2.1");
    let mut asked = 0;
    while browser.open("/account").await.status == StatusCode::OK && asked < 1000 {
        asked += 1;
    }
    assert!((50..=200).contains(&asked), "{asked}");
    let last = browser.open("/account").await;
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn sec_rv_01_nobody_takes_back_what_is_another_users() {
    let world = World::new().await;
    let (mine, bobs) = (
        granted(&world, "alice", APP.0).await,
        granted(&world, "bob", APP.0).await,
    );
    let browser = world.browser();
    let page = account(&browser, "alice").await;
    assert!(!page.text.contains(&bobs.to_string()));
    let (csrf, mine_id, bobs_id) = (
        page.field("csrf").unwrap(),
        mine.to_string(),
        bobs.to_string(),
    );
    let revoke = |csrf: &str, grant: &str| {
        let fields = [("csrf", csrf), ("action", "revoke"), ("grant", grant)];
        Visit::post("/account", &fields)
    };
    browser.visit(revoke(&csrf, &bobs_id)).await;
    assert!(stands(&world, bobs).await);

    let foreign = revoke(&csrf, &mine_id).seen_from(Site::CrossSite);
    assert_eq!(browser.visit(foreign).await.status, StatusCode::FORBIDDEN);
    let bob = world.browser();
    let of_bob = account(&bob, "bob").await.field("csrf").unwrap();
    for token in ["", "x", &of_bob] {
        let answer = browser.visit(revoke(token, &mine_id)).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    for (action, grant) in [("revoke", "x"), ("Revoke", &*mine_id), ("", &*mine_id)] {
        let fields = [
            ("csrf", csrf.as_str()),
            ("action", action),
            ("grant", grant),
        ];
        let answer = browser.visit(Visit::post("/account", &fields)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{action} {grant}");
    }
    assert!(stands(&world, mine).await);
}

#[tokio::test]
async fn who_is_not_logged_in_logs_in_first() {
    let world = World::new().await;
    let grant = granted(&world, "alice", APP.0).await;
    let browser = world.browser();
    let id = grant.to_string();
    let fields = [("csrf", "x"), ("action", "revoke"), ("grant", id.as_str())];
    let page = browser.visit(Visit::post("/account", &fields)).await;
    assert!(page.has_button("Sign in"), "{page:?}");
    assert!(stands(&world, grant).await);
    let page = browser.open("/account").await;
    assert!(page.has_button("Sign in") && !page.text.contains("app-1"));
    // What leads to the account leads to no consent.
    let consent = page.url.replace("/login", "/consent");
    log_in(&browser, &page, "alice").await;
    assert_eq!(browser.open(&consent).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn logging_out_ends_the_session_and_no_grant() {
    let world = World::new().await;
    let grant = granted(&world, "alice", APP.0).await;
    let browser = world.browser();
    let page = account(&browser, "alice").await;
    let session = browser.cookie(SESSION).unwrap();
    let left = browser.press(&page, "Sign out", &[]).await;
    assert_eq!(left.status, StatusCode::OK);
    assert_eq!(browser.cookie(SESSION), None);
    // The cookie is worth nothing to one who kept it.
    browser.plant_cookie(SESSION, &session);
    assert!(browser.open("/account").await.has_button("Sign in"));
    assert!(stands(&world, grant).await);
    // Who is logged out already hears the same.
    browser.clear_cookies();
    let again = browser.visit(Visit::post("/oauth/logout", &[])).await;
    assert_eq!(again.status, StatusCode::OK);
}

#[tokio::test]
async fn sec_cn_23_a_foreign_page_logs_nobody_out() {
    let world = World::new().await;
    let browser = world.browser();
    account(&browser, "alice").await;
    let foreign = Visit::post("/oauth/logout", &[]).seen_from(Site::CrossSite);
    assert_eq!(browser.visit(foreign).await.status, StatusCode::FORBIDDEN);
    let bare = browser.visit(Visit::post("/oauth/logout", &[])).await;
    assert_eq!(bare.status, StatusCode::FORBIDDEN);
    assert!(browser.open("/account").await.has_button("Sign out"));
}
