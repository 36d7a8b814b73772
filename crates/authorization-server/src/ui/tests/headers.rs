//! What every page is sent with.

use std::time::Duration;

use portcullis_oauth::BaseUrl;
use portcullis_oauth::crypto::{base64, sha256};

use super::super::view::{ErrorPage, LoginFault, Problem, SignedOutPage};
use super::super::{LocalPages, Pages, Theme};
use super::gallery::{REGISTERED, consent, login, redirect, resource};
use super::{Shown, pages};

fn all(pages: LocalPages<'_>) -> Vec<Shown> {
    let (uri, resource) = (redirect("http://127.0.0.1:1/cb"), resource());
    [
        pages.login(&login(Some(REGISTERED))),
        pages.consent(&consent(REGISTERED, &uri, &resource)),
        pages.signed_out(&SignedOutPage::default()),
        pages.error(&ErrorPage::new(Problem::UnknownClient)),
        pages.error(&ErrorPage::new(Problem::Internal)),
    ]
    .map(Shown::of)
    .into()
}

#[test]
fn sec_cn_17_every_page_has_every_header() {
    let plain = pages(&Theme::new());
    for shown in all(plain.for_reader(None, &http::HeaderMap::new())) {
        let hash = base64::encode(sha256(shown.style().as_bytes()));
        assert_eq!(
            shown.header("content-security-policy").unwrap(),
            format!(
                "default-src 'none'; style-src 'sha256-{hash}';{} base-uri 'none'; \
                 frame-ancestors 'none'",
                if shown.html.contains("<img") {
                    " img-src 'self';"
                } else {
                    ""
                }
            )
        );
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("cross-origin-resource-policy", "same-origin"),
            ("content-language", "en"),
        ] {
            assert_eq!(shown.header(name), Some(value), "{name}");
        }
        assert!(
            shown
                .header("permissions-policy")
                .unwrap()
                .contains("camera=()")
        );
    }
}

#[test]
fn sec_cn_17_a_host_of_our_own_is_visited_by_tls_alone() {
    let said = |base: &str| {
        let base = BaseUrl::parse(base).unwrap();
        let pages = Pages::new(&Theme::new(), &base).unwrap();
        let shown = all(pages.for_reader(None, &http::HeaderMap::new()));
        let mut said = shown
            .iter()
            .map(|shown| shown.header("strict-transport-security"));
        let first = said.next().unwrap().map(str::to_owned);
        assert!(said.all(|next| next == first.as_deref()), "on every page");
        first
    };
    assert_eq!(
        said("https://mcp.example.com/app").as_deref(),
        Some("max-age=31536000")
    );
    // What listens on the other ports of such a host is not ours.
    for shared in [
        "https://mcp.example.com:8443",
        "https://localhost",
        "https://127.0.0.1",
        "http://localhost:8000",
    ] {
        assert_eq!(said(shared), None, "{shared}");
    }
}

#[test]
fn sec_cn_18_no_page_can_be_framed() {
    let plain = pages(&Theme::new());
    for shown in all(plain.for_reader(None, &http::HeaderMap::new())) {
        assert_eq!(shown.header("x-frame-options"), Some("DENY"));
        let policy = shown.header("content-security-policy").unwrap();
        assert!(policy.ends_with("; frame-ancestors 'none'"));
    }
}

/// That it does what it should is seen in a real browser: `cargo xtask pages --only click`.
#[test]
fn sec_cn_18_a_click_waits_for_the_pointer() {
    let plain = pages(&Theme::new());
    let (uri, resource) = (redirect("http://127.0.0.1:1/cb"), resource());
    let here = plain.for_reader(None, &http::HeaderMap::new());
    let shown = Shown::of(here.consent(&consent(REGISTERED, &uri, &resource)));
    let (_, waits) = shown.html.split_once("<div class=\"waits\">").unwrap();
    let (waits, _) = waits.split_once("</div>").unwrap();
    assert_eq!(waits.matches("value=\"approve\"").count(), 1);
    assert_eq!(shown.html.matches("value=\"approve\"").count(), 1);
    let style = shown.style();
    for rule in [
        "@media (hover: hover) and (pointer: fine) {",
        ".waits { position: relative; }",
        ".waits::after { content: \"\"; position: absolute; inset: 0; }",
        ":root:hover .waits::after { visibility: hidden; transition: visibility 0s .6s; }",
    ] {
        assert!(style.contains(rule), "{rule}");
    }
}

