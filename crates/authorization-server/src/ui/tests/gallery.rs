//! Every page in every state worth looking at. `cargo xtask pages` shows these snapshots to a real
//! browser.

use std::time::Duration;

use axum::response::Response;
use portcullis_oauth::crypto::{base64, sha256};
use portcullis_oauth::{OAuthError, OAuthErrorCode, RedirectUri, ResourceUrl, Timestamp};
use portcullis_resource_server::Incident;

use super::super::view::{
    AccountPage, ClientView, ConnectionView, ConsentPage, ErrorPage, LoginFault, LoginPage,
    PersonaView, Problem, RedirectView, ResourceView, ScopeView, SignedOutPage, WhoseView,
};
use super::super::{LocalPages, Pages, Texts, Theme};
use super::{Shown, pages};
use crate::client::ClientOrigin;

pub(super) const REGISTERED: ClientView<'_> = ClientView {
    name: Some("Claude Code"),
    id: "k3Zq7hVnT1yWc9bR",
    host: None,
    origin: ClientOrigin::Registered,
    uri: Some("https://claude.example/about"),
};

pub(super) const DOCUMENT: ClientView<'_> = ClientView {
    name: Some("Notebook"),
    id: "https://notebook.example/oauth/client.json",
    host: Some("notebook.example"),
    origin: ClientOrigin::MetadataDocument,
    uri: Some("https://notebook.example/"),
};

pub(super) const CONFIGURED: ClientView<'_> = ClientView {
    name: Some("Example Desktop"),
    id: "desktop",
    host: None,
    origin: ClientOrigin::Configured,
    uri: None,
};

const SCOPES: &[ScopeView<'_>] = &[
    ScopeView {
        scope: "notes:read",
        text: Some("Read your notes"),
    },
    ScopeView {
        scope: "notes:write",
        text: Some("Write, change and delete your notes"),
    },
    ScopeView {
        scope: "offline_access",
        text: None,
    },
];

const PERSONAS: &[PersonaView<'_>] = &[
    PersonaView {
        value: "alice",
        name: "alice",
        role: Some("admin"),
    },
    PersonaView {
        value: "bob",
        name: "bob",
        role: Some("user"),
    },
];

const LOGO: &str = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHZpZXdCb3g9IjAgMCAzMiAzMiI+PHJlY3Qgd2lkdGg9IjMyIiBoZWlnaHQ9IjMyIiByeD0iOCIgZmlsbD0iI2Y1YzUxOCIvPjxwYXRoIGQ9Ik05IDh2MTZtNy0xNnYxNm03LTE2djE2TTUgMTJoMjJNNSAyMGgyMiIgc3Ryb2tlPSIjMmIyMTAwIiBzdHJva2Utd2lkdGg9IjIuNSIgZmlsbD0ibm9uZSIvPjwvc3ZnPg==";

pub(super) fn login(client: Option<ClientView<'_>>) -> LoginPage<'_> {
    LoginPage {
        action: "/oauth/login",
        request: "sealed-request",
        csrf: "csrf-value",
        client,
        username: "",
        fault: None,
        personas: &[],
    }
}

pub(super) fn consent<'a>(
    client: ClientView<'a>,
    redirect: &'a RedirectUri,
    resource: &'a ResourceUrl,
) -> ConsentPage<'a> {
    ConsentPage {
        action: "/oauth/consent",
        sign_out: "/oauth/logout",
        account: "/account",
        shown: "/oauth/shown",
        request: "sealed-request",
        csrf: "csrf-value",
        client,
        redirect: RedirectView::of(redirect, &client),
        scopes: SCOPES,
        resource: ResourceView {
            url: resource,
            name: Some("Notes"),
        },
        whose: WhoseView::User("Alice Liddell"),
    }
}

pub(super) fn redirect(uri: &str) -> RedirectUri {
    RedirectUri::parse_allowing(uri, &["cursor"]).unwrap()
}

pub(super) fn resource() -> ResourceUrl {
    ResourceUrl::parse("https://mcp.example.com/notes/mcp").unwrap()
}

