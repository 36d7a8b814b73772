//! What goes wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use portcullis_oauth::crypto::sign::SigningKey;
use portcullis_oauth::jose::Algorithm;
use portcullis_oauth::json::{Map, Value, json};

use super::broken;
use crate::token::TokenBuilder;

/// Something that goes wrong with one request.
///
/// | the provider | fault |
/// |---|---|
/// | does nothing and answers | [`status`](Self::status), [`busy`](Self::busy), [`body`](Self::body), [`huge`](Self::huge), [`redirect`](Self::redirect), [`error`](Self::error), [`error_in_200`](Self::error_in_200) |
/// | does nothing and goes away | [`cut`](Self::cut) |
/// | does all and goes away | [`lost`](Self::lost) |
/// | does all and answers oddly | [`form`](Self::form), [`with`](Self::with), [`without`](Self::without), [`edit`](Self::edit) |
/// | signs an odd ID token | [`claim`](Self::claim), [`without_claim`](Self::without_claim), [`foreign_signature`](Self::foreign_signature), [`id_token`](Self::id_token) |
#[derive(Clone)]
pub struct Fault(pub(super) Kind);

type Change = dyn Fn(&mut Map<String, Value>) + Send + Sync;

#[derive(Clone)]
pub(super) enum Kind {
    /// Nothing is done; this is the answer.
    Instead(Arc<dyn Fn() -> Response<Body> + Send + Sync>),
    /// All is done, and nobody hears of it.
    Lost,
    /// The answer is a form.
    AsForm,
    Members(Arc<Change>),
    IdToken(Arc<dyn Fn(TokenBuilder) -> TokenBuilder + Send + Sync>),
}

impl Fault {
    /// This status, and words that nobody may repeat.
    pub fn status(status: StatusCode) -> Self {
        Self::instead(move || {
            let words = Bytes::from_static(b"<script>the provider's own words</script>");
            answer(status, "text/html", words)
        })
    }

    /// 429, and `Retry-After` in seconds.
    pub fn busy(seconds: u32) -> Self {
        Self::instead(move || {
            let mut answer = answer(StatusCode::TOO_MANY_REQUESTS, "text/plain", Bytes::new());
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
            answer
        })
    }

    /// These bytes, be they of that type or not, with status 200.
    pub fn body(media_type: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self::instead(move || answer(StatusCode::OK, media_type, body.clone()))
    }

    /// JSON of this many bytes, with a token in it.
    pub fn huge(bytes: usize) -> Self {
        let filling = "x".repeat(bytes);
        let body = json!({ "access_token": "a", "token_type": "bearer", "filling": filling });
        Self::body("application/json", body.to_string())
    }

    /// 307 to that URL: whoever follows it repeats the request there.
    pub fn redirect(to: &str) -> Self {
        let to = header(to);
        Self::instead(move || {
            let mut answer = answer(StatusCode::TEMPORARY_REDIRECT, "text/plain", Bytes::new());
            answer.headers_mut().insert(LOCATION, to.clone());
            answer
        })
    }

    /// This error of RFC 6749 section 5.2: 401 if it is `invalid_client`, else 400.
    pub fn error(code: &'static str) -> Self {
        let status = match code {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            _ => StatusCode::BAD_REQUEST,
        };
        Self::instead(move || refusal(status, code))
    }

    /// This error with status 200, as GitHub answers.
    pub fn error_in_200(code: &'static str) -> Self {
        Self::instead(move || refusal(StatusCode::OK, code))
    }

    /// The connection ends before anything is done.
    pub fn cut() -> Self {
        Self::instead(cut)
    }

    /// Everything is done, and then the connection ends.
    pub fn lost() -> Self {
        Self(Kind::Lost)
    }

    /// The answer is form-encoded.
    pub fn form() -> Self {
        Self(Kind::AsForm)
    }

    /// The answer has this member, whatever it had.
    pub fn with(name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        Self::edit(move |members| drop(members.insert(name.to_owned(), value.clone())))
    }

    /// The answer lacks this member.
    pub fn without(name: &'static str) -> Self {
        Self::edit(move |members| drop(members.remove(name)))
    }

    /// The members of the answer are changed.
    pub fn edit(change: impl Fn(&mut Map<String, Value>) + Send + Sync + 'static) -> Self {
        Self(Kind::Members(Arc::new(change)))
    }

    /// The ID token has this claim, whatever it had.
    pub fn claim(name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        Self::id_token(move |token| token.claim(name, value.clone()))
    }

    /// The ID token lacks this claim.
    pub fn without_claim(name: &'static str) -> Self {
        Self::id_token(move |token| token.without(name))
    }

    /// The ID token is signed by a stranger's key, under the name of the provider's.
    ///
    /// # Panics
    /// When the machine has no randomness to give.
    pub fn foreign_signature() -> Self {
        let Ok(key) = SigningKey::generate_es256() else {
            broken("there is no randomness for a key")
        };
        let key = Arc::new(key);
        Self::id_token(move |token| {
            let token = token.header("kid", "key-1");
            token.signed_by(Arc::clone(&key), Algorithm::Es256)
        })
    }

    /// The ID token is changed before it is signed.
    pub fn id_token(change: impl Fn(TokenBuilder) -> TokenBuilder + Send + Sync + 'static) -> Self {
        Self(Kind::IdToken(Arc::new(change)))
    }

    fn instead(answer: impl Fn() -> Response<Body> + Send + Sync + 'static) -> Self {
        Self(Kind::Instead(Arc::new(answer)))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            Kind::Instead(_) => "Instead",
            Kind::Lost => "Lost",
            Kind::AsForm => "AsForm",
            Kind::Members(_) => "Members",
            Kind::IdToken(_) => "IdToken",
        };
        write!(f, "Fault({name})")
    }
}

/// A connection that ends in the middle of an answer.
pub(super) fn cut() -> Response<Body> {
    let end = io::Error::from(io::ErrorKind::ConnectionReset);
    let body = futures_util::stream::once(async move { Err::<Bytes, _>(end) });
    Response::new(Body::from_stream(body))
}

/// An error of RFC 6749 section 5.2, with words that nobody may repeat.
pub(super) fn refusal(status: StatusCode, code: &str) -> Response<Body> {
    let body = json!({ "error": code, "error_description": "<script>the provider's own words" });
    answer(status, "application/json", body.to_string().into())
}

pub(super) fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Body> {
    let mut answer = Response::new(Body::from(body));
    *answer.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, media_type);
    answer
}

#[track_caller]
fn header(text: &str) -> HeaderValue {
    let value = HeaderValue::from_str(text);
    value.unwrap_or_else(|_| broken(&format!("`{text}` cannot stand in a header")))
}

/// Which faults are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults(BTreeMap<String, Vec<(usize, Fault)>>);

impl Faults {
    pub(super) fn add(&mut self, path: &str, times: usize, fault: Fault) {
        let faults = self.0.entry(path.to_owned()).or_default();
        faults.push((times, fault));
    }

    pub(super) fn clear(&mut self, path: &str) {
        self.0.remove(path);
    }

    /// Those of the next request.
    pub(super) fn take(&mut self, path: &str) -> Vec<Kind> {
        let Some(faults) = self.0.get_mut(path) else {
            return Vec::new();
        };
        faults.retain(|(times, _)| *times > 0);
        let taken = faults.iter_mut().map(|(times, fault)| {
            *times = times.saturating_sub(1);
            fault.0.clone()
        });
        taken.collect()
    }
}