/// A key that is held down while the page opens finds no button: an address can give the focus to
/// whatever has an id.
#[test]
fn sec_cn_18_no_address_gives_the_focus_to_an_answer() {
    let plain = pages(&Theme::new());
    let (uri, resource) = (redirect("http://127.0.0.1:1/cb"), resource());
    let here = plain.for_reader(None, &http::HeaderMap::new());
    let shown = Shown::of(here.consent(&consent(REGISTERED, &uri, &resource)));
    let named: Vec<&str> = shown.html.split(" id=").skip(1).collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(named[0].starts_with("\"sign-out\" method=\"post\""));
    assert!(!shown.html.contains("autofocus") && !shown.html.contains("accesskey"));
}

/// `form-action` stops the redirect to a client, and COOP a client that waits in the window which
/// opened ours.
#[test]
fn a7_no_header_stops_the_way_back_to_the_client() {
    let plain = pages(&Theme::new());
    for shown in all(plain.for_reader(None, &http::HeaderMap::new())) {
        let policy = shown.header("content-security-policy").unwrap();
        assert!(!policy.contains("form-action"));
        assert_eq!(shown.header("cross-origin-opener-policy"), None);
    }
}

#[test]
fn pictures_are_allowed_from_the_logos_place_alone() {
    let source = |logo: &str| {
        let pages = pages(&Theme::new().logo(logo));
        let shown = all(pages.for_reader(None, &http::HeaderMap::new())).remove(0);
        assert_eq!(shown.html.matches("<img").count(), 1);
        let policy = shown.header("content-security-policy").unwrap();
        let (_, rest) = policy.split_once("; img-src ").unwrap();
        rest.split(';').next().unwrap().to_owned()
    };
    assert_eq!(
        source("https://cdn.example.com:8443/logo.svg?v=1"),
        "https://cdn.example.com:8443"
    );
    assert_eq!(source("data:image/png;base64,AAAA"), "data:");
}

/// In the head to programs, and in words to people: the same.
#[test]
fn sec_ds_09_every_page_that_turns_somebody_away_says_for_how_long() {
    let pages = pages(&Theme::new());
    let here = pages.for_reader(None, &http::HeaderMap::new());
    let wait = Duration::from_millis(29_001);
    let mut view = login(None);
    for (fault, status) in [
        (LoginFault::TooMany { wait }, 429),
        (LoginFault::Unavailable { wait }, 503),
    ] {
        view.fault = Some(fault);
        let shown = Shown::of(here.login(&view));
        assert_eq!(shown.status, status);
        assert_eq!(shown.header("retry-after"), Some("30"));
        assert!(shown.text().contains("Try again in 30 seconds."));
    }
    for (problem, status) in [
        (Problem::TooMany { wait }, 429),
        (Problem::Unavailable { wait }, 503),
    ] {
        let shown = Shown::of(here.error(&ErrorPage::new(problem)));
        assert_eq!(shown.status, status);
        assert_eq!(shown.header("retry-after"), Some("30"));
        assert!(shown.text().contains("Try again in 30 seconds."));
    }
    view.fault = Some(LoginFault::Wrong);
    let shown = Shown::of(here.login(&view));
    assert_eq!(
        (shown.status.as_u16(), shown.header("retry-after")),
        (403, None)
    );
}

#[test]
fn the_reader_chooses_the_language() {
    let pages = pages(&Theme::new());
    let mut headers = http::HeaderMap::new();
    headers.insert("accept-language", "fr, de;q=0.7".parse().unwrap());
    let shown = Shown::of(pages.for_reader(None, &headers).login(&login(None)));
    assert_eq!(shown.header("content-language"), Some("de"));
    assert!(shown.html.contains("<html lang=\"de\">"));
    assert!(shown.text().contains("Passwort"));
}
