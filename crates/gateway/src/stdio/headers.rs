//! Headers that repeat the body (MCP 2026-07-28, Streamable HTTP, server validation).
//!
//! A proxy in front may have decided by them, so they must say what the body says. A server on
//! stdio sees no headers: nobody checks them but this.

use std::borrow::Cow;

use http::HeaderMap;
use portcullis_oauth::crypto::base64;
use portcullis_oauth::json::{Value, json};

use super::frame::{Frame, text};

/// The header of the revision.
pub(super) const PROTOCOL_VERSION: &str = "mcp-protocol-version";
const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// The first revision without sessions. Revisions are dates, so they sort.
const STATELESS: &str = "2026-07-28";

/// Revisions that know sessions, newest first.
pub(super) const WITH_SESSIONS: [&str; 4] =
    ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// Two headers where one is allowed, or one that is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ambiguous;

/// The only value of a header.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Ambiguous> {
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

/// What the gateway says of itself in a request of its own.
pub(super) fn own_meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": STATELESS,
        "io.modelcontextprotocol/clientInfo":
            {"name": "portcullis", "version": env!("CARGO_PKG_VERSION")},
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

/// Why a request of the stateless era is refused: a JSON-RPC error, with status 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) code: i32,
    pub(super) message: &'static str,
}

const INCOMPLETE: Unfit = Unfit {
    code: -32602,
    message: "The request's metadata is incomplete",
};

pub(super) const MISMATCH: Unfit = Unfit {
    code: -32020,
    message: "The headers do not match the body",
};

/// Checks that a request of the stateless era says what it must, and says it twice alike.
pub(super) fn check(headers: &HeaderMap, message: &[u8], frame: &Frame) -> Result<(), Unfit> {
    let (Some(revision), Some(_)) = (
        text(message, frame.meta.protocol_version.as_ref()),
        frame.meta.client_capabilities.as_ref(),
    ) else {
        return Err(INCOMPLETE);
    };
    let says =
        |name: &str, wanted: &str| matches!(single(headers, name), Ok(Some(is)) if is == wanted);
    let method = text(message, frame.method.as_ref()).unwrap_or_default();
    // SECURITY: whoever routes or decides by a header must have decided on what runs (MCP
    // 2026-07-28, server validation); sec_gw_13_headers_that_disagree_are_refused
    if !says(PROTOCOL_VERSION, &revision) || !says(METHOD, &method) {
        return Err(MISMATCH);
    }
    let name = match &*method {
        "tools/call" | "prompts/get" => frame.params.name.as_ref(),
        "resources/read" => frame.params.uri.as_ref(),
        "tasks/get" | "tasks/update" | "tasks/cancel" => frame.params.task_id.as_ref(),
        _ => return Ok(()),
    };
    let said = single(headers, NAME).map_err(|Ambiguous| MISMATCH)?;
    // A body that names nothing is the server's to refuse.
    if said.map(decoded) == text(message, name).map(Some) {
        Ok(())
    } else {
        Err(MISMATCH)
    }
}

/// A value as it was before it was made fit for a header (value encoding).
pub(crate) fn decoded(value: &str) -> Option<Cow<'_, str>> {
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

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const CALL: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a\u00e9","_meta":{
        "io.modelcontextprotocol/protocolVersion":"2026-07-28",
        "io.modelcontextprotocol/clientCapabilities":{}}}}"#;

    fn checked(message: &str, headers: &[(&'static str, &'static str)]) -> Result<(), i32> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        let frame = Frame::read(message.as_bytes()).unwrap();
        check(&map, message.as_bytes(), &frame).map_err(|unfit| unfit.code)
    }

    #[test]
    fn sec_gw_13_headers_that_disagree_are_refused() {
        let version = ("mcp-protocol-version", "2026-07-28");
        let method = ("mcp-method", "tools/call");
        let name = ("mcp-name", "=?base64?YcOp?=");
        assert_eq!(checked(CALL, &[version, method, name]), Ok(()));
        assert_eq!(
            checked(CALL, &[version, ("mcp-method", " tools/call "), name]),
            Ok(())
        );
        let wrong: [&[_]; 9] = [
            &[method, name],
            &[("mcp-protocol-version", "2027-01-01"), method, name],
            &[version, version, method, name],
            &[version, name],
            &[version, ("mcp-method", "TOOLS/CALL"), name],
            &[version, method, method, name],
            &[version, method],
            &[version, method, ("mcp-name", "other")],
            &[version, method, ("mcp-name", "=?base64?YcOp=?=")],
        ];
        for headers in wrong {
            assert_eq!(checked(CALL, headers), Err(-32020), "{headers:?}");
        }
        assert_eq!(checked(CALL, &[version, method, name, name]), Err(-32020));
        let nameless = CALL.replace("\"name\"", "\"other\"");
        assert_eq!(checked(&nameless, &[version, method]), Ok(()));
        assert_eq!(checked(&nameless, &[version, method, name]), Err(-32020));
    }

    #[test]
    fn metadata_must_be_there() {
        for missing in ["protocolVersion", "clientCapabilities"] {
            let message = CALL.replace(missing, "x");
            assert_eq!(checked(&message, &[]), Err(-32602));
        }
    }
}
