//! What every back channel stands in: one method, one media type, a bound on the body and on the time
//! for it, CORS for pages of any origin without credentials, nothing that is kept in a cache, and a
//! failure that says nothing but its name.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{MethodRouter, any};
use futures_util::future::BoxFuture;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH,
    CONTENT_TYPE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use portcullis_oauth::error::{OAuthError, OAuthErrorCode};
use portcullis_oauth::form::{Form, Limits};
use portcullis_resource_server::ClientAddress;

use super::browser::BrowserRequest;
use super::failure::Failure;
use super::fault::Fault;
use super::visitor::Visitor;
use super::wire::{Wire, keep_private};
use crate::context::Shared;
use crate::provider::Core;

/// The longest body in bytes.
const LONGEST: usize = 64 * 1024;
/// How long a body may take to come.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/x-www-form-urlencoded`
    Form,
    /// `application/json`
    Json,
}

/// A request whose body was read.
#[derive(Debug)]
pub(crate) struct BackRequest {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Where it came from, if that is known.
    pub(crate) address: Option<ClientAddress>,
}

impl BackRequest {
    /// The form in the body.
    ///
    /// # Errors
    /// `invalid_request` when it cannot be read.
    pub(crate) fn form(&self) -> Result<Form, Failure> {
        Ok(Form::parse(&self.body, Limits::ENDPOINT)?)
    }
}

type Endpoint = fn(Shared, BackRequest) -> BoxFuture<'static, Response>;

/// A route for an endpoint.
pub(super) fn back_channel(core: &Arc<Core>, media: Media, endpoint: Endpoint) -> MethodRouter {
    let core = Arc::clone(core);
    any(move |request: Request| {
        let core = Arc::clone(&core);
        async move { finished(answer(&core, media, endpoint, request).await) }
    })
}

pub(super) type Page = for<'a> fn(&'a Visitor<'a>) -> BoxFuture<'a, Result<Response, Fault>>;

/// A route for pages, with what answers to `GET` and to `POST`. What a form is, its page says.
pub(super) fn page(core: &Arc<Core>, get: Option<Page>, post: Option<Page>) -> MethodRouter {
    let core = Arc::clone(core);
    any(move |request: Request| {
        let core = Arc::clone(&core);
        async move { show(&core, get, post, request).await }
    })
}

async fn show(core: &Core, get: Option<Page>, post: Option<Page>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let is_head = parts.method == Method::HEAD;
    let asked = if is_head { &Method::GET } else { &parts.method };
    let endpoint = match (asked, get, post) {
        (&Method::GET, Some(get), _) => get,
        (&Method::POST, _, Some(post)) => post,
        (_, get, post) => return no_such_method(get.is_some(), post.is_some()),
    };
    if is_head {
        parts.method = Method::GET;
    }
    let body = match read(&parts.headers, body).await {
        Ok(body) => body,
        Err(early) => return early.into_early_response(),
    };
    let context = match core.context().await {
        Ok(context) => Arc::clone(context),
        Err(error) => return Failure::from(error).into_response(),
    };
    let mut response = visit(context, BrowserRequest::new(parts, body), endpoint).await;
    if is_head {
        *response.body_mut() = Body::empty();
    }
    response
}

/// The answer of a page: what its endpoint makes, or what is said of its fault.
pub(super) async fn visit(context: Shared, request: BrowserRequest, endpoint: Page) -> Response {
    let request = Arc::new(request);
    let making = {
        let (context, request) = (Arc::clone(&context), Arc::clone(&request));
        async move {
            let visitor = Visitor::new(&context, &request);
            let made = endpoint(&visitor).await;
            made.unwrap_or_else(|fault| fault.answer(&visitor))
        }
    };
    // SECURITY: as for back channels; sec_ds_11_a_panic_at_a_page_is_a_failure_without_a_cause
    let made = tokio::spawn(making).await;
    made.unwrap_or_else(|_| Fault::Panicked.answer(&Visitor::new(&context, &request)))
}

fn no_such_method(get: bool, post: bool) -> Response {
    let allowed = match (get, post) {
        (true, true) => "GET, HEAD, POST",
        (true, false) => "GET, HEAD",
        _ => "POST",
    };
    let wire = Wire::new(StatusCode::METHOD_NOT_ALLOWED, PAGE_METHOD).allow(allowed);
    wire.into_early_response()
}

