//! What a browser does on the way to the provider and back.

use axum::Router;
use portcullis_oauth::{BaseUrl, form};
use portcullis_testkit::{Browser, Page, Site, Visit};

use super::client::App;
use super::{BASE, CHALLENGE, RESOURCE};

pub(in crate::proxy) fn browser(site: &Router) -> Browser {
    Browser::new(site.clone(), &BaseUrl::parse(BASE).unwrap())
}

/// Where a client sends a browser.
pub(in crate::proxy) fn authorize_url(app: App) -> String {
    let query = form::encode(&[
        ("response_type", "code"),
        ("client_id", app.id),
        ("redirect_uri", app.redirect_uri),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", RESOURCE),
        ("state", "the state of the client"),
        ("scope", app.scope),
    ]);
    format!("/oauth/authorize?{query}")
}

/// The page that asks, before anybody has signed in.
pub(in crate::proxy) async fn ask(browser: &Browser, app: App) -> Page {
    let page = browser.open(&authorize_url(app)).await;
    assert!(page.has_button("approve"), "{page:?}");
    page
}

/// Where the browser is sent after the user approved.
pub(in crate::proxy) async fn leave(browser: &Browser, app: App) -> String {
    let page = ask(browser, app).await;
    let away = browser.press(&page, "approve", &[]).await;
    let location = away.location();
    location.unwrap_or_else(|| panic!("{away:?}")).to_owned()
}

/// The provider sends the browser back.
pub(in crate::proxy) async fn come_back(browser: &Browser, callback: &str) -> Page {
    let visit = Visit::get(callback).seen_from(Site::CrossSite);
    browser.visit(visit).await
}

/// The code in an answer to a client, which is one without fault.
#[track_caller]
pub(in crate::proxy) fn code_in(page: &Page, app: App) -> String {
    let location = page.location().unwrap_or_else(|| panic!("{page:?}"));
    assert!(location.starts_with(app.redirect_uri), "{location}");
    let answer = page.answer();
    assert_eq!(answer.one("iss"), Ok(Some(BASE)));
    assert_eq!(answer.one("state"), Ok(Some("the state of the client")));
    let code = answer.one("code").unwrap();
    code.unwrap_or_else(|| panic!("{page:?}")).to_owned()
}

/// The error in an answer to a client, which has nothing else in it.
#[track_caller]
pub(in crate::proxy) fn error_in(page: &Page, app: App) -> String {
    let location = page.location().unwrap_or_else(|| panic!("{page:?}"));
    assert!(location.starts_with(app.redirect_uri), "{location}");
    let answer = page.answer();
    assert_eq!(answer.one("iss"), Ok(Some(BASE)), "R-26: {location}");
    assert_eq!(answer.one("state"), Ok(Some("the state of the client")));
    assert_eq!(answer.one("code"), Ok(None));
    answer.required("error").unwrap().to_owned()
}
