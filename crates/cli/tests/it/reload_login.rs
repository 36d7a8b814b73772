//! Logins at the program's own server, while its configuration is read again.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use http::Response;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_oauth::{BaseUrl, form};
use portcullis_testkit::{Browser, Page, Visit};

use crate::login::{PASSWORD, add_user};
use crate::support::{Program, Serving, call, send, upstream};

const REDIRECT: &str = "http://127.0.0.1/cb";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Servers behind, by their names; each has the path of its name.
fn toml(names: &[&str]) -> String {
    let url = upstream();
    let servers = names.iter().map(|name| {
        format!("[[upstream]]\nname = \"{name}\"\npath = \"/{name}\"\nurl = \"{url}\"\n")
    });
    let servers: String = servers.collect();
    format!(
        "listen = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]\n[auth]\nmode = \"server\"\n\
         [scopes.read]\n{servers}"
    )
}

/// A server with one account, `alice`.
fn serve(names: &[&str]) -> Serving {
    let program = Program::new(&["run", "--json"]);
    let serving = program.toml(&toml(names)).serve();
    add_user(&serving, "alice");
    serving
}

/// Where the server is, without a path.
fn base(serving: &Serving) -> String {
    let url = serving.url();
    let at = url.rfind('/').unwrap();
    url.get(..at).unwrap().to_owned()
}

/// A browser at an address of the internet, as a proxy says.
fn browser(serving: &Serving) -> Browser {
    let base = base(serving);
    let url = BaseUrl::parse(&base).unwrap();
    let site = Router::new().fallback(move |request: Request| forward(base.clone(), request));
    Browser::new(site, &url)
}

async fn forward(base: String, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let mut headers = Vec::new();
    if !head.headers.contains_key("x-forwarded-for") {
        headers.push(("X-Forwarded-For".to_owned(), "203.0.113.7".to_owned()));
    }
    for (name, value) in &head.headers {
        if name != "host" {
            headers.push((name.to_string(), value.to_str().unwrap().to_owned()));
        }
    }
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    let body = (head.method == "POST").then_some(&*body);
    let answer = send(&format!("{base}{}", head.uri), &headers, body);
    let mut response = Response::builder().status(answer.status);
    let (head, body) = answer.text.split_once("\r\n\r\n").unwrap();
    for (name, value) in head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
    {
        response = response.header(name, value);
    }
    response.body(Body::from(body.to_owned())).unwrap()
}

fn post(serving: &Serving, path: &str, media: &str, body: &str) -> (u16, Value) {
    let url = format!("{}{path}", base(serving));
    let answer = send(&url, &[("Content-Type", media)], Some(body));
    let (_, body) = answer.text.split_once("\r\n\r\n").unwrap();
    let value = json::value(body.as_bytes(), Limits::METADATA);
    (answer.status, value.unwrap_or_default())
}

fn register(serving: &Serving) -> String {
    let body = format!(
        r#"{{"client_name":"Notes","redirect_uris":["{REDIRECT}"],"token_endpoint_auth_method":"none"}}"#
    );
    let (status, client) = post(serving, "/oauth/register", "application/json", &body);
    assert_eq!(status, 201, "{client}");
    client["client_id"].as_str().unwrap().to_owned()
}

fn token(serving: &Serving, fields: &[(&str, &str)]) -> (u16, Value) {
    let media = "application/x-www-form-urlencoded";
    post(serving, "/oauth/token", media, &form::encode(fields))
}

fn authorize(client: &str, resource: &str) -> String {
    let query = form::encode(&[
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", REDIRECT),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("resource", resource),
    ]);
    format!("/oauth/authorize?{query}")
}

async fn sign_in(browser: &Browser, page: &Page, password: &str) -> Page {
    let fields = [("username", "alice"), ("password", password)];
    browser.press(page, "Sign in", &fields).await
}