async fn answer(core: &Core, media: Media, endpoint: Endpoint, request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return preflight();
    }
    let (parts, body) = request.into_parts();
    if let Err(early) = check(&parts, media) {
        return early.into_early_response();
    }
    let body = match read(&parts.headers, body).await {
        Ok(body) => body,
        Err(early) => return early.into_early_response(),
    };
    let context = match core.context().await {
        Ok(context) => Arc::clone(context),
        Err(error) => return Failure::from(error).into_response(),
    };
    let request = BackRequest {
        address: parts.extensions.get().copied(),
        headers: parts.headers,
        body,
    };
    // What was begun is brought to its end, also when the client leaves: no grant is made of which
    // nobody is told.
    // SECURITY: a panic ends its own request, with nothing of it on the wire (CWE-248);
    // sec_ds_11_a_panic_at_a_back_channel_is_a_failure_without_a_cause
    match tokio::spawn(endpoint(context, request)).await {
        Ok(response) => response,
        Err(_) => Failure::Internal("an endpoint panicked").into_response(),
    }
}

const METHOD: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "this endpoint takes POST alone",
);
const PAGE_METHOD: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "this page does not take that method",
);
const QUERY: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "parameters belong into the body",
);
const MEDIA_FORM: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "the body is application/x-www-form-urlencoded",
);
const MEDIA_JSON: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidClientMetadata,
    "the body is application/json",
);
const TOO_LONG: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "the body is longer than 64 KiB",
);
const TOO_SLOW: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "the body takes too long to come",
);
const PACKED: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "the body has a Content-Encoding",
);
const CUT: OAuthError = OAuthError::new(OAuthErrorCode::InvalidRequest, "the body cannot be read");

/// What can be said without the body.
fn check(parts: &Parts, media: Media) -> Result<(), Wire> {
    if parts.method != Method::POST {
        return Err(Wire::new(StatusCode::METHOD_NOT_ALLOWED, METHOD).allow("POST, OPTIONS"));
    }
    // SECURITY: a URL is in logs and histories, so a secret there is one no more, and parameters have
    // one place (RFC 6749 section 2.3.1); sec_tk_03_parameters_in_the_query_are_refused
    if parts.uri.query().is_some_and(|query| !query.is_empty()) {
        return Err(Wire::new(StatusCode::BAD_REQUEST, QUERY));
    }
    let (wanted, error) = match media {
        Media::Form => ("application/x-www-form-urlencoded", MEDIA_FORM),
        Media::Json => ("application/json", MEDIA_JSON),
    };
    // SECURITY: a form that calls itself something else is read in another way by whoever stands in
    // front (CWE-436); sec_tk_01_a_body_of_another_type_is_refused
    if is_of(&parts.headers, wanted) {
        Ok(())
    } else {
        Err(Wire::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
    }
}

/// Whether there is one media type, and it is this one, with whatever parameters.
fn is_of(headers: &HeaderMap, wanted: &str) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(only), None) = (types.next(), types.next()) else {
        return false;
    };
    let Ok(text) = only.to_str() else {
        return false;
    };
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    essence.trim().eq_ignore_ascii_case(wanted) && !parameters.contains(',')
}

/// The body, within its bounds.
async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Wire> {
    // SECURITY: what is packed is another body to whoever unpacks it in front, and a larger one
    // (CWE-409, CWE-436); sec_ds_01_no_packed_body_is_read
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if !encodings.all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Wire::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, PACKED));
    }
    let named = headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok());
    let is_long = named
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|length| length > LONGEST as u64);
    // SECURITY: nobody makes us keep more than this, nor wait for longer (CWE-400);
    // sec_tk_07_a_body_has_a_bound_in_size_and_time
    if is_long {
        return Err(Wire::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG).closing());
    }
    let reading = Limited::new(body, LONGEST).collect();
    match tokio::time::timeout(BODY_WITHIN, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Wire::new(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG).closing())
        }
        Ok(Err(_)) => Err(Wire::new(StatusCode::BAD_REQUEST, CUT).closing()),
        Err(_) => Err(Wire::new(StatusCode::REQUEST_TIMEOUT, TOO_SLOW).closing()),
    }
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    for (name, value) in [
        (ALLOW, "POST, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, MCP-Protocol-Version",
        ),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// What is the same in every answer.
fn finished(mut response: Response) -> Response {
    let headers = response.headers_mut();
    keep_private(headers);
    for (name, value) in [
        // Never with credentials: what a client shows here is in the body, or in a header that a
        // page sets itself.
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            ACCESS_CONTROL_EXPOSE_HEADERS,
            "WWW-Authenticate, Retry-After",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
