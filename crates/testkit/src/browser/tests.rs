use axum::Router;
use axum::extract::Request;
use axum::response::{AppendHeaders, Html, IntoResponse as _, Redirect, Response};
use axum::routing::get;
use http::header::SET_COOKIE;

use super::*;

async fn echo(request: Request) -> String {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1024).await.unwrap();
    let names = [
        "cookie",
        "origin",
        "sec-fetch-site",
        "host",
        "accept-language",
    ];
    let mut lines: Vec<String> = names
        .iter()
        .filter_map(|name| {
            Some(format!(
                "{name}: {}",
                head.headers.get(*name)?.to_str().ok()?
            ))
        })
        .collect();
    lines.push(format!("{} {}", head.method, head.uri));
    lines.push(String::from_utf8(body.to_vec()).unwrap());
    lines.join("\n")
}

async fn cookies() -> Response {
    let lines = [
        "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax",
        "__Host-b=1; Path=/; Secure; Domain=site.example",
        "__Host-c=1; Path=/",
        "strict=1; SameSite=Strict",
        "open=1; SameSite=None; Secure",
    ];
    let lines = lines.map(|line| (SET_COOKIE, line));
    (AppendHeaders(lines), Redirect::to("/echo?x=1")).into_response()
}

const PAGE: &str = r#"<!doctype html><!-- <form action="/no"> --><style>form > a { }</style>
<form method="post" action="/echo"><input type="hidden" name="request" value="a&amp;b&quot;&#39;">
<label>Name <input name=who autofocus></label><input name="empty" value>
<button name="action" value="approve"><b>Allow</b> it</button>
<button form="other" name="who" value="else">Not you?</button>
<button name="action" value="deny">Deny</button></form><form id="other" action="/other"></form><form action="/echo"><button>Search</button></form>
<a href="/echo?link">Go <i>back</i></a>"#;

fn browser(base: &str) -> Browser {
    let site = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/echo", get(echo).post(echo))
        .route("/cookies", get(cookies).post(cookies))
        .route(
            "/out",
            get(async || Redirect::to("https://site.example.evil/cb?code=1&iss=a%20b")),
        )
        .route("/loop", get(async || Redirect::to("/loop")));
    Browser::new(site, &BaseUrl::parse(base).unwrap())
}

#[tokio::test]
async fn cookies_are_kept_as_browsers_keep_them() {
    let tab = browser("https://site.example");
    let page = tab.clone().open("/cookies").await;
    assert!(page.url.ends_with("/echo?x=1"), "{page:?}");
    assert!(
        page.text.contains("cookie: __Host-a=1; open=1; strict=1\n"),
        "{page:?}"
    );
    assert_eq!(tab.cookie_names(), ["__Host-a", "open", "strict"]);

    let cross = async |visit: Visit| tab.visit(visit.seen_from(Site::CrossSite)).await.text;
    assert!(
        cross(Visit::get("/echo"))
            .await
            .contains("cookie: __Host-a=1; open=1\n")
    );
    assert!(
        cross(Visit::post("/echo", &[]))
            .await
            .contains("cookie: open=1\n")
    );
    let bare = tab.visit(Visit::get("/echo").without_cookies()).await;
    assert!(!bare.text.contains("cookie:"));
    assert!(!tab.another().open("/echo").await.text.contains("cookie:"));

    let plain = browser("http://localhost:8000");
    plain.open("/cookies").await;
    assert_eq!(plain.cookie_names(), ["strict"]);
}

#[tokio::test]
async fn a_form_is_filled_in_and_sent() {
    let tab = browser("https://site.example");
    let page = tab.open("/").await;
    assert_eq!(page.field("request").as_deref(), Some("a&b\"'"));
    let sent = tab.press(&page, "Allow it", &[("who", "me & you")]).await;
    let expected = "origin: https://site.example\nsec-fetch-site: same-origin\nhost: site.example\n\
        POST /echo\nrequest=a%26b%22%27&who=me+%26+you&empty=&action=approve";
    assert_eq!(sent.text, expected);
    let other = tab.press(&page, "Not you?", &[]).await;
    assert!(other.url.ends_with("/other?who=else"), "{other:?}");
    let denied = tab.press(&page, "deny", &[]).await;
    assert!(denied.text.ends_with("&action=deny"));
    assert!(
        tab.press(&page, "Search", &[])
            .await
            .text
            .contains("GET /echo?")
    );
    assert_eq!(page.links("Go back"), ["/echo?link"]);
    assert!(!page.has_button("Sign in"));
}

#[tokio::test]
async fn redirects_end_where_the_site_does() {
    let tab = browser("https://site.example");
    let out = tab.open("/out").await;
    assert_eq!(out.answer().one("code"), Ok(Some("1")));
    assert_eq!(out.answer().one("iss"), Ok(Some("a b")));
    let stayed = tab.visit(Visit::get("/cookies").stay()).await;
    assert_eq!(stayed.location(), Some("/echo?x=1"));
    let visit = Visit::get("/echo")
        .header("Accept-Language", "de")
        .without_header("host");
    let text = tab.visit(visit).await.text;
    assert!(
        text.contains("accept-language: de") && !text.contains("host:"),
        "{text}"
    );
}

#[tokio::test]
#[should_panic(expected = "has not a field `password` beside `Deny`")]
async fn a_field_that_is_not_there_is_a_mistake() {
    let tab = browser("https://site.example");
    let page = tab.open("/").await;
    drop(tab.press(&page, "Deny", &[("password", "x")]));
}

#[tokio::test]
#[should_panic(expected = "redirects without end")]
async fn a_loop_is_a_mistake() {
    browser("https://site.example").open("/loop").await;
}
