//! Entry points of the fuzz targets: plain functions that must not panic on any bytes. The tests
//! run them over the committed corpora.

use crate::challenge::Challenge;
use crate::form::{self, Form};
use crate::id::{Issuer, ResourceUrl};
use crate::jose::Algorithm;
use crate::jose::compact::{CompactJws, MAX_TOKEN};
use crate::jose::jwks::{JwkSet, MAX_CANDIDATES, MAX_KEYS};
use crate::json::{self, Value};
use crate::metadata::{AuthorizationServerMetadata, ClientMetadata, ProtectedResourceMetadata};
use crate::redirect::{RedirectPattern, RedirectUri};

/// Whatever the scan passes, the parser reads, and it reads the same when written again.
pub fn json(data: &[u8]) {
    let limits = json::Limits::MCP;
    if json::scan(data, limits).is_err() {
        assert!(json::value(data, limits).is_err());
        return;
    }
    if let Ok(value) = json::value(data, limits) {
        let written = json::to_vec(&value).unwrap_or_default();
        assert!(json::scan(&written, limits).is_ok());
    }
}

/// A form survives being written again.
pub fn form(data: &[u8]) {
    if let Ok(form) = Form::parse(data, form::Limits::ENDPOINT) {
        let pairs: Vec<_> = form.iter().collect();
        let written = form::encode(&pairs);
        let again = Form::parse(written.as_bytes(), form::Limits::new(1 << 20, 64, 1 << 16));
        assert!(again.is_ok_and(|again| again.iter().eq(form.iter())));
    }
}

/// Whatever was read can be written, as printable ASCII, and read again.
pub fn challenge(data: &[u8]) {
    let header = String::from_utf8_lossy(data);
    for challenge in Challenge::parse_all(&header).unwrap_or_default() {
        let written = challenge.to_header_value();
        assert!(written.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        // Escapes may make it longer than a header may be.
        if written.len() <= header.len() {
            assert!(Challenge::parse_all(&written).is_ok());
        }
    }
}

/// The first line is a URI, the second a pattern.
pub fn redirect(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (uri, pattern) = text.split_once('\n').unwrap_or((&text, ""));
    let uri = RedirectUri::parse(uri);
    if let Ok(uri) = &uri {
        assert!(uri.matches(uri));
        assert!(!uri.as_str().contains(['#', '\\', ' ']));
    }
    if let (Ok(uri), Ok(pattern)) = (uri, RedirectPattern::parse(pattern.trim_end())) {
        assert!(!pattern.matches(&uri) || pattern.scheme() == uri.scheme());
    }
}

/// A token that is read is within its bounds.
pub fn compact(data: &[u8]) {
    let token = String::from_utf8_lossy(data);
    if let Ok(jws) = CompactJws::parse(&token) {
        assert!(token.len() <= MAX_TOKEN);
        assert_eq!(token.matches('.').count(), 2);
        assert!(
            jws.unverified_issuer()
                .is_none_or(|issuer| issuer.len() <= token.len())
        );
    }
}

/// A set of keys is within its bounds, and each key has a thumbprint of 32 bytes.
pub fn jwks(data: &[u8]) {
    if let Ok(set) = JwkSet::parse(data) {
        assert!(set.len() + set.skipped().len() <= MAX_KEYS);
        for algorithm in Algorithm::ALL {
            assert!(set.candidates(None, algorithm).count() <= MAX_CANDIDATES);
        }
        assert!(set.keys().iter().all(|key| key.thumbprint().len() == 43));
    }
}

/// A document names what it is read for, and never says nothing.
pub fn metadata(data: &[u8]) {
    if let Ok(Value::Object(members)) = json::value(data, json::Limits::METADATA) {
        let text = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if let Ok(issuer) = Issuer::parse(text("issuer"))
            && let Ok(document) = AuthorizationServerMetadata::parse_for(&issuer, data)
        {
            assert!(document.issuer == issuer.as_str());
            assert_speaks(&json::to_vec(&document).unwrap_or_default());
        }
        if let Ok(resource) = ResourceUrl::parse(text("resource"))
            && let Ok(document) = ProtectedResourceMetadata::parse_for(&resource, data)
        {
            assert!(document.covers(&resource));
            assert_speaks(&json::to_vec(&document).unwrap_or_default());
        }
    }
    if let Ok(document) = ClientMetadata::parse(data, json::Limits::METADATA) {
        assert_speaks(&json::to_vec(&document).unwrap_or_default());
    }
}

fn assert_speaks(document: &[u8]) {
    // Numbers may grow when they are written again, so the size has room.
    let members = json::from_slice::<json::Map<String, Value>>(document, json::Limits::MCP);
    let nothing = |value: &Value| value.is_null() || value.as_str() == Some("");
    assert!(members.is_ok_and(|members| !members.values().any(nothing)));
}
