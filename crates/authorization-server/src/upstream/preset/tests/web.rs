//! The providers' hosts on this machine: `https://host/path` is at `http://127.0.0.1:PORT/host/path`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Response, StatusCode};
use portcullis_oauth::form::{Form, Limits};
use portcullis_oauth::json::Value;
use portcullis_testkit::FakeIdp;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::upstream::Upstream;
use crate::upstream::definition::Place;
use crate::upstream::user::Organisations;

type Answer = (StatusCode, &'static str, String);

/// What was asked, and what is answered. Whatever has no answer is refused as a bad code.
pub(super) struct Web {
    base: String,
    hosts: Arc<Hosts>,
    /// Who signs ID tokens, whatever their issuer.
    pub(super) idp: FakeIdp,
    server: AbortHandle,
}

#[derive(Default)]
struct Hosts {
    answers: Mutex<HashMap<String, Answer>>,
    seen: Mutex<Vec<Seen>>,
}

/// One request.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) authorization: String,
    pub(super) body: String,
}

impl Drop for Web {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Web {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/", listener.local_addr().unwrap());
        let hosts = Arc::new(Hosts::default());
        let router = axum::Router::new()
            .fallback(answer)
            .with_state(hosts.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            base,
            hosts,
            idp: FakeIdp::start().await,
            server: server.abort_handle(),
        }
    }

    /// Where a URL is on this machine.
    pub(super) fn here(&self, url: &str) -> String {
        url.replace("https://", &self.base)
    }

    /// What a text says on the real web.
    pub(super) fn there(&self, text: &str) -> String {
        text.replace(&self.base, "https://")
    }

    pub(super) fn json(&self, url: &str, body: &Value) {
        self.answer(url, StatusCode::OK, "application/json", &body.to_string());
    }

    pub(super) fn answer(&self, url: &str, status: StatusCode, kind: &'static str, body: &str) {
        let answer = (status, kind, body.to_owned());
        self.hosts
            .answers
            .lock()
            .unwrap()
            .insert(url.to_owned(), answer);
    }

    /// A document of the provider's, with its URLs.
    pub(super) fn document(&self, url: &str, document: &Value) {
        let text = self.here(&document.to_string());
        self.answer(url, StatusCode::OK, "application/json", &text);
    }

    /// All requests that changed anything, in their order.
    pub(super) fn posts(&self) -> Vec<Seen> {
        let seen = self.hosts.seen.lock().unwrap();
        seen.iter()
            .filter(|seen| seen.method == "POST")
            .cloned()
            .collect()
    }

    /// The requests for one URL.
    pub(super) fn seen(&self, url: &str) -> Vec<Seen> {
        let seen = self.hosts.seen.lock().unwrap();
        seen.iter()
            .filter(|seen| seen.url == url)
            .cloned()
            .collect()
    }

    /// The provider, with every address on this machine.
    pub(super) fn moved(&self, mut upstream: Upstream) -> Upstream {
        let here = |url: &mut String| *url = self.here(url);
        match &mut upstream.place {
            Place::Endpoints {
                authorization,
                token,
            } => {
                here(authorization);
                here(token);
            }
            Place::Discovered(url) => here(url),
        }
        upstream.issuers.iter_mut().for_each(here);
        let one = [
            upstream.jwks_uri.as_mut(),
            upstream
                .userinfo
                .as_mut()
                .map(|userinfo| &mut userinfo.endpoint),
            upstream.revocation.endpoint.as_mut(),
            upstream.verified_emails.as_mut(),
            upstream
                .token_check
                .as_mut()
                .map(|check| &mut check.endpoint),
        ];
        one.into_iter().flatten().for_each(here);
        for organisations in &mut upstream.organisations {
            if let Organisations::Endpoint { url, .. } = organisations {
                here(url);
            }
        }
        upstream
    }
}

impl Seen {
    /// The parameters of its form.
    pub(super) fn form(&self) -> Vec<(String, String)> {
        pairs(&self.body)
    }

    pub(super) fn field(&self, name: &str) -> Option<String> {
        let mut form = self.form().into_iter();
        form.find_map(|(known, value)| (known == name).then_some(value))
    }
}

/// The parameters of a form or a query.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let form = Form::parse(text.as_bytes(), Limits::ENDPOINT).unwrap();
    let pairs = form
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    pairs.collect()
}

async fn answer(State(hosts): State<Arc<Hosts>>, request: Request) -> Response<String> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().as_str();
    let url = format!("https://{}", path.trim_start_matches('/'));
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let authorization = parts.headers.get(AUTHORIZATION);
    hosts.seen.lock().unwrap().push(Seen {
        method: parts.method.to_string(),
        url: url.clone(),
        authorization: authorization
            .map_or("", |value| value.to_str().unwrap())
            .to_owned(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let known = hosts.answers.lock().unwrap().get(&url).cloned();
    let (status, kind, body) = known.unwrap_or_else(|| {
        let refused = r#"{"error":"invalid_grant"}"#.to_owned();
        (StatusCode::BAD_REQUEST, "application/json", refused)
    });
    let answer = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind);
    answer.body(body).unwrap()
}
