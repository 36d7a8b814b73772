//! What of a request may reach the server: its method, its media type, its whole body.
//!
//! The decision is made on what is read here. So whatever another server might read differently,
//! a body under another method or in another charset, goes no further.

use std::future::poll_fn;
use std::mem;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body_util::BodyExt as _;

use super::peek::error_body;
use super::refusal::{Refusal, json_rpc, over_budget};
use super::room::Place;

/// How large a request may be.
const MOST: usize = 4 * 1024 * 1024;

/// How long its body may take.
const WITHIN: Duration = Duration::from_secs(30);

/// By these names some frameworks let a header replace the method.
const OVERRIDES: [HeaderName; 3] = [
    HeaderName::from_static("x-http-method"),
    HeaderName::from_static("x-http-method-override"),
    HeaderName::from_static("x-method-override"),
];

/// Lets the three methods of MCP pass, and a body with `POST` alone.
pub(super) fn check_method(request: &mut Request<Body>) -> Result<(), Refusal> {
    // SECURITY: what is decided for one method must not run as another (RFC 9110 section 9);
    // sec_ds_15_a_method_is_what_it_says
    if request
        .headers()
        .keys()
        .any(|name| OVERRIDES.contains(name))
    {
        return Err(bad_request("The method cannot be overridden"));
    }
    if request.method() == Method::POST {
        return Ok(());
    }
    if request.method() != Method::GET && request.method() != Method::DELETE {
        let mut refusal = json_rpc(
            StatusCode::METHOD_NOT_ALLOWED,
            error_body(None, -32600, "Method not allowed"),
        );
        let methods = HeaderValue::from_static("GET, POST, DELETE");
        refusal.headers_mut().insert(ALLOW, methods);
        return Err(refusal);
    }
    // SECURITY: nobody decides on a message in the body of a `GET`, so no server may find one
    // there; sec_ds_15_only_post_has_a_body
    if announced(request.headers()).is_some_and(|length| length > 0)
        || request.body().size_hint().lower() > 0
    {
        return Err(bad_request("Only POST has a body"));
    }
    *request.body_mut() = Body::empty();
    Ok(())
}

/// Reads the body of a `POST`, whose bytes count as long as `place` is taken.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Body,
    place: &mut Place,
) -> Result<Bytes, Refusal> {
    check_media(headers)?;
    let announced = announced(headers).unwrap_or(0);
    // SECURITY: a body that is announced too long is not waited for, and one that is not announced
    // ends at the limit; sec_ds_01_a_large_body_is_refused_while_it_streams
    if announced > MOST {
        return Err(too_large());
    }
    place.hold_body(announced).map_err(over_budget)?;
    let mut whole = pin!(gather(body, place));
    // Nearly every body is here already, and needs no timer.
    if let Poll::Ready(read) = poll_fn(|cx| Poll::Ready(whole.as_mut().poll(cx))).await {
        return read;
    }
    // SECURITY: a body that trickles holds nothing for long; sec_ds_02_a_slow_body_times_out
    tokio::time::timeout(WITHIN, whole)
        .await
        .unwrap_or_else(|_| {
            Err(json_rpc(
                StatusCode::REQUEST_TIMEOUT,
                error_body(None, -32600, "The request took too long"),
            ))
        })
}

/// The whole body. One that comes in one piece, as most do, is not copied.
async fn gather(mut body: Body, place: &mut Place) -> Result<Bytes, Refusal> {
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| ended_early())?.into_data() else {
            continue;
        };
        let length = first.len() + joined.len() + piece.len();
        // SECURITY: as in `read`; sec_ds_01_a_large_body_is_refused_while_it_streams
        if length > MOST {
            return Err(too_large());
        }
        place.hold_body(length).map_err(over_budget)?;
        if joined.is_empty() && first.is_empty() {
            first = piece;
        } else {
            joined.extend_from_slice(&mem::take(&mut first));
            joined.extend_from_slice(&piece);
        }
    }
    Ok(if joined.is_empty() {
        first
    } else {
        joined.freeze()
    })
}

fn check_media(headers: &HeaderMap) -> Result<(), Refusal> {
    let unsupported = |what| {
        json_rpc(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            error_body(None, -32600, what),
        )
    };
    // SECURITY: a compressed body would be measured before it grows;
    // sec_ds_01_a_compressed_body_is_refused
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|encoding| encoding != "identity")
    {
        return Err(unsupported("Content-Encoding is not supported"));
    }
    // SECURITY: a server that obeys `charset` would find another tool's name in the same bytes
    // (RFC 8259 section 8.1, UTF-7); sec_rs_07_another_charset_is_refused
    if !is_json(headers) {
        return Err(unsupported("Content-Type must be application/json"));
    }
    Ok(())
}

/// Exactly one `Content-Type`, `application/json`, with no other charset than UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(Ok(text)), None) = (values.next().map(HeaderValue::to_str), values.next()) else {
        return false;
    };
    let is = |text: &str, wanted: &str| text.trim().eq_ignore_ascii_case(wanted);
    let mut parts = text.split(';');
    parts
        .next()
        .is_some_and(|media| is(media, "application/json"))
        && parts.all(|part| is(part, "charset=utf-8") || is(part, r#"charset="utf-8""#))
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

fn bad_request(what: &str) -> Refusal {
    json_rpc(StatusCode::BAD_REQUEST, error_body(None, -32600, what))
}

fn ended_early() -> Refusal {
    json_rpc(
        StatusCode::BAD_REQUEST,
        error_body(None, -32700, "The request ended early"),
    )
}

fn too_large() -> Refusal {
    let mut refusal = json_rpc(
        StatusCode::PAYLOAD_TOO_LARGE,
        error_body(None, -32600, "Request too large"),
    );
    refusal.close();
    refusal
}
