//! What of an answer goes back to the client.

use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::headers::is_hop_by_hop;
use crate::failure::Failure;

/// The fields that go back.
// SECURITY: a list of what goes back, so that a server behind sets no cookie on our origin,
// challenges for no token of its own and weakens no policy of ours;
// sec_gw_15_only_known_headers_come_back
const RETURNED: [HeaderName; 8] = [
    ALLOW,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    RETRY_AFTER,
    VARY,
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("mcp-session-id"),
    HeaderName::from_static("x-accel-buffering"),
];

/// Refuses what no MCP client should see, and keeps the fields that go back.
pub(super) fn check(status: StatusCode, headers: &HeaderMap) -> Result<HeaderMap, Failure> {
    match status {
        // SECURITY: a client would look for the authorization server of somebody else;
        // sec_gw_15_a_challenge_from_behind_is_502
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(Failure::Credentials(status));
        }
        // SECURITY: nobody checked where this leads; sec_gw_20_a_redirect_from_behind_is_502
        status if status.is_redirection() || status.is_informational() => {
            return Err(Failure::Redirect(status));
        }
        status if !is_known(status) => return Err(Failure::Status(status)),
        _ => {}
    }
    if headers
        .get(SESSION_ID)
        .is_some_and(|id| !is_session_id(id.as_bytes()))
    {
        return Err(Failure::Session);
    }
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|encoding| encoding != "identity")
    {
        return Err(Failure::Encoded);
    }
    let mut kept = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if RETURNED.contains(name) && !is_hop_by_hop(headers, name) {
            kept.append(name, value.clone());
        }
    }
    // SECURITY: an answer to one caller is nobody else's, whatever the server behind says of it (RFC
    // 9111 section 3.5); sec_rs_22_no_cache_keeps_an_answer
    kept.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(kept)
}

const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");

/// Statuses with which a server of MCP answers. Another means something to a client's HTTP library
/// that nobody here has thought of.
fn is_known(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 202 | 204 | 400 | 404 | 405 | 406 | 409 | 410 | 413 | 415 | 422
    )
}

/// Visible ASCII (MCP 2025-11-25, session management), of a length that fits a header.
fn is_session_id(id: &[u8]) -> bool {
    (1..=512).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_rs_22_no_cache_keeps_an_answer() {
        let mut headers = HeaderMap::new();
        headers.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=600"),
        );
        let kept = check(StatusCode::OK, &headers).unwrap();
        assert_eq!(kept.get_all(CACHE_CONTROL).iter().count(), 1);
        assert_eq!(kept[CACHE_CONTROL], "no-store");
    }

    #[test]
    fn sec_rs_15_a_session_id_from_behind_is_visible_ascii() {
        let long = "x".repeat(513);
        for id in ["", "a b", "a\tb", "é", long.as_str()] {
            let mut headers = HeaderMap::new();
            headers.insert(SESSION_ID, HeaderValue::from_bytes(id.as_bytes()).unwrap());
            assert!(check(StatusCode::OK, &headers).is_err(), "{id}");
        }
    }

    #[test]
    fn sec_gw_15_only_known_headers_come_back() {
        let mut headers = HeaderMap::new();
        for name in [
            "set-cookie",
            "www-authenticate",
            "location",
            "access-control-allow-origin",
            "strict-transport-security",
            "clear-site-data",
            "content-security-policy",
            "server",
            "x-powered-by",
            "connection",
            "transfer-encoding",
            "content-type",
            "mcp-session-id",
        ] {
            headers.insert(name, HeaderValue::from_static("a"));
        }
        headers.insert("vary", HeaderValue::from_static("accept"));
        headers.insert("connection", HeaderValue::from_static("close, Vary"));
        let kept = check(StatusCode::OK, &headers).unwrap();
        let mut names: Vec<&str> = kept.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["cache-control", "content-type", "mcp-session-id"]);
    }

    #[test]
    fn what_is_no_answer_of_an_mcp_server_is_a_failure() {
        let none = HeaderMap::new();
        for status in [
            401, 403, 301, 302, 304, 307, 308, 500, 502, 503, 206, 226, 407, 418, 600, 999,
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(check(status, &none).is_err(), "{status}");
        }
        for status in [200, 202, 204, 400, 404, 405, 406, 415] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(check(status, &none).is_ok(), "{status}");
        }
        let mut encoded = HeaderMap::new();
        encoded.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert!(matches!(
            check(StatusCode::OK, &encoded),
            Err(Failure::Encoded)
        ));
    }
}
