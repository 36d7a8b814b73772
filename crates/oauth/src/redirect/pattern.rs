//! Patterns: an operator's ceiling on redirect URIs.

use std::fmt;

use super::parse::{self, Parts};
use super::{RedirectError, RedirectUri, SchemeKind};
use crate::id::is_loopback_host;

/// A pattern for redirect URIs, compared component by component.
///
/// | component | pattern | matches |
/// |---|---|---|
/// | scheme | `https` | the same |
/// | host | `app.example.com` | the same, in any case |
/// | | `*.example.com` | one label before it: `a.example.com`, neither `example.com` nor `a.b.example.com` |
/// | port | none | none; on a loopback host, any |
/// | | `:8443` | the same |
/// | | `:*` | any, or none |
/// | path | none | any |
/// | | `/auth/*` | the same segments; a `*` stands for one or more characters and never for a `/` |
/// | | `/auth/**` | everything below `/auth/`; only as the last segment |
/// | query | none | any |
/// | | `?a=b` | the same |
///
/// FastMCP lets a `*` cross labels and segments. Here it does not: write `*.*.` as two patterns, and
/// `/**` where every path below is meant. A pattern that would match every host (`*`, `https://*`,
/// `https://*.com`) is an error.
#[derive(Clone)]
pub struct RedirectPattern {
    raw: Box<str>,
    scheme: String,
    host: HostPattern,
    port: PortPattern,
    path: Option<Vec<Segment>>,
    query: Option<String>,
}

#[derive(Clone)]
enum HostPattern {
    /// A private-use URI without an authority.
    Absent,
    Exact(String),
    /// What follows the first label, with its leading dot.
    AnyLabel(String),
}

#[derive(Clone, Copy)]
enum PortPattern {
    Absent,
    Exact(u16),
    Any,
}

#[derive(Clone)]
enum Segment {
    Exact(String),
    /// Text before and after a `*`.
    Around(String, String),
    /// `**`
    Rest,
}

impl RedirectPattern {
    /// Reads a pattern. A private-use scheme that is named here needs no dot; give it to
    /// [`RedirectUri::parse_allowing`] too.
    ///
    /// # Errors
    /// [`RedirectError`]; [`RedirectError::Wildcard`] for a `*` that would match too much or
    /// nothing.
    pub fn parse(text: &str) -> Result<Self, RedirectError> {
        let parts = match Parts::split(text) {
            // A bare `*` and `*://..` have no scheme; the stars are what is wrong with them.
            Err(RedirectError::Relative) if text.starts_with('*') => {
                return Err(RedirectError::Wildcard);
            }
            other => other?,
        };
        let scheme = parts.scheme.to_ascii_lowercase();
        let kind = parse::scheme_kind(&scheme, &[scheme.as_str()])?;
        let (host, port) = match (kind, parts.authority) {
            (SchemeKind::PrivateUse, None) => (HostPattern::Absent, PortPattern::Absent),
            (SchemeKind::PrivateUse, Some(text)) => {
                let host = parse::app_authority(text).map_err(|error| wildcard_or(text, error))?;
                (HostPattern::Exact(host.host), PortPattern::Absent)
            }
            (_, Some(authority)) => web_authority(authority)?,
            (_, None) => return Err(RedirectError::Host),
        };
        if kind == SchemeKind::LoopbackHttp && !host.is_loopback() {
            return Err(RedirectError::Insecure);
        }
        if parts.query.is_some_and(|query| query.contains('*')) {
            return Err(RedirectError::Wildcard);
        }
        Ok(Self {
            raw: text.into(),
            scheme,
            host,
            port,
            path: path(parts.path)?,
            query: parts.query.map(str::to_owned),
        })
    }

