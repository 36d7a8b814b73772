//! A client and a user who log in at a real process, over its socket.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, HOST};
use portcullis_oauth::BaseUrl;
use portcullis_oauth::crypto::{base64url, sha256};
use portcullis_oauth::form::encode;
use portcullis_oauth::json::{self, Limits, Value};
use portcullis_testkit::{Browser, Page};

use crate::support::{Answer, Program, Serving, send};

pub(crate) const PASSWORD: &str = "the sea is green in winter";
const REDIRECT: &str = "http://127.0.0.1:7777/callback";
const VERIFIER: &str = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv";

/// A server with accounts, in front of a server with tools.
pub(crate) fn server(more: &str) -> Serving {
    let toml = format!(
        "listen = \"127.0.0.1:0\"\n[auth]\nmode = \"server\"\n[scopes.read]\n[scopes.write]\n{more}\n\
         [[upstream]]\nurl = \"{}\"\n",
        crate::support::upstream()
    );
    Program::new(&["run", "--json"]).toml(&toml).serve()
}

/// Makes an account beside a server.
pub(crate) fn add_user(serving: &Serving, name: &str) {
    serving.rewrite("password", &format!("{PASSWORD}\n"));
    let arguments = ["user", "add", name, "--password-file", "password"];
    let added = Program::beside(serving, &arguments);
    assert_eq!(added.code, 0, "{added:?}");
}

/// A registered client at a server.
pub(crate) struct Client<'a> {
    base: String,
    url: String,
    pub(crate) id: String,
    serving: &'a Serving,
}

/// What a client got.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl<'a> Client<'a> {
    /// Registers a client.
    pub(crate) fn register(serving: &'a Serving, name: &str) -> Self {
        let url = serving.url();
        let base = url.rsplit_once('/').unwrap().0.to_owned();
        let body = json::json!({"client_name": name, "redirect_uris": [REDIRECT]});
        let headers = [("Content-Type", "application/json")];
        let answer = send(
            &format!("{base}/oauth/register"),
            &headers,
            Some(&body.to_string()),
        );
        assert_eq!(answer.status, 201, "{answer:?}");
        let id = value(&answer)["client_id"].as_str().unwrap().to_owned();
        Self {
            base,
            url,
            id,
            serving,
        }
    }

    /// A client that registered before.
    pub(crate) fn of(serving: &'a Serving, id: &str) -> Self {
        let url = serving.url();
        Self {
            base: url.rsplit_once('/').unwrap().0.to_owned(),
            url,
            id: id.to_owned(),
            serving,
        }
    }

    /// A browser that nobody has logged in with.
    pub(crate) fn browser(&self) -> Browser {
        let base = BaseUrl::parse(&self.base).unwrap();
        Browser::new(Router::new().fallback(forward), &base)
    }

    /// Where the client sends the user's browser.
    pub(crate) async fn ask(&self, browser: &Browser) -> Page {
        let query = encode(&[
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", REDIRECT),
            (
                "code_challenge",
                &base64url::encode(sha256(VERIFIER.as_bytes())),
            ),
            ("code_challenge_method", "S256"),
            ("resource", &self.url),
            ("scope", "read write"),
            ("state", "abc"),
        ]);
        browser.open(&format!("/oauth/authorize?{query}")).await
    }

    /// Logs a user in who approves, and redeems the code.
    pub(crate) async fn log_in(&self, user: &str) -> Tokens {
        let browser = self.browser();
        let page = self.ask(&browser).await;
        let fields = [("username", user), ("password", PASSWORD)];
        let page = browser.press(&page, "Sign in", &fields).await;
        let done = browser.press(&page, "approve", &[]).await;
        self.tokens(&done)
    }

    /// Redeems the code with which a browser comes back.
    pub(crate) fn tokens(&self, done: &Page) -> Tokens {
        let code = done.answer().required("code").unwrap().to_owned();
        let answer = self.token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ]);
        assert_eq!(answer.status, 200, "{answer:?}");
        Tokens {
            access: value(&answer)["access_token"].as_str().unwrap().to_owned(),
            refresh: value(&answer)["refresh_token"].as_str().unwrap().to_owned(),
        }
    }

    /// Offers a refresh token.
    pub(crate) fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    /// The status of a call with that token.
    pub(crate) fn call(&self, tokens: &Tokens) -> u16 {
        crate::support::call(&self.url, Some(&tokens.access), "x").status
    }

    /// Another command in the server's folder, and its output as JSON.
    pub(crate) fn command(&self, arguments: &[&str]) -> Value {
        let ended = Program::beside(self.serving, &[arguments, &["--json"]].concat());
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
        if ended.stdout.is_empty() {
            return Value::Null;
        }
        json::value(ended.stdout.trim().as_bytes(), Limits::METADATA).unwrap()
    }

    fn token(&self, fields: &[(&str, &str)]) -> Answer {
        let fields = [&[("client_id", self.id.as_str())], fields].concat();
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        send(
            &format!("{}/oauth/token", self.base),
            &headers,
            Some(&encode(&fields)),
        )
    }
}

/// The JSON of an answer.
pub(crate) fn value(answer: &Answer) -> Value {
    let body = answer.text.split_once("\r\n\r\n").unwrap().1;
    json::value(body.as_bytes(), Limits::METADATA).unwrap()
}

/// Sends a request of a browser over the socket.
async fn forward(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.unwrap();
    let path = head.uri.path_and_query().unwrap().as_str().to_owned();
    let host = head.headers[HOST].to_str().unwrap().to_owned();
    let mut text = format!("{} {path} HTTP/1.1\r\nConnection: close\r\n", head.method).into_bytes();
    for (name, value) in &head.headers {
        text.extend(format!("{name}: ").into_bytes());
        text.extend(value.as_bytes());
        text.extend(b"\r\n");
    }
    text.extend(format!("{CONTENT_LENGTH}: {}\r\n\r\n", body.len()).into_bytes());
    text.extend(body);
    let answered = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(host).unwrap();
        stream.write_all(&text).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answered.await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status: u16 = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let mut response = Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        assert_ne!(name.to_ascii_lowercase(), "transfer-encoding");
        response = response.header(name, value);
    }
    response.body(Body::from(body.to_owned())).unwrap()
}