/// A snapshot: the head as on the wire, then the page, a tag a line. What follows from the style
/// sheet is left out, so that a change of it is a change of one file.
fn keep(name: &str, response: Response) {
    let shown = Shown::of(response);
    assert!(
        !shown.html.contains(">\n<"),
        "the lines can be put together again"
    );
    let sheet = include_str!("../style.css");
    assert!(shown.style().ends_with(sheet));
    let hash = base64::encode(sha256(shown.style().as_bytes()));
    let html = shown.html.replacen(sheet, "", 1).replace("><", ">\n<");
    let mut head = shown.status.to_string();
    for (name, value) in &shown.headers {
        head = format!("{head}\n{name}: {}", value.to_str().unwrap());
    }
    let head = head.replace(&hash, "..");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("pages");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, format!("{head}\n\n{html}")));
}

fn english(pages: &Pages) -> LocalPages<'_> {
    pages.for_reader(Some("en"), &http::HeaderMap::new())
}

fn german(pages: &Pages) -> LocalPages<'_> {
    pages.for_reader(Some("de"), &http::HeaderMap::new())
}

fn themed() -> Theme {
    Theme::new()
        .service_name("Notes of Example Inc.")
        .logo(LOGO)
        .accent("#f5c518")
        .support("https://help.example.com/")
}

#[test]
fn login_pages() {
    let plain = pages(&Theme::new());
    let here = english(&plain);
    keep("login", here.login(&login(Some(REGISTERED))));
    keep("login_account", here.login(&login(None)));
    let mut view = login(Some(DOCUMENT));
    view.username = "alice";
    view.fault = Some(LoginFault::Wrong);
    keep("login_wrong", here.login(&view));
    view.fault = Some(LoginFault::TooMany {
        wait: Duration::from_secs(880),
    });
    keep("login_throttled", here.login(&view));
    keep("login_throttled_de", german(&plain).login(&view));
    view.fault = Some(LoginFault::Unavailable {
        wait: Duration::from_secs(2),
    });
    keep("login_unavailable", here.login(&view));
    let mut view = login(Some(REGISTERED));
    view.personas = PERSONAS;
    keep("login_personas", here.login(&view));
    let themed = pages(&themed());
    keep(
        "login_themed",
        english(&themed).login(&login(Some(CONFIGURED))),
    );
}

#[test]
fn consent_pages() {
    let plain = pages(&Theme::new());
    let (here, resource) = (english(&plain), resource());
    let loopback = redirect("http://127.0.0.1:33418/callback");
    let registered = consent(REGISTERED, &loopback, &resource);
    keep("consent_loopback", here.consent(&registered));
    keep("consent_loopback_de", german(&plain).consent(&registered));
    let own = redirect("https://notebook.example/oauth/callback");
    keep(
        "consent_document",
        here.consent(&consent(DOCUMENT, &own, &resource)),
    );
    let foreign = redirect("https://xn--ntebook-80a.example:8443/oauth/callback?tenant=7");
    keep(
        "consent_foreign",
        here.consent(&consent(DOCUMENT, &foreign, &resource)),
    );
    let app = redirect("cursor://anysphere.cursor-retrieval/oauth/callback");
    keep(
        "consent_app",
        here.consent(&consent(CONFIGURED, &app, &resource)),
    );
    let name = format!("\u{421}laude\u{202e} \u{1f512}{}", "W".repeat(80));
    let hostile = ClientView {
        name: Some(&name),
        id: "https://a-very-long-name-of-a-host.with-many-labels.notebook.example/client.json",
        host: Some("a-very-long-name-of-a-host.with-many-labels.notebook.example"),
        ..DOCUMENT
    };
    keep(
        "consent_hostile",
        here.consent(&consent(hostile, &foreign, &resource)),
    );
    let unnamed = ClientView {
        name: None,
        ..REGISTERED
    };
    let mut view = consent(unnamed, &loopback, &resource);
    view.scopes = &[];
    view.resource.name = None;
    keep("consent_bare", here.consent(&view));
    let mut upstream = consent(REGISTERED, &loopback, &resource);
    upstream.whose = WhoseView::Provider("Google");
    keep("consent_upstream", here.consent(&upstream));
    keep("consent_upstream_de", german(&plain).consent(&upstream));
    let themed = pages(&themed());
    keep(
        "consent_themed",
        english(&themed).consent(&consent(CONFIGURED, &own, &resource)),
    );
    let mut arabic = Texts::english();
    arabic.language = "ar".into();
    let mirrored = pages(&Theme::new().language(arabic).default_language("ar"));
    let mirrored = mirrored.for_reader(None, &http::HeaderMap::new());
    keep("consent_right_to_left", mirrored.consent(&registered));
}

