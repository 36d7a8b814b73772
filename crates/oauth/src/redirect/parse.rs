//! The strict reader that redirect URIs and patterns share.

use url::Host;

use super::{RedirectError, SchemeKind};
use crate::form::{self, Form};

/// The components of RFC 3986 section 3, as written.
pub(super) struct Parts<'a> {
    pub(super) scheme: &'a str,
    pub(super) authority: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Splits a URI and checks what is the same for every scheme.
    pub(super) fn split(text: &'a str) -> Result<Self, RedirectError> {
        if text.len() > 2048 {
            return Err(RedirectError::TooLong);
        }
        if text.contains('#') {
            return Err(RedirectError::Fragment);
        }
        check_characters(text)?;
        let (scheme, rest) = text.split_once(':').ok_or(RedirectError::Relative)?;
        if !is_scheme(scheme) {
            return Err(RedirectError::Relative);
        }
        let (hierarchy, query) = match rest.split_once('?') {
            Some((hierarchy, query)) => (hierarchy, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match hierarchy.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                (Some(authority), path)
            }
            None if hierarchy.starts_with('/') => (None, hierarchy),
            None => return Err(RedirectError::Relative),
        };
        if authority.is_some_and(|authority| authority.contains('@')) {
            return Err(RedirectError::Credentials);
        }
        let brackets = |text: &str| text.contains(['[', ']']);
        if brackets(path) || query.is_some_and(brackets) {
            return Err(RedirectError::Character);
        }
        // SECURITY: a server may resolve them after any number of decodings, and leave the path
        // that was allowed; sec_ru_02_dot_segments_are_refused_behind_any_encoding
        if has_dot_segment(path) {
            return Err(RedirectError::DotSegment);
        }
        Ok(Self {
            scheme,
            authority,
            path,
            query,
        })
    }
}

/// A host in lower case and a port.
pub(super) struct Authority {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    /// Bytes of the port and its colon.
    pub(super) port_length: usize,
}

/// Reads the authority of an `http` or `https` URI.
pub(super) fn web_authority(text: &str) -> Result<Authority, RedirectError> {
    let (host, port) = split_port(text);
    Ok(Authority {
        host: web_host(host)?,
        port: port.map(parse_port).transpose()?,
        port_length: port.map_or(0, |port| port.len() + 1),
    })
}

/// A host that browsers would write in just this way, apart from its case.
pub(super) fn web_host(host: &str) -> Result<String, RedirectError> {
    let lower = host.to_ascii_lowercase();
    let simple = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let literal = lower.starts_with('[');
    let plain = !lower.is_empty() && lower.bytes().all(simple) && lower.split('.').all(is_label);
    // SECURITY: `127.1`, `0x7f.1`, `[::ffff:7f00:1]` or a broken A-label reach another host than
    // the one that was read here; sec_ru_06_nothing_that_looks_like_loopback_is
    let canonical = Host::parse(&lower).is_ok_and(|host| host.to_string() == lower);
    if (literal || plain) && canonical {
        Ok(lower)
    } else {
        Err(RedirectError::Host)
    }
}

/// Reads the authority of a private-use URI, which an app makes up and may leave empty.
pub(super) fn app_authority(text: &str) -> Result<Authority, RedirectError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !text.bytes().all(allowed) {
        return Err(RedirectError::Host);
    }
    Ok(Authority {
        host: text.to_ascii_lowercase(),
        port: None,
        port_length: 0,
    })
}

/// Cuts the port off, brackets respected; the colon belongs to neither half.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    let host_length = match authority.rfind(']') {
        Some(bracket) => bracket + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(host_length);
    match rest.strip_prefix(':') {
        Some(port) => (host, Some(port)),
        None if rest.is_empty() => (host, None),
        None => (authority, None),
    }
}

pub(super) fn parse_port(text: &str) -> Result<u16, RedirectError> {
    text.parse::<u16>()
        .ok()
        .filter(|port| *port != 0 && port.to_string() == text)
        .ok_or(RedirectError::Port)
}

