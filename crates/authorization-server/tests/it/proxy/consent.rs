//! Who is asked, in which browser, and what a way to the provider is worth elsewhere.

use axum::Extension;
use http::StatusCode;
use portcullis_oauth::form::{self, Form};
use portcullis_resource_server::ClientAddress;
use portcullis_testkit::{Browser, Page, Site, Visit};

use super::stage::{
    App, DESK, SHOP, World, ask, authorize_url, code_in, come_back, error_in, leave,
};

/// The parameters of a URL.
fn query(url: &str) -> Form {
    let (_, query) = url.split_once('?').unwrap();
    Form::parse(query.as_bytes(), form::Limits::ENDPOINT).unwrap()
}

fn parameter(url: &str, name: &str) -> String {
    query(url).required(name).unwrap().to_owned()
}

#[tokio::test]
async fn sec_cn_01_nobody_is_sent_upstream_unasked() {
    let world = World::new().await;
    let browser = world.browser();
    world.code(&browser, DESK, "alice").await;
    // The user has agreed to one client, and is signed in at the provider. Another one is another
    // question, and so is the same one.
    for app in [SHOP, DESK] {
        let page = browser.open(&authorize_url(app)).await;
        assert!(page.has_button("approve"), "{page:?}");
        assert_eq!((page.status, page.location()), (StatusCode::OK, None));
        assert!(page.text.contains(app.id), "it names the client");
        assert!(
            page.text.contains("127.0.0.1"),
            "it names the provider: {}",
            page.text
        );
    }
    assert_eq!(world.upstream.hits("/authorize"), 1);
}

#[tokio::test]
async fn sec_cn_01_who_denies_is_not_sent_upstream() {
    let world = World::new().await;
    let browser = world.browser();
    let page = ask(&browser, DESK).await;
    let back = browser.press(&page, "deny", &[]).await;
    assert_eq!(error_in(&back, DESK), "access_denied");
    assert_eq!(world.upstream.hits("/authorize"), 0);
}

#[tokio::test]
async fn sec_cn_02_another_browser_does_not_come_back_for_the_first() {
    let world = World::new().await;
    let attacker = world.browser();
    let away = leave(&attacker, DESK).await;
    // The victim is led to the provider, where it is signed in, and from there to us.
    let callback = world.upstream.sign_in(&away, "bob");
    let victim = world.browser();
    for _ in 0..2 {
        let page = come_back(&victim, &callback).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
        assert_eq!(page.location(), None);
    }
    assert_eq!(world.upstream.hits("/token"), 0, "the code was not used");
    // It was left for the browser that it belongs to.
    let back = come_back(&attacker, &callback).await;
    code_in(&back, DESK);
}

#[tokio::test]
async fn sec_cn_02_an_error_of_another_browser_ends_nothing() {
    let world = World::new().await;
    let browser = world.browser();
    let away = leave(&browser, DESK).await;
    let denied = world.upstream.refuse(&away, "access_denied");
    let page = come_back(&world.browser(), &denied).await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::FORBIDDEN, None)
    );
    let callback = world.upstream.sign_in(&away, "alice");
    code_in(&come_back(&browser, &callback).await, DESK);
}

#[tokio::test]
async fn sec_cn_03_an_approval_from_elsewhere_sends_nobody() {
    let world = World::new().await;
    let attacker = world.browser();
    let page = ask(&attacker, DESK).await;
    let hidden = |name: &str| page.field(name).unwrap();
    let (request, csrf) = (hidden("request"), hidden("csrf"));
    let fields = [
        ("request", request.as_str()),
        ("csrf", csrf.as_str()),
        ("action", "approve"),
    ];
    let form = || Visit::post("/oauth/consent", &fields);
    let victim = world.browser();
    ask(&victim, SHOP).await;
    let forged = [
        victim.visit(form().seen_from(Site::CrossSite)).await,
        victim.visit(form()).await,
        attacker.visit(form().seen_from(Site::CrossSite)).await,
        attacker.visit(form().without_cookies()).await,
    ];
    for page in forged {
        assert_eq!(
            (page.status, page.location()),
            (StatusCode::FORBIDDEN, None),
            "{page:?}"
        );
    }
    let away = attacker.visit(form()).await;
    assert!(
        away.location()
            .unwrap()
            .starts_with(&world.upstream.url("/authorize"))
    );
}

