//! Whatever a text holds, it stays text.

use std::time::Duration;

use axum::response::Response;
use portcullis_oauth::{OAuthError, OAuthErrorCode, ResourceUrl, Timestamp};
use proptest::prelude::*;

use super::super::view::{
    AccountPage, ClientView, ConnectionView, ConsentPage, ErrorPage, LoginFault, LoginPage,
    PersonaView, Problem, RedirectKind, RedirectView, ResourceView, ScopeView, SignedOutPage,
    WhoseView,
};
use super::super::{LocalPages, Theme};
use super::{Shown, pages};
use crate::client::ClientOrigin;

/// All pages, with this text wherever a page shows or carries one.
fn everywhere(text: &str) -> Vec<Shown> {
    let pages = pages(&Theme::new().service_name(text));
    let pages = pages.for_reader(None, &http::HeaderMap::new());
    let website = format!("https://{text}");
    let client = ClientView {
        name: Some(text),
        id: text,
        host: Some(text),
        origin: ClientOrigin::MetadataDocument,
        uri: Some(&website),
    };
    let url = ResourceUrl::parse("https://mcp.example.com/mcp").unwrap();
    let resource = ResourceView {
        url: &url,
        name: Some(text),
    };
    let again = SignedOutPage {
        sign_in: Some(text),
    };
    [
        login(pages, client, text),
        consent(pages, (client, resource), RedirectKind::Https, text),
        consent(pages, (client, resource), RedirectKind::PrivateUse, text),
        account(pages, (client, resource), text),
        pages.signed_out(&again),
        error(pages, text),
    ]
    .map(Shown::of)
    .into()
}

fn login(pages: LocalPages<'_>, client: ClientView<'_>, text: &str) -> Response {
    let persona = PersonaView {
        value: text,
        name: text,
        role: Some(text),
    };
    pages.login(&LoginPage {
        action: text,
        request: text,
        csrf: text,
        client: Some(client),
        username: text,
        fault: Some(LoginFault::Wrong),
        personas: &[persona],
    })
}

fn consent(
    pages: LocalPages<'_>,
    (client, resource): (ClientView<'_>, ResourceView<'_>),
    kind: RedirectKind,
    text: &str,
) -> Response {
    pages.consent(&ConsentPage {
        action: text,
        sign_out: text,
        account: text,
        shown: "/oauth/shown",
        request: text,
        csrf: text,
        client,
        redirect: redirect(kind, text),
        scopes: &scopes(text),
        resource,
        whose: WhoseView::User(text),
    })
}

fn account(
    pages: LocalPages<'_>,
    (client, resource): (ClientView<'_>, ResourceView<'_>),
    text: &str,
) -> Response {
    let connection = ConnectionView {
        grant: text,
        client,
        scopes: &scopes(text),
        resource,
        granted_at: Timestamp::from_secs(0),
        last_used: None,
    };
    pages.account(&AccountPage {
        action: text,
        sign_out: text,
        csrf: text,
        user: text,
        connections: &[connection, connection],
        removed: true,
        more: Some(text),
    })
}

fn error(pages: LocalPages<'_>, text: &str) -> Response {
    const ERROR: OAuthError = OAuthError::new(OAuthErrorCode::InvalidScope, "no such scope");
    let page = ErrorPage::new(Problem::BadRequest)
        .error(&ERROR)
        .retry(text);
    pages.error(&page.return_to(redirect(RedirectKind::PrivateUse, text), text))
}

fn redirect(kind: RedirectKind, text: &str) -> RedirectView<'_> {
    RedirectView {
        uri: text,
        place: text,
        kind,
        is_foreign: true,
    }
}

fn scopes(text: &str) -> [ScopeView<'_>; 2] {
    [Some(text), None].map(|words| ScopeView {
        scope: text,
        text: words,
    })
}

/// The tags of a page, each with the names of its attributes; and a check that it is well formed:
/// every quote closed, no bare `<` or `>`.
fn tags(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        assert!(tags.last().is_some_and(|tag| tag == "style") || !text.contains('>'));
        let mut seen = String::new();
        let mut quoted = false;
        let end = tag.find(|c| {
            quoted ^= c == '"';
            if !quoted && c != '>' && c != '"' {
                seen.push(c);
            }
            c == '>' && !quoted
        });
        tags.push(seen);
        rest = tag.get(end.unwrap() + 1..).unwrap();
    }
    assert!(!rest.contains('>'));
    tags
}

/// Letters of two alphabets, and a label of an encoded host, so that each warning is there anyway.
const BEGINNING: &str = "xn--\u{416}";

#[test]
fn sec_cn_16_markup_in_any_text_is_text() {
    let calm = everywhere(BEGINNING);
    for hostile in [
        "\"><script>alert(1)</script>",
        "' onmouseover='alert(1)",
        "\" onmouseover=\"alert(1)",
        "</title><script>",
        "</style><script>",
        "<!--",
        "]]>",
        "{{7*7}}{app}{name}",
        "javascript:alert(1)",
        "&lt;script&gt;&quot;",
    ] {
        let text = format!("{BEGINNING}{hostile}");
        for (calm, shown) in calm.iter().zip(everywhere(&text)) {
            assert_eq!(tags(&calm.html), tags(&shown.html), "{hostile}");
            assert!(!shown.html.contains("<script"), "{hostile}");
        }
    }
}

proptest! {
    #[test]
    fn sec_cn_16_no_text_leaves_its_place(text in "(?s).{0,40}") {
        let text = format!("{BEGINNING}{text}");
        let calm = everywhere(BEGINNING);
        for (calm, shown) in calm.iter().zip(everywhere(&text)) {
            prop_assert_eq!(tags(&calm.html), tags(&shown.html));
        }
    }
}

#[test]
fn a_page_has_no_script_and_no_style_of_its_own() {
    for shown in everywhere(BEGINNING) {
        for tag in tags(&shown.html) {
            let mut words = tag.split([' ', '=', '/']).filter(|word| !word.is_empty());
            assert!(!matches!(
                words.next(),
                Some("script" | "iframe" | "object" | "link" | "base")
            ));
            assert!(
                words.all(|word| word != "style" && !word.starts_with("on")),
                "{tag}"
            );
        }
    }
}

#[test]
fn fields_carry_long_values_unchanged() {
    let pages = pages(&Theme::new());
    let here = pages.for_reader(None, &http::HeaderMap::new());
    let sealed = "A-_9".repeat(3_000);
    let view = LoginPage {
        action: "/oauth/login",
        request: &sealed,
        csrf: "c",
        client: None,
        username: "",
        fault: Some(LoginFault::TooMany {
            wait: Duration::ZERO,
        }),
        personas: &[],
    };
    let shown = Shown::of(here.login(&view));
    let field = format!("<input type=\"hidden\" name=\"request\" value=\"{sealed}\">");
    assert_eq!(shown.html.matches(&field).count(), 1);
}