/// Sorts a scheme in lower case.
pub(super) fn scheme_kind(scheme: &str, allowed: &[&str]) -> Result<SchemeKind, RedirectError> {
    match scheme {
        "https" => Ok(SchemeKind::Https),
        "http" => Ok(SchemeKind::LoopbackHttp),
        // SECURITY: a browser would run or open what such a URI says, whoever allowed it
        // (RFC 9700 section 4.11); sec_ru_09_dangerous_schemes_are_refused
        _ if is_dangerous(scheme) => Err(RedirectError::DangerousScheme),
        _ if scheme.contains('.')
            || CLIENT_SCHEMES.contains(&scheme)
            || allowed.contains(&scheme) =>
        {
            Ok(SchemeKind::PrivateUse)
        }
        _ => Err(RedirectError::UnknownScheme),
    }
}

fn is_dangerous(scheme: &str) -> bool {
    scheme.starts_with("ms-") || scheme.starts_with("web+") || DANGEROUS_SCHEMES.contains(&scheme)
}

/// Whether the query has a parameter that only a response may have.
pub(super) fn has_response_parameter(query: Option<&str>) -> Result<bool, RedirectError> {
    let query = query.unwrap_or_default().as_bytes();
    let form = Form::parse(query, form::Limits::ENDPOINT).map_err(|_| RedirectError::Character)?;
    Ok(form
        .iter()
        .any(|(name, _)| RESPONSE_PARAMETERS.contains(&name)))
}

/// Percent-decodes until nothing is left to decode, in one pass: a decoded byte may complete the
/// escape that it stands in.
pub(super) fn fully_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        decoded.push(byte);
        while let Some((rest, [b'%', high, low])) = decoded.split_last_chunk::<3>() {
            let digit = |byte: &u8| char::from(*byte).to_digit(16);
            let (Some(high), Some(low)) = (digit(high), digit(low)) else {
                break;
            };
            let length = rest.len();
            decoded.truncate(length);
            decoded.extend(u8::try_from(high * 16 + low));
        }
    }
    decoded
}

fn has_dot_segment(path: &str) -> bool {
    fully_decoded(path)
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .map(|segment| {
            segment
                .split(|&byte| byte == b';')
                .next()
                .unwrap_or_default()
        })
        .any(|segment| matches!(segment, b"." | b".."))
}

/// Only what RFC 3986 section 2 allows, every `%` with two digits, and no control character
/// however often it was encoded.
fn check_characters(text: &str) -> Result<(), RedirectError> {
    let bytes = text.as_bytes();
    let escape = |rest: &[u8]| matches!(rest, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
    let fine = bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'%' => bytes.get(at..).is_some_and(escape),
        byte => byte.is_ascii_alphanumeric() || URI_PUNCTUATION.contains(byte),
    });
    if fine && !fully_decoded(text).iter().any(u8::is_ascii_control) {
        Ok(())
    } else {
        Err(RedirectError::Character)
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
}

const URI_PUNCTUATION: &[u8] = b"-._~:/?[]@!$&'()*+,;=";

/// Schemes without a dot that MCP clients are known to use.
const CLIENT_SCHEMES: [&str; 4] = ["claude", "cursor", "vscode", "vscode-insiders"];

const DANGEROUS_SCHEMES: [&str; 29] = [
    "about",
    "blob",
    "chrome",
    "chrome-extension",
    "content",
    "data",
    "facetime",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "gopher",
    "intent",
    "itms-services",
    "jar",
    "javascript",
    "livescript",
    "mailto",
    "mocha",
    "moz-extension",
    "resource",
    "search-ms",
    "sftp",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "ws",
    "wss",
];

const RESPONSE_PARAMETERS: [&str; 10] = [
    "access_token",
    "code",
    "error",
    "error_description",
    "error_uri",
    "id_token",
    "iss",
    "response",
    "state",
    "token_type",
];
