//! What the provider answers.

use std::sync::Arc;

use axum::body::Body;
use axum::extract;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Response, StatusCode, Uri};
use portcullis_oauth::crypto::base64;
use portcullis_oauth::form::{self, Form};
use portcullis_oauth::json::{self, Value};

use super::controls::{Client, Controls, State};

/// Every request comes here, so that every request is counted.
pub(crate) async fn answer(
    extract::State(state): extract::State<Arc<State>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    state.count(uri.path());
    let alias = state.controls().aliases.get(uri.path()).cloned();
    match (method, alias.as_deref().unwrap_or(uri.path())) {
        (
            Method::GET,
            "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server",
        ) => {
            let controls = state.controls();
            let document = Value::Object(controls.metadata.clone());
            with_cache_control(&controls, json_answer(&document))
        }
        (Method::GET, "/jwks") => {
            // It closes with the provider, and then nobody waits.
            let _ = state.held.subscribe().wait_for(|held| !held).await;
            let controls = state.controls();
            with_cache_control(&controls, jwks(&controls))
        }
        (Method::POST, "/introspect") => introspect(&state, &headers, &body),
        _ => status(StatusCode::NOT_FOUND),
    }
}

fn jwks(controls: &Controls) -> Response<Body> {
    if let Some(code) = controls.jwks_status {
        return status(code);
    }
    if let Some(body) = &controls.jwks_body {
        return with_type("application/json", body.clone());
    }
    json_answer(&controls.jwks())
}

fn introspect(state: &State, headers: &HeaderMap, body: &[u8]) -> Response<Body> {
    let controls = state.controls();
    if let Some(code) = controls.introspection_status {
        return status(code);
    }
    let Ok(form) = Form::parse(body, form::Limits::ENDPOINT) else {
        return status(StatusCode::BAD_REQUEST);
    };
    if let Some(client) = &controls.client
        && !is_from(client, headers, &form)
    {
        let mut refusal = status(StatusCode::UNAUTHORIZED);
        let challenge = http::HeaderValue::from_static("Basic realm=\"introspection\"");
        refusal.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        return refusal;
    }
    if form.required("token").is_err() {
        return status(StatusCode::BAD_REQUEST);
    }
    let answer = controls.introspection.clone();
    // The test's closure may use the controls.
    drop(controls);
    json_answer(&answer(&form))
}

/// Whether the request has the client's credentials, in exactly one way (RFC 6749 section 2.3).
fn is_from(client: &Client, headers: &HeaderMap, form: &Form) -> bool {
    let expected = (client.id.as_str(), client.secret.as_str());
    let posted = (form.one("client_id"), form.one("client_secret"));
    match (headers.get(AUTHORIZATION), posted) {
        (Some(header), (_, Ok(None))) => basic(header.as_bytes())
            .is_some_and(|(id, secret)| (id.as_str(), secret.as_str()) == expected),
        (None, (Ok(Some(id)), Ok(Some(secret)))) => (id, secret) == expected,
        _ => false,
    }
}

/// Id and secret of `Basic`, each form-decoded (RFC 6749 section 2.3.1).
pub(crate) fn basic(header: &[u8]) -> Option<(String, String)> {
    let text = base64::decode_strict(header.strip_prefix(b"Basic ")?).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (id, secret) = text.split_once(':')?;
    let pair = format!("id={id}&secret={secret}");
    let pair = Form::parse(pair.as_bytes(), form::Limits::ENDPOINT).ok()?;
    let [id, secret] = ["id", "secret"].map(|name| pair.required(name).map(ToOwned::to_owned));
    Some((id.ok()?, secret.ok()?))
}

fn json_answer(value: &Value) -> Response<Body> {
    with_type(
        "application/json",
        json::to_vec(value).unwrap_or_default().into(),
    )
}

fn with_type(media_type: &'static str, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let media_type = http::HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

fn with_cache_control(controls: &Controls, mut response: Response<Body>) -> Response<Body> {
    if let Some(value) = controls.cache_control {
        let value = http::HeaderValue::from_static(value);
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

pub(crate) fn status(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}