    /// Whether a URI is within the pattern.
    pub fn matches(&self, uri: &RedirectUri) -> bool {
        // SECURITY: each component is compared with its own kind, so that a `*` in one cannot
        // swallow the next (RFC 9700 section 4.1.1); sec_ru_02_the_table_of_patterns_holds
        self.scheme == uri.scheme()
            && self.host.matches(uri.host())
            && self.port.matches(uri.port())
            && self
                .path
                .as_deref()
                .is_none_or(|path| path_matches(path, uri.path()))
            && self
                .query
                .as_deref()
                .is_none_or(|query| uri.query() == Some(query))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// The scheme in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }
}

impl fmt::Debug for RedirectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for RedirectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for RedirectPattern {
    type Err = RedirectError;

    fn from_str(text: &str) -> Result<Self, RedirectError> {
        Self::parse(text)
    }
}

impl HostPattern {
    fn matches(&self, host: Option<&str>) -> bool {
        match (self, host) {
            (Self::Absent, None) => true,
            (Self::Exact(exact), Some(host)) => exact == host,
            (Self::AnyLabel(rest), Some(host)) => host
                .strip_suffix(rest.as_str())
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
            _ => false,
        }
    }

    fn is_loopback(&self) -> bool {
        matches!(self, Self::Exact(host) if is_loopback_host(host))
    }
}

impl PortPattern {
    fn matches(self, port: Option<u16>) -> bool {
        match self {
            Self::Absent => port.is_none(),
            Self::Exact(exact) => port == Some(exact),
            Self::Any => true,
        }
    }
}

fn web_authority(text: &str) -> Result<(HostPattern, PortPattern), RedirectError> {
    let (host, port) = parse::split_port(text);
    let exact = |host| parse::web_host(host).map_err(|error| wildcard_or(host, error));
    let host = match host.strip_prefix("*.") {
        // A star in front of a whole registry would be everybody's host.
        Some(rest) if !rest.contains('.') => return Err(RedirectError::Wildcard),
        Some(rest) => HostPattern::AnyLabel(format!(".{}", exact(rest)?)),
        None => HostPattern::Exact(exact(host)?),
    };
    let port = match port {
        Some("*") => PortPattern::Any,
        Some(port) => PortPattern::Exact(parse::parse_port(port)?),
        None if host.is_loopback() => PortPattern::Any,
        None => PortPattern::Absent,
    };
    Ok((host, port))
}

fn wildcard_or(text: &str, error: RedirectError) -> RedirectError {
    if text.contains('*') {
        RedirectError::Wildcard
    } else {
        error
    }
}

fn path(text: &str) -> Result<Option<Vec<Segment>>, RedirectError> {
    if text.is_empty() {
        return Ok(None);
    }
    let count = text.split('/').count();
    text.split('/')
        .enumerate()
        .map(|(i, segment)| match segment.split_once('*') {
            None => Ok(Segment::Exact(segment.to_owned())),
            Some(("", "*")) if i + 1 == count => Ok(Segment::Rest),
            Some((_, after)) if after.contains('*') => Err(RedirectError::Wildcard),
            Some((before, after)) => Ok(Segment::Around(before.to_owned(), after.to_owned())),
        })
        .collect::<Result<_, _>>()
        .map(Some)
}

fn path_matches(pattern: &[Segment], path: &str) -> bool {
    let mut segments = path.split('/');
    for expected in pattern {
        let Some(segment) = segments.next() else {
            return false;
        };
        let matched = match expected {
            Segment::Exact(text) => segment == text,
            Segment::Around(before, after) => around_matches(before, after, segment),
            Segment::Rest => return true,
        };
        if !matched {
            return false;
        }
    }
    segments.next().is_none()
}

fn around_matches(before: &str, after: &str, segment: &str) -> bool {
    segment
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after))
        .is_some_and(|star| {
            // SECURITY: a server may decode a slash after it has been matched as text;
            // sec_ru_02_a_star_matches_no_encoded_slash
            !star.is_empty()
                && !parse::fully_decoded(star)
                    .iter()
                    .any(|b| matches!(b, b'/' | b'\\'))
        })
}
