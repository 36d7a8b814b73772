//! The messages that a client of each revision begins with.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, HeaderName};
use portcullis_oauth::json::json;

use super::ask::Ask;

const JSON: &str = "application/json";
const BOTH: &str = "application/json, text/event-stream";
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// The revision with sessions.
pub(super) const SESSIONS: &str = "2025-11-25";
/// The revision without.
const STATELESS: &str = "2026-07-28";

fn post(url: &str, body: String) -> Ask {
    Ask::new(Method::POST, url)
        .header(ACCEPT, BOTH)
        .body(JSON, body)
}

/// `initialize`.
pub(super) fn initialize(url: &str) -> Ask {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": SESSIONS,
            "capabilities": {},
            "clientInfo": { "name": "portcullis-doctor", "version": env!("CARGO_PKG_VERSION") },
        },
    });
    post(url, body.to_string())
}

/// The word that ends the handshake of a session.
pub(super) fn initialized(url: &str, session: Option<&str>) -> Ask {
    let body = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    in_session(post(url, body.to_string()), session)
}

/// `tools/list` in a session.
pub(super) fn list(url: &str, session: Option<&str>) -> Ask {
    let body = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {} });
    in_session(post(url, body.to_string()), session)
}

/// GET for a stream of events.
pub(super) fn stream(url: &str, session: Option<&str>) -> Ask {
    // It stays open, and says all that is asked of it in its head.
    let ask = Ask::new(Method::GET, url)
        .header(ACCEPT, "text/event-stream")
        .linger(Duration::from_millis(200));
    in_session(ask, session)
}

/// The end of a session.
pub(super) fn end(url: &str, session: &str) -> Ask {
    in_session(Ask::new(Method::DELETE, url), Some(session))
}

fn in_session(ask: Ask, session: Option<&str>) -> Ask {
    let ask = ask.header(REVISION, SESSIONS);
    match session {
        Some(session) => ask.header(SESSION, session),
        None => ask,
    }
}

/// `tools/list` without a session.
pub(super) fn stateless_list(url: &str) -> Ask {
    let body = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/list",
        "params": { "_meta": {
            "io.modelcontextprotocol/protocolVersion": STATELESS,
            "io.modelcontextprotocol/clientInfo":
                { "name": "portcullis-doctor", "version": env!("CARGO_PKG_VERSION") },
            "io.modelcontextprotocol/clientCapabilities": {},
        } },
    });
    post(url, body.to_string())
        .header(REVISION, STATELESS)
        .header(METHOD, "tools/list")
}

/// What no parser takes for JSON.
pub(super) fn garbage(url: &str) -> Ask {
    Ask::new(Method::POST, url).body("text/plain", "no JSON")
}