#[test]
fn account_pages() {
    let plain = pages(&Theme::new());
    let resource = resource();
    let other = ResourceUrl::parse("https://mcp.example.com/files").unwrap();
    let connection = |grant, client, url| ConnectionView {
        grant,
        client,
        scopes: SCOPES,
        resource: ResourceView { url, name: None },
        granted_at: Timestamp::from_secs(1_780_000_000),
        last_used: Some(Timestamp::from_secs(1_795_219_500)),
    };
    let mut connections = [
        connection("AAAAAAAAAAAAAAAAAAAAAA", REGISTERED, &resource),
        connection("BBBBBBBBBBBBBBBBBBBBBB", DOCUMENT, &resource),
        connection("CCCCCCCCCCCCCCCCCCCCCC", REGISTERED, &other),
    ];
    connections[1].last_used = None;
    connections[2].scopes = &SCOPES[..1];
    let mut view = AccountPage {
        action: "/account",
        sign_out: "/oauth/logout",
        csrf: "csrf-value",
        user: "Alice Liddell",
        connections: &connections,
        removed: false,
        more: Some("/account?after=C"),
    };
    keep("account", english(&plain).account(&view));
    keep("account_de", german(&plain).account(&view));
    view.removed = true;
    view.more = None;
    view.connections = &[];
    keep("account_removed", english(&plain).account(&view));
}

#[test]
fn other_pages() {
    let plain = pages(&Theme::new());
    let here = english(&plain);
    let again = SignedOutPage {
        sign_in: Some("/account"),
    };
    keep("signed_out", here.signed_out(&again));
    let wait = Duration::from_secs(30);
    for (name, problem) in [
        ("unknown_client", Problem::UnknownClient),
        ("untrusted_redirect", Problem::UntrustedRedirect),
        ("bad_request", Problem::BadRequest),
        ("expired", Problem::Expired),
        ("other_browser", Problem::OtherBrowser),
        ("answered", Problem::Answered),
        ("forged", Problem::Forged),
        ("changed", Problem::Changed),
        ("not_signed_in", Problem::NotSignedIn),
        ("throttled", Problem::TooMany { wait }),
        ("unavailable", Problem::Unavailable { wait }),
    ] {
        keep(
            &format!("error_{name}"),
            here.error(&ErrorPage::new(problem)),
        );
    }
    let german = german(&plain);
    keep(
        "error_other_browser_de",
        german.error(&ErrorPage::new(Problem::OtherBrowser).retry("/account")),
    );
}

#[test]
fn error_pages_with_a_way_back() {
    const ERROR: OAuthError = OAuthError::new(OAuthErrorCode::InvalidScope, "no such scope");
    let plain = pages(&Theme::new());
    let here = english(&plain);
    let uri = redirect("https://notebook.example/oauth/callback");
    let href = uri.with_response(&[("error", "invalid_scope"), ("state", "a\"b")]);
    let view = ErrorPage::new(Problem::BadRequest).error(&ERROR);
    let back = view.return_to(RedirectView::of(&uri, &DOCUMENT), &href);
    keep("error_return", here.error(&back));
    let refused = ErrorPage::new(Problem::NotAllowed);
    let back = refused.return_to(RedirectView::of(&uri, &DOCUMENT), &href);
    keep("error_not_allowed", here.error(&back));
    let uri = redirect("cursor://anysphere.cursor-retrieval/oauth/callback");
    let href = uri.with_response(&[("error", "invalid_scope")]);
    let back = view.return_to(RedirectView::of(&uri, &REGISTERED), &href);
    keep("error_return_app", here.error(&back));
}

/// An incident has no fixed name, so this page is no snapshot.
#[test]
fn sec_op_04_our_own_failures_carry_an_incident_and_no_cause() {
    let plain = pages(&Theme::new());
    let incident = Incident::new();
    let view = ErrorPage::new(Problem::Internal).incident(&incident);
    let response = english(&plain).error(&view);
    assert_eq!(response.extensions().get::<Incident>(), Some(&incident));
    let shown = Shown::of(response);
    assert_eq!(shown.status, 500);
    assert_eq!(
        shown.text(),
        format!(
            "mcp.example.comSomething went wrong hereThe fault is ours, not yours.Try again. If it \
             happens again, tell whoever runs this service, with the code below.Code for whoever \
             runs this service{incident}"
        )
    );
}
