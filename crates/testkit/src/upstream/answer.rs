//! What the provider answers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract;
use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use portcullis_oauth::form::Writer;
use portcullis_oauth::json::Value;
use tokio::sync::watch;

use super::book::Book;
use super::fault::{self, Kind};
use super::seen::{Log, Seen};
use super::{authorize, token};
use crate::idp::{self, State};

/// All that the endpoints and the test have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) idp: Arc<State>,
    pub(super) log: Log,
    /// What keeps the secrets of two providers apart.
    pub(super) port: u16,
    book: Mutex<Book>,
    held: watch::Sender<BTreeSet<String>>,
}

impl Shared {
    pub(super) fn new(idp: Arc<State>) -> Self {
        let port = idp.issuer.as_str().rsplit(':').next();
        let port = port.and_then(|port| port.parse().ok()).unwrap_or_default();
        Self {
            idp,
            log: Log::new(),
            port,
            book: Mutex::new(Book::new()),
            held: watch::Sender::new(BTreeSet::new()),
        }
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, path: &str) {
        let path = path.to_owned();
        self.held.send_if_modified(|held| held.insert(path));
    }
}

/// A path that waits while this lives.
#[derive(Debug)]
pub(super) struct Held {
    shared: Arc<Shared>,
    path: String,
}

impl Held {
    pub(super) fn new(shared: &Arc<Shared>, path: &str) -> Self {
        Self {
            shared: Arc::clone(shared),
            path: path.to_owned(),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let held = &self.shared.held;
        held.send_if_modified(|held| held.remove(&self.path));
    }
}

/// What an endpoint answers, before faults.
pub(super) enum Answer {
    Json(StatusCode, Value),
    Other(Response<Body>),
}

impl Answer {
    /// An error of RFC 6749 section 5.2.
    pub(super) fn error(code: &'static str) -> Self {
        let status = match code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::Other(fault::refusal(status, code))
    }

    /// Nothing but a status.
    pub(super) fn status(status: StatusCode) -> Self {
        Self::Other(idp::status(status))
    }

    fn after(self, faults: &[Kind]) -> Response<Body> {
        let has = |wanted: fn(&Kind) -> bool| faults.iter().any(wanted);
        let is_lost = has(|fault| matches!(fault, Kind::Lost));
        match self {
            _ if is_lost => fault::cut(),
            Self::Other(answer) => answer,
            Self::Json(status, mut value) => {
                for fault in faults {
                    if let (Kind::Members(change), Value::Object(members)) = (fault, &mut value) {
                        change(members);
                    }
                }
                if has(|fault| matches!(fault, Kind::AsForm)) {
                    let form = "application/x-www-form-urlencoded";
                    return fault::answer(status, form, as_form(&value).into());
                }
                fault::answer(status, "application/json", value.to_string().into())
            }
        }
    }
}

/// Every request comes here, so that every request is seen.
pub(super) async fn answer(
    extract::State(shared): extract::State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let path = uri.path();
    let seen = Seen::new(method.clone(), path, uri.query().unwrap_or_default());
    let seen = seen.with_body(&headers, &body);
    shared.log.add(seen.clone());
    // It closes with the provider, and then nobody waits.
    let mut held = shared.held.subscribe();
    let _ = held.wait_for(|held| !held.contains(path)).await;
    if path == "/authorize" {
        return authorize::get(&shared, &seen.query);
    }
    let faults = shared.book().faults.take(path);
    let instead = faults.iter().find_map(|fault| match fault {
        Kind::Instead(answer) => Some(answer),
        _ => None,
    });
    if let Some(answer) = instead {
        return answer();
    }
    let api = shared.book().apis.get(path).cloned();
    let answer = match (&method, path, api) {
        (&Method::POST, "/token", _) => token::post(&shared, &seen, &faults),
        (&Method::POST, "/revoke", _) => token::revoke(&shared, &seen),
        (&Method::DELETE, "/applications/token", _) => token::delete(&shared, &seen, &body, false),
        (&Method::DELETE, "/applications/grant", _) => token::delete(&shared, &seen, &body, true),
        (.., Some(api)) => profile(&shared, &headers, &*api),
        _ => Answer::Other(from_idp(&shared, (method, uri), headers, body).await),
    };
    answer.after(&faults)
}

/// What an API says of the user whose token it is (RFC 6750 section 2.1).
fn profile(
    shared: &Shared,
    headers: &HeaderMap,
    api: &(dyn Fn(&portcullis_oauth::json::Map<String, Value>) -> Value + Send + Sync),
) -> Answer {
    let header = headers.get(AUTHORIZATION);
    let token = header.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let now = shared.idp.clock.now();
    let book = shared.book();
    let Some(claims) = token.and_then(|token| book.claims_of(token, now)) else {
        let mut refusal = idp::status(StatusCode::UNAUTHORIZED);
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return Answer::Other(refusal);
    };
    Answer::Json(StatusCode::OK, api(claims))
}

async fn from_idp(
    shared: &Shared,
    (method, uri): (Method, Uri),
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let state = extract::State(Arc::clone(&shared.idp));
    idp::answer(state, method, uri, headers, body).await
}

fn as_form(value: &Value) -> String {
    let members = value.as_object().into_iter().flatten();
    let form = members.fold(Writer::new(), |form, (name, value)| {
        form.pair(name, &text(value))
    });
    form.finish()
}

/// A value as a parameter spells it.
pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}