/// Another configuration, and the same one again, at each step of a login and after it.
#[tokio::test]
async fn a_login_goes_on_through_reloads() {
    let mut serving = serve(&["a", "b"]);
    let (browser, client) = (browser(&serving), register(&serving));
    let resource = format!("{}/a", base(&serving));
    let page = browser.open(&authorize(&client, &resource)).await;
    serving.reload();
    let page = sign_in(&browser, &page, PASSWORD).await;
    assert!(page.has_button("approve"), "{page:?}");
    serving.rewrite("portcullis.toml", &toml(&["a"]));
    serving.reload();
    let page = browser.press(&page, "approve", &[]).await;
    let code = page.answer().one("code").unwrap().unwrap().to_owned();
    serving.reload();
    let redemption = [
        ("grant_type", "authorization_code"),
        ("client_id", &client),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let (status, tokens) = token(&serving, &redemption);
    assert_eq!(status, 200, "{tokens}");
    let text = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    let access = text(&tokens, "access_token");
    assert_eq!(call(&resource, Some(&access), "x").status, 200);
    serving.reload();
    assert_eq!(call(&resource, Some(&access), "x").status, 200);
    let refresh = text(&tokens, "refresh_token");
    let refreshing = [
        ("grant_type", "refresh_token"),
        ("client_id", &client),
        ("refresh_token", &refresh),
    ];
    let (status, fresh) = token(&serving, &refreshing);
    assert_eq!(status, 200, "{fresh}");
    serving.reload();
    // What is asked once more has the same answer, whoever gave it.
    let (_, again) = token(&serving, &refreshing);
    assert_eq!(text(&again, "refresh_token"), text(&fresh, "refresh_token"));
    // The code was used by the server of another configuration, and is used for this one too.
    let (status, refused) = token(&serving, &redemption);
    assert_eq!(
        (status, &refused["error"]),
        (400, &Value::from("invalid_grant"))
    );
    let access = text(&fresh, "access_token");
    assert_eq!(call(&resource, Some(&access), "x").status, 401);
    // What is not served any more is not a resource any more, and the browser is still signed in.
    let gone = browser
        .open(&authorize(&client, &format!("{}/b", base(&serving))))
        .await;
    assert!(gone.text.contains("invalid_target"), "{gone:?}");
    let page = browser.open(&authorize(&client, &resource)).await;
    assert!(page.has_button("approve"), "{page:?}");
}

#[tokio::test]
async fn sec_op_14_a_reload_gives_nobody_more_attempts() {
    let mut serving = serve(&["a"]);
    let (browser, client) = (browser(&serving), register(&serving));
    let resource = format!("{}/a", base(&serving));
    let url = authorize(&client, &resource);
    let mut tries = 0;
    let mut page = browser.open(&url).await;
    while page.status != 429 {
        tries += 1;
        assert!(tries < 10, "nobody counts");
        page = sign_in(&browser, &page, "wrong").await;
    }
    for names in [&["a"][..], &["a", "b"]] {
        serving.rewrite("portcullis.toml", &toml(names));
        serving.reload();
        let page = browser.open(&url).await;
        let page = sign_in(&browser, &page, PASSWORD).await;
        assert_eq!(page.status, 429, "{page:?}");
    }
    // Somebody else at the same account, from elsewhere, is another matter.
    let elsewhere = browser.another();
    let page = elsewhere.open(&url).await;
    let fields = [("username", "alice"), ("password", PASSWORD)];
    let form: Vec<_> = fields.into_iter().collect();
    let hidden = ["request", "csrf"].map(|name| (name, page.field(name).unwrap()));
    let all = hidden
        .iter()
        .map(|(name, value)| (*name, &**value))
        .chain(form);
    let visit = Visit::post("/oauth/login", &all.collect::<Vec<_>>());
    let visit = visit.header("x-forwarded-for", "198.51.100.9");
    let page = elsewhere.visit(visit).await;
    assert!(page.has_button("approve"), "{page:?}");
}