#[tokio::test]
async fn sec_cn_08_the_state_upstream_is_made_after_approval() {
    let world = World::new().await;
    let browser = world.browser();
    let page = ask(&browser, DESK).await;
    let mut seen = vec![page.url.clone(), page.text.clone()];
    seen.extend(
        browser
            .cookie_names()
            .iter()
            .filter_map(|name| browser.cookie(name)),
    );
    let request = page.field("request").unwrap();
    let mut states = Vec::new();
    for _ in 0..2 {
        let away = browser.press(&page, "approve", &[]).await;
        let state = parameter(away.location().unwrap(), "state");
        assert!(state.len() >= 43, "256 bits: {state}");
        assert!(seen.iter().all(|seen| !seen.contains(&state)));
        assert_ne!(state, "the state of the client");
        states.push(state);
    }
    assert_ne!(states[0], states[1], "each approval has its own");
    // what a page has shown is nothing that one could come back with.
    let handle = form::encode(&[("state", request.as_str()), ("code", "c")]);
    let page = come_back(&browser, &format!("/oauth/callback?{handle}")).await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::BAD_REQUEST, None)
    );
    assert_eq!(world.upstream.hits("/token"), 0);
}

#[tokio::test]
async fn sec_cn_08_a_state_is_taken_once() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = world
        .upstream
        .sign_in(&leave(&browser, DESK).await, "alice");
    code_in(&come_back(&browser, &callback).await, DESK);
    let again = come_back(&browser, &callback).await;
    assert_eq!(
        (again.status, again.location()),
        (StatusCode::BAD_REQUEST, None)
    );
    assert_eq!(world.upstream.hits("/token"), 1);
}

#[tokio::test]
async fn sec_cn_08_a_state_that_is_none_or_ended_is_refused() {
    let world = World::new().await;
    let browser = world.browser();
    let callback = world
        .upstream
        .sign_in(&leave(&browser, DESK).await, "alice");
    let state = parameter(&callback, "state");
    let other = "A".repeat(state.len());
    for wrong in [
        callback.replace(&format!("state={state}"), "state="),
        callback
            .replace(&format!("state={state}&"), "")
            .replace(&format!("&state={state}"), ""),
        callback.replace(&state, &other),
        callback.replace(&state, "short"),
        callback.replace(&state, &format!("{state}A")),
        format!("{callback}&state={state}"),
    ] {
        let page = come_back(&browser, &wrong).await;
        assert_eq!(
            (page.status, page.location()),
            (StatusCode::BAD_REQUEST, None),
            "{wrong}"
        );
    }
    world.advance(601);
    let page = come_back(&browser, &callback).await;
    assert_eq!(
        (page.status, page.location()),
        (StatusCode::BAD_REQUEST, None)
    );
    assert_eq!(world.upstream.hits("/token"), 0);
}

#[tokio::test]
async fn sec_cn_10_flows_of_two_tabs_do_not_mix() {
    let world = World::new().await;
    let browser = world.browser();
    let (desk, shop) = (leave(&browser, DESK).await, leave(&browser, SHOP).await);
    // A page that is loaded and left alone spoils nothing.
    ask(&browser, DESK).await;
    let shop = world.upstream.sign_in(&shop, "bob");
    let desk = world.upstream.sign_in(&desk, "alice");
    for (callback, app, user) in [(&desk, DESK, "alice"), (&shop, SHOP, "bob")] {
        let code = code_in(&come_back(&browser, callback).await, app);
        let tokens = world.redeem(app, &code).await.tokens();
        assert_eq!(tokens.claims()["sub"], user);
        assert_eq!(tokens.claims()["client_id"], app.id);
    }
}

#[tokio::test]
async fn sec_cn_11_one_approval_has_one_code() {
    let world = World::new().await;
    let browser = world.browser();
    let page = ask(&browser, DESK).await;
    // The form is sent twice, and its user signs in twice, as two users.
    let mut callbacks = Vec::new();
    for user in ["alice", "bob"] {
        let away = browser.press(&page, "approve", &[]).await;
        let away = away.location().map(str::to_owned);
        callbacks.extend(away.map(|away| world.upstream.sign_in(&away, user)));
    }
    let mut codes = Vec::new();
    for callback in &callbacks {
        let back = come_back(&browser, callback).await;
        let answer = back.location().map(|_| back.answer());
        codes.extend(answer.and_then(|answer| answer.one("code").unwrap().map(str::to_owned)));
    }
    assert_eq!(codes.len(), 1, "{codes:?}");
    // Nor is there a way to say no afterwards, or yes once more.
    for button in ["deny", "approve"] {
        let page = browser.press(&page, button, &[]).await;
        assert!(page.status.is_client_error(), "{page:?}");
        assert_eq!(page.location(), None);
    }
    assert_eq!(
        world.redeem(DESK, &codes[0]).await.tokens().claims()["sub"],
        "alice"
    );
}

/// The attacker's own code of the provider, in the way back that the victim's browser takes.
async fn with_foreign_code(world: &World, victim: &Browser) -> Page {
    let attacker = world.browser();
    let theirs = world.upstream.sign_in(&leave(&attacker, DESK).await, "bob");
    let ours = world.upstream.sign_in(&leave(victim, DESK).await, "alice");
    let forged = ours.replace(&parameter(&ours, "code"), &parameter(&theirs, "code"));
    assert_ne!(forged, ours);
    come_back(victim, &forged).await
}

