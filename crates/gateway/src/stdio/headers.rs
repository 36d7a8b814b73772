//! Headers that repeat the body (MCP 2026-07-28, Streamable HTTP, server validation).
//!
//! A proxy in front may have decided by them, so they must say what the body says. A server on
//! stdio sees no headers: nobody checks them but this.

use std::borrow::Cow;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode};
use portcullis_oauth::crypto::base64;

use super::fault::{error_body, json_response};
use super::frame::{Frame, Span, text};

/// The header of the revision.
pub(super) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The first revision without sessions. Revisions are dates, so they sort.
const STATELESS: &str = "2026-07-28";

/// Revisions that know sessions, newest first.
pub(super) const WITH_SESSIONS: [&str; 4] =
    ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Two headers where one is allowed, or one that is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The only value of a header.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a str>, Ambiguous> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(|text| Some(text.trim()))
            .map_err(|_| Ambiguous),
        (Some(_), Some(_)) => Err(Ambiguous),
    }
}

/// Whether a revision knows no sessions.
pub(super) fn is_stateless(revision: &str) -> bool {
    revision.len() == STATELESS.len() && revision >= STATELESS
}

/// Checks that a request of the stateless era says what it must, and says it twice alike.
pub(super) fn check(
    headers: &HeaderMap,
    message: &Bytes,
    frame: &Frame,
) -> Result<(), Box<Response<Body>>> {
    let id = frame.id.clone().and_then(|id| message.get(id));
    let mismatch = || refused(id, -32020, "The headers do not match the body");
    let (Some(revision), Some(_)) = (
        text(message, frame.meta.protocol_version.as_ref()),
        frame.meta.client_capabilities.as_ref(),
    ) else {
        return Err(refused(id, -32602, "The request's metadata is incomplete"));
    };
    // SECURITY: whoever routes or decides by a header must have decided on what runs (MCP
    // 2026-07-28, server validation); sec_gw_13_headers_that_disagree_are_refused
    let says = |name: &HeaderName, wanted: &str| matches!(single(headers, name), Ok(Some(is)) if is == wanted);
    let method = text(message, frame.method.as_ref()).unwrap_or_default();
    if !says(&PROTOCOL_VERSION, &revision) || !says(&METHOD, &method) {
        return Err(mismatch());
    }
    let Some(span) = named_by(&method, frame) else {
        return Ok(());
    };
    let name = span.and_then(|span| text(message, Some(span)));
    let said = single(headers, &NAME).ok().flatten().and_then(decoded);
    match (name, said) {
        (Some(name), Some(said)) if name == said => Ok(()),
        // The server says what is wrong with a body that names nothing.
        (None, None) => Ok(()),
        _ => Err(mismatch()),
    }
}

/// What `Mcp-Name` repeats, for the methods that have it.
fn named_by<'a>(method: &str, frame: &'a Frame) -> Option<Option<&'a Span>> {
    match method {
        "tools/call" | "prompts/get" => Some(frame.params.name.as_ref()),
        "resources/read" => Some(frame.params.uri.as_ref()),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some(frame.params.task_id.as_ref()),
        _ => None,
    }
}

/// A value as it was before it was made fit for a header (value encoding).
pub(super) fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let inner = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="));
    match inner {
        None => Some(Cow::Borrowed(value)),
        Some(encoded) => {
            let bytes = base64::decode_strict(encoded).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}

fn refused(id: Option<&[u8]>, code: i32, message: &str) -> Box<Response<Body>> {
    let body = error_body(id, code, message, None);
    Box::new(json_response(StatusCode::BAD_REQUEST, body))
}
