//! What a consent page must say, and what it must not.

use portcullis_oauth::{RedirectUri, ScopeSet};

use super::super::view::{ClientView, ErrorPage, Problem, RedirectKind, RedirectView, ScopeView};
use super::super::{LocalPages, Pages, Theme};
use super::gallery::{CONFIGURED, DOCUMENT, REGISTERED, consent, redirect, resource};
use super::{Shown, pages};
use crate::client::{AuthenticationMethod, Client, ClientOrigin};

fn here(pages: &Pages) -> LocalPages<'_> {
    pages.for_reader(None, &http::HeaderMap::new())
}

fn shown(client: ClientView<'_>, uri: &str) -> Shown {
    let (pages, uri, resource) = (pages(&Theme::new()), redirect(uri), resource());
    Shown::of(here(&pages).consent(&consent(client, &uri, &resource)))
}

const OWN: &str = "https://notebook.example/callback";
const LOOPBACK: &str = "http://127.0.0.1:33418/callback";

#[test]
fn sec_cn_14_the_page_says_who_what_where_and_as_whom() {
    let page = shown(DOCUMENT, "https://notebook.example:8443/callback?x=1");
    let text = page.text();
    for part in [
        "“Notebook” wants access",
        "It asks to use Notes in your name.",
        "It is the app of notebook.example. It chose its name itself.",
        "Sends you tohttps://notebook.example:8443/callback",
        "Read your notes notes:read",
        "Keep this access until you take it back offline_access",
        "Signed in asAlice Liddell",
        "https://notebook.example/oauth/client.json",
        "https://mcp.example.com/notes/mcp",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(page.html.contains("<strong>notebook.example:8443</strong>"));
    assert!(
        shown(REGISTERED, LOOPBACK)
            .text()
            .contains("It chose this name itself. Nobody has checked it.")
    );
    let configured = shown(CONFIGURED, OWN).text();
    assert!(configured.contains("set up by whoever runs this service"));
    assert!(configured.contains("Example Desktop wants access"));
}

#[test]
fn a_long_path_leaves_the_host_in_sight() {
    let uri = format!("https://notebook.example/{}", "a".repeat(500));
    let text = shown(DOCUMENT, &uri).text();
    let start = format!("Sends you tohttps://notebook.example/{}…", "a".repeat(79));
    assert!(text.contains(&start), "{text}");
    assert!(text.contains(&uri));
}

#[test]
fn sec_cn_15_local_and_foreign_redirects_are_warned_of() {
    let warnings = |client, uri: &str| shown(client, uri).html.matches("box caution").count();
    for local in [
        LOOPBACK,
        "http://[::1]:9/cb",
        "https://localhost/cb",
        "http://localhost/cb",
    ] {
        let page = shown(REGISTERED, local);
        assert!(
            page.text()
                .contains("access goes to a program on this computer"),
            "{local}"
        );
    }
    let app = shown(REGISTERED, "cursor://anysphere/callback");
    assert!(
        app.text()
            .contains("whichever app on this device opens cursor: links")
    );
    let foreign = shown(DOCUMENT, "https://app.example/callback").text();
    assert!(foreign.contains("goes to app.example, and not to notebook.example"));
    let port = shown(DOCUMENT, "https://notebook.example:8443/callback").text();
    assert!(port.contains("goes to notebook.example:8443, and not to"));
    assert_eq!(warnings(DOCUMENT, OWN), 0);
    assert_eq!(warnings(REGISTERED, OWN), 0);
    assert_eq!(warnings(CONFIGURED, LOOPBACK), 1);
}

#[test]
fn sec_ru_15_addresses_with_foreign_letters_are_flagged() {
    let says = |page: Shown| page.text().contains("letters beyond a to z");
    assert!(says(shown(REGISTERED, "https://xn--80ak6aa92e.com/cb")));
    assert!(says(shown(
        REGISTERED,
        "https://login.xn--80ak6aa92e.com/cb"
    )));
    let document = ClientView {
        host: Some("xn--80ak6aa92e.com"),
        ..DOCUMENT
    };
    assert!(says(shown(document, OWN)));
    assert!(!says(shown(DOCUMENT, OWN)));
    assert!(!says(shown(REGISTERED, "https://axn--a.com/cb")));
}

#[test]
fn sec_cn_19_a_name_of_mixed_letters_is_flagged() {
    let imitation = ClientView {
        name: Some("\u{421}laude"),
        ..REGISTERED
    };
    assert!(
        shown(imitation, OWN)
            .text()
            .contains("mixes letters of several alphabets")
    );
    assert!(!shown(REGISTERED, OWN).text().contains("mixes letters"));
}

#[test]
fn sec_cn_19_no_page_calls_an_app_verified() {
    for client in [REGISTERED, DOCUMENT] {
        let named = ClientView {
            name: Some("Claude \u{2714}\u{fe0f} \u{1f512}"),
            ..client
        };
        let text = shown(named, OWN).text();
        assert!(text.contains("“Claude” wants access"), "{text}");
        assert!(!text.to_lowercase().contains("verified"));
    }
}

#[test]
fn sec_cn_16_a_website_is_shown_when_it_is_https_and_never_linked() {
    let with = |uri| {
        let client = ClientView {
            uri: Some(uri),
            ..REGISTERED
        };
        shown(client, OWN)
    };
    let page = with("https://claude.example/about");
    assert!(page.text().contains("claude.example"));
    assert_eq!(page.html.matches("href").count(), 1);
    assert!(page.html.contains("href=\"/account\""));
    for odd in [
        "javascript:alert(1)",
        "http://claude.example/",
        "data:text/html,x",
        "//claude.example",
    ] {
        let page = with(odd);
        assert!(!page.html.contains("Website, as the app says"), "{odd}");
        assert!(!page.html.contains(odd), "{odd}");
    }
}

#[test]
fn sec_cn_12_the_first_form_asks_and_deny_comes_first() {
    let page = shown(REGISTERED, OWN);
    let forms: Vec<&str> = page.html.split("<form ").skip(1).collect();
    assert_eq!(forms.len(), 2);
    let buttons: Vec<&str> = forms[0].split("<button ").skip(1).collect();
    assert!(buttons[0].starts_with("type=\"submit\" name=\"action\" value=\"deny\">Deny<"));
    assert!(buttons[1].contains("name=\"action\" value=\"approve\">Approve<"));
    assert_eq!(page.html.matches("name=\"action\"").count(), 2);
    assert!(!page.html.contains("autofocus"));
}

#[test]
fn sec_ru_22_only_the_redirect_uri_is_linked() {
    let pages = pages(&Theme::new());
    let uri = redirect("https://notebook.example/callback");
    let view = RedirectView::of(&uri, &DOCUMENT);
    let linked = |href: &str| {
        let page = ErrorPage::new(Problem::BadRequest).return_to(view, href);
        Shown::of(here(&pages).error(&page))
    };
    let good = linked("https://notebook.example/callback?error=invalid_scope&state=x");
    assert!(
        good.html
            .contains("href=\"https://notebook.example/callback?error=invalid_scope&amp;state=x\"")
    );
    assert!(good.text().contains("Return to notebook.example"));
    for other in [
        "javascript:alert(1)",
        "https://evil.example/callback",
        "/x",
        "",
    ] {
        assert!(!linked(other).html.contains("<a "), "{other}");
    }
}

#[test]
fn views_are_read_off_what_is_known() {
    let mut client = Client {
        id: "https://app.example:8443/client.json".parse_id(),
        origin: ClientOrigin::MetadataDocument,
        name: Some("App".into()),
        uri: None,
        redirect_uris: Vec::new(),
        authentication: vec![AuthenticationMethod::None],
        secret: None,
        keys: None,
        assertion_algorithm: None,
        grant_types: Vec::new(),
        scope: Some(ScopeSet::new()),
    };
    assert_eq!(ClientView::of(&client).host, Some("app.example:8443"));
    let view = |client: &Client, uri: &str| {
        let uri: RedirectUri = redirect(uri);
        let view = RedirectView::of(&uri, &ClientView::of(client));
        (view.place.to_owned(), view.kind, view.is_foreign)
    };
    let place = |place: &str, kind, foreign| (place.to_owned(), kind, foreign);
    assert_eq!(
        view(&client, "https://app.example:8443/cb"),
        place("app.example:8443", RedirectKind::Https, false)
    );
    assert_eq!(
        view(&client, "https://app.example/cb"),
        place("app.example", RedirectKind::Https, true)
    );
    assert_eq!(
        view(&client, "http://[::1]:8/cb?x"),
        place("[::1]:8", RedirectKind::Loopback, false)
    );
    assert_eq!(
        view(&client, "com.example.app:/cb"),
        place("com.example.app", RedirectKind::PrivateUse, false)
    );
    client.origin = ClientOrigin::Registered;
    assert_eq!(ClientView::of(&client).host, None);
    assert!(!view(&client, "https://else.example/cb").2);
    client.origin = ClientOrigin::MetadataDocument;
    client.id = "https://trusted.example@evil.example/client.json".parse_id();
    assert_eq!(ClientView::of(&client).host, None);
}

#[test]
fn scopes_without_a_text_are_told_in_words() {
    let pages = pages(&Theme::new());
    let (uri, resource) = (redirect(OWN), resource());
    let scopes =
        ["notes:read_all", "openid", "read:user"].map(|scope| ScopeView { scope, text: None });
    let mut view = consent(REGISTERED, &uri, &resource);
    view.scopes = &scopes;
    let text = Shown::of(here(&pages).consent(&view)).text();
    for part in [
        "notes - read all notes:read_all",
        "Know that it is you openid",
        "Read your user data read:user",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

trait ParseId {
    fn parse_id(&self) -> portcullis_oauth::ClientId;
}

impl ParseId for str {
    fn parse_id(&self) -> portcullis_oauth::ClientId {
        portcullis_oauth::ClientId::parse(self).unwrap()
    }
}