#[tokio::test]
async fn sec_cn_24_a_code_of_another_login_is_refused_by_its_verifier() {
    let world = World::new().await;
    let back = with_foreign_code(&world, &world.browser()).await;
    assert_eq!(error_in(&back, DESK), "server_error");
}

#[tokio::test]
async fn sec_cn_24_a_code_of_another_login_is_refused_by_its_nonce() {
    let world = World::with(|builder| builder.upstream(|upstream| upstream.pkce(false))).await;
    world.upstream.pkce(false);
    let back = with_foreign_code(&world, &world.browser()).await;
    assert_eq!(error_in(&back, DESK), "server_error");
    assert_eq!(
        world.upstream.hits("/token"),
        1,
        "the provider gave tokens for it"
    );
}

#[tokio::test]
async fn sec_cn_25_a_flow_is_not_ended_by_a_browser_with_one_of_its_own() {
    let world = World::new().await;
    let (first, second) = (world.browser(), world.browser());
    let theirs = world.upstream.sign_in(&leave(&first, DESK).await, "alice");
    let ours = world.upstream.sign_in(&leave(&second, DESK).await, "bob");
    // Each is under way here; neither gets what belongs to the other.
    for (browser, callback) in [(&first, &ours), (&second, &theirs)] {
        let page = come_back(browser, callback).await;
        assert_eq!(
            (page.status, page.location()),
            (StatusCode::FORBIDDEN, None)
        );
    }
    assert_eq!(world.upstream.hits("/token"), 0);
    for (browser, callback, user) in [(&first, &theirs, "alice"), (&second, &ours, "bob")] {
        let code = code_in(&come_back(browser, callback).await, DESK);
        assert_eq!(
            world.redeem(DESK, &code).await.tokens().claims()["sub"],
            user
        );
    }
}

#[tokio::test]
async fn sec_px_01_the_way_upstream_has_protections_of_its_own() {
    let world = World::new().await;
    let browser = world.browser();
    let mut seen = Vec::new();
    for app in [DESK, DESK, SHOP] {
        let away = leave(&browser, app).await;
        let asked = query(&away);
        // The provider that stands in for one refuses what is not S256, or too short.
        world.upstream.sign_in(&away, "alice");
        assert_eq!(asked.one("client_id"), Ok(Some("proxy")));
        let one = |name: &str| asked.required(name).unwrap().to_owned();
        seen.extend([one("state"), one("nonce"), one("code_challenge")]);
        assert_ne!(
            one("code_challenge"),
            super::stage::CHALLENGE,
            "the client's is the client's"
        );
        for ours in ["resource", "prompt"] {
            assert_eq!(asked.one(ours), Ok(None), "{ours}");
        }
    }
    let all = seen.len();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), all, "each is drawn anew");

    // And the client's own verifier counts here, whatever the provider had.
    let code = world.code(&browser, DESK, "alice").await;
    let mut fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", DESK.redirect_uri),
        (
            "code_verifier",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK",
        ),
    ];
    let sent = world.upstream.requests("/token");
    let theirs = sent[0].field("code_verifier").unwrap().to_owned();
    for wrong in [
        "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK",
        theirs.as_str(),
    ] {
        fields[3].1 = wrong;
        let refused = super::stage::token(&world.site, DESK, &fields).await;
        assert_eq!(refused.refusal(), (400, "invalid_grant"));
    }
    world.redeem(DESK, &code).await.tokens();
}

#[tokio::test]
async fn a_client_that_asks_for_less_gets_less_upstream_too() {
    let world = World::new().await;
    let app: App = DESK.asking("files:read");
    let away = leave(&world.browser(), app).await;
    let scope = parameter(&away, "scope");
    let words: Vec<_> = scope.split(' ').collect();
    assert!(
        words.contains(&"files:read") && !words.contains(&"files:write"),
        "{scope}"
    );
}

#[tokio::test]
async fn sec_ds_08_a_browser_is_sent_upstream_so_often_and_no_more() {
    let limits = portcullis_authorization_server::RateLimits::default();
    let world = World::with(|builder| builder.server(|server| server.rate_limits(limits))).await;
    let address = ClientAddress::new([192, 0, 2, 7].into());
    let site = world.site.clone().layer(Extension(address));
    let browser = super::stage::browser(&site);
    let page = ask(&browser, DESK).await;
    let mut sent = 0;
    while browser.press(&page, "approve", &[]).await.status != StatusCode::TOO_MANY_REQUESTS {
        sent += 1;
        assert!(sent <= 1000, "nobody counts");
    }
    assert!(sent >= 10, "a person is not held up: {sent}");
    // Somebody else is, by nobody's.
    leave(&world.browser(), DESK).await;
}
