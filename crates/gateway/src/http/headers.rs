//! Headers that repeat the body (MCP 2026-07-28, Streamable HTTP, server validation).
//!
//! What was decided was decided on the body. A server behind that routes by a header must not run
//! something else.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName};
use portcullis_resource_server::mcp::{PeekedMessage, Target};

use crate::stdio::decoded;

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// Fields that are there once or not at all, so that no two readers take another one.
const SINGLE: [HeaderName; 5] = [
    METHOD,
    NAME,
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("mcp-session-id"),
    HeaderName::from_static("last-event-id"),
];

/// The headers do not say what the body says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch;

/// Checks those that are there; whether one is missing is the server's to say.
pub(super) fn check(headers: &HeaderMap, message: Option<&PeekedMessage>) -> Result<(), Mismatch> {
    // SECURITY: of two values another reader might take the other (RFC 9110 section 5.3);
    // sec_gw_13_headers_that_disagree_with_the_body_are_refused
    if SINGLE
        .iter()
        .any(|name| headers.get_all(name).iter().count() > 1)
    {
        return Err(Mismatch);
    }
    let (method, name) = (said(headers, &METHOD)?, said(headers, &NAME)?);
    if method.is_none() && name.is_none() {
        return Ok(());
    }
    let Some(operation) = message.and_then(PeekedMessage::operation) else {
        return Err(Mismatch);
    };
    if method.is_some_and(|method| method != operation.method()) {
        return Err(Mismatch);
    }
    let (Target::Tool(target)
    | Target::Prompt(target)
    | Target::Resource(target)
    | Target::Task(target)) = operation.target()
    else {
        // Nothing is named, so nothing can be decided by a name.
        return Ok(());
    };
    match name.map(decoded) {
        None => Ok(()),
        Some(Some(name)) if name == *target => Ok(()),
        Some(_) => Err(Mismatch),
    }
}

/// Whether the request resumes a stream outside of every session.
pub(super) fn resumes_for_nobody(headers: &HeaderMap) -> bool {
    headers.contains_key("last-event-id") && !headers.contains_key("mcp-session-id")
}

/// Whether a field means something on one connection alone, as its `Connection` says.
// SECURITY: what one reader drops and the next one reads is two requests (RFC 9110 section 7.6.1);
// sec_gw_07_fields_of_one_connection_stay_on_it
pub(super) fn is_hop_by_hop(headers: &HeaderMap, name: &HeaderName) -> bool {
    let options = headers.get_all(CONNECTION).iter();
    let mut options = options.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options.any(|option| {
        option
            .trim_ascii()
            .eq_ignore_ascii_case(name.as_str().as_bytes())
    })
}

fn said<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Mismatch> {
    let value = headers.get(name).map(|value| value.to_str().map(str::trim));
    value.transpose().map_err(|_| Mismatch)
}
