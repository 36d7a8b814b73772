//! Redirect URIs: where codes are sent. This is the one place that compares them.
//!
//! # Rules
//!
//! * [`RedirectUri::parse`] is strict. It refuses what a browser would repair or read differently:
//!   fragments, user names, backslashes, control characters, dot segments (also behind any number
//!   of percent-encodings), hosts that are not written canonically, `http` beyond loopback, and
//!   schemes that run code or open other programs.
//! * [`RedirectUri::matches`] compares a requested URI with a registered one byte for byte
//!   (RFC 3986 section 6.2.1). Only the port of an `http` loopback URI may differ (RFC 8252 section
//!   7.3). `127.0.0.1`, `[::1]` and `localhost` do not stand for each other.
//! * [`RedirectPattern`] is an operator's ceiling on what may be registered. It never takes part in
//!   the comparison above.
//!
//! ```
//! use portcullis_oauth::redirect::{RedirectPattern, RedirectUri};
//!
//! let registered = RedirectUri::parse("http://127.0.0.1/callback")?;
//! let requested = RedirectUri::parse("http://127.0.0.1:49152/callback")?;
//! assert!(registered.matches(&requested));
//!
//! let ceiling = RedirectPattern::parse("https://*.example.com/*")?;
//! assert!(ceiling.matches(&RedirectUri::parse("https://app.example.com/callback")?));
//! assert!(!ceiling.matches(&RedirectUri::parse("https://a.b.example.com/callback")?));
//! # Ok::<(), portcullis_oauth::redirect::RedirectError>(())
//! ```

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::form;
use crate::id::is_loopback_host;

mod parse;
mod pattern;
#[cfg(test)]
mod tests;

pub use pattern::RedirectPattern;

/// A redirect URI, kept byte for byte. Two are equal when their texts are.
#[derive(Clone)]
pub struct RedirectUri(Arc<Checked>);

#[derive(Debug)]
struct Checked {
    raw: Box<str>,
    kind: SchemeKind,
    scheme: Box<str>,
    host: Option<Box<str>>,
    port: Option<u16>,
    /// Where the port and its colon stand in `raw`; empty where they would.
    port_text: Range<usize>,
}

/// What sort of client listens behind a redirect URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemeKind {
    /// `https`, claimed by a web server (or by an app through its operating system).
    Https,
    /// `http` on a loopback address: a program on the user's machine (RFC 8252 section 7.3).
    LoopbackHttp,
    /// A scheme of an app's own (RFC 8252 section 7.1). Any app may claim any scheme, so users are
    /// warned.
    PrivateUse,
}

impl RedirectUri {
    /// Reads a redirect URI: `https`, `http` on loopback, or a private-use scheme that contains a
    /// dot or belongs to a well-known MCP client.
    ///
    /// # Errors
    /// [`RedirectError`] names the first rule that the text breaks.
    pub fn parse(text: &str) -> Result<Self, RedirectError> {
        Self::parse_allowing(text, &[])
    }

    /// Reads a redirect URI, where further `schemes` (lower case) need no dot. Schemes that run
    /// code or open other programs are refused even so.
    ///
    /// # Errors
    /// As [`RedirectUri::parse`].
    pub fn parse_allowing(text: &str, schemes: &[&str]) -> Result<Self, RedirectError> {
        let parts = parse::Parts::split(text)?;
        let scheme = parts.scheme.to_ascii_lowercase();
        let kind = parse::scheme_kind(&scheme, schemes)?;
        let authority = match (kind, parts.authority) {
            (SchemeKind::PrivateUse, authority) => {
                authority.map(parse::app_authority).transpose()?
            }
            (_, Some(authority)) => Some(parse::web_authority(authority)?),
            (_, None) => return Err(RedirectError::Host),
        };
        let host = authority.as_ref().map(|authority| authority.host.as_str());
        // SECURITY: a code must not travel in clear (OAuth 2.1 section 1.5);
        // sec_ru_06_nothing_that_looks_like_loopback_is
        if kind == SchemeKind::LoopbackHttp && !host.is_some_and(is_loopback_host) {
            return Err(RedirectError::Insecure);
        }
        // SECURITY: a response must not find its own parameters there already (RFC 6749 section
        // 3.1.2); sec_ru_17_response_parameters_are_reserved
        if parse::has_response_parameter(parts.query)? {
            return Err(RedirectError::ResponseParameter);
        }
        let before_port = match parts.authority {
            Some(_) => parts.scheme.len() + "://".len() + host.map_or(0, str::len),
            None => parts.scheme.len() + ":".len(),
        };
        let port_length = authority
            .as_ref()
            .map_or(0, |authority| authority.port_length);
        Ok(Self(Arc::new(Checked {
            raw: text.into(),
            kind,
            scheme: scheme.into(),
            host: host.map(Into::into),
            port: authority.as_ref().and_then(|authority| authority.port),
            port_text: before_port..before_port + port_length,
        })))
    }

    /// Whether `requested` may stand for this registered URI: the same text, except for the port
    /// if both are `http` on the same loopback host.
    pub fn matches(&self, requested: &Self) -> bool {
        // SECURITY: any normalisation here sends a code to a place that nobody registered
        // (RFC 9700 section 2.1); sec_ru_02_comparison_is_by_bytes
        if self.0.kind == SchemeKind::LoopbackHttp && requested.0.kind == SchemeKind::LoopbackHttp {
            return self.around_port() == requested.around_port();
        }
        self == requested
    }

    /// The URI as it was written.
    pub fn as_str(&self) -> &str {
        &self.0.raw
    }

    /// What sort of client listens there.
    pub fn scheme_kind(&self) -> SchemeKind {
        self.0.kind
    }

    /// The scheme in lower case.
    pub fn scheme(&self) -> &str {
        &self.0.scheme
    }

    /// The host in lower case, to be shown to the user; an IPv6 address is in brackets. A
    /// private-use URI may have none.
    pub fn host(&self) -> Option<&str> {
        self.0.host.as_deref()
    }

    /// The port, if one is written.
    pub fn port(&self) -> Option<u16> {
        self.0.port
    }

    /// Whether the host is `localhost`, in 127.0.0.0/8 or `[::1]`, over `http` or `https`.
    pub fn is_loopback(&self) -> bool {
        self.0.kind != SchemeKind::PrivateUse && self.host().is_some_and(is_loopback_host)
    }

    /// The URI with the parameters of a response appended; what it already has is left as it is
    /// (RFC 6749 section 4.1.2).
    ///
    /// ```
    /// use portcullis_oauth::redirect::RedirectUri;
    ///
    /// let uri = RedirectUri::parse("https://app.example.com/cb?tenant=%41")?;
    /// assert_eq!(
    ///     uri.with_response(&[("code", "a b"), ("state", "x")]),
    ///     "https://app.example.com/cb?tenant=%41&code=a+b&state=x",
    /// );
    /// # Ok::<(), portcullis_oauth::redirect::RedirectError>(())
    /// ```
    pub fn with_response(&self, parameters: &[(&str, &str)]) -> String {
        let raw = self.as_str();
        let separator = match raw.split_once('?') {
            None => "?",
            Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
            Some(_) => "&",
        };
        format!("{raw}{separator}{}", form::encode(parameters))
    }

    fn path(&self) -> &str {
        let (_, after) = self.around_port();
        after.split_once('?').map_or(after, |(path, _)| path)
    }

    /// The query as it was written, without its `?`; none where there is no `?`.
    pub fn query(&self) -> Option<&str> {
        self.as_str().split_once('?').map(|(_, query)| query)
    }

    fn around_port(&self) -> (&str, &str) {
        let Range { start, end } = self.0.port_text;
        let raw = self.as_str();
        (
            raw.get(..start).unwrap_or_default(),
            raw.get(end..).unwrap_or_default(),
        )
    }
}

impl PartialEq for RedirectUri {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RedirectUri {}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl std::str::FromStr for RedirectUri {
    type Err = RedirectError;

    fn from_str(text: &str) -> Result<Self, RedirectError> {
        Self::parse(text)
    }
}

impl Serialize for RedirectUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for RedirectUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

/// Why a text is no redirect URI, or no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// Longer than 2048 bytes.
    #[error("a redirect URI cannot be longer than 2048 bytes")]
    TooLong,
    /// A character that RFC 3986 does not allow there, or a percent-encoded control character.
    #[error("a redirect URI cannot contain this character")]
    Character,
    /// No scheme, or no `/` behind it.
    #[error("a redirect URI is absolute")]
    Relative,
    /// A fragment, be it empty (RFC 6749 section 3.1.2).
    #[error("a redirect URI has no fragment")]
    Fragment,
    /// A user name or password.
    #[error("a user name or password has no place in a redirect URI")]
    Credentials,
    /// No host, or one that browsers would write differently.
    #[error("the host of a redirect URI is written canonically")]
    Host,
    /// A port outside 1 to 65535, or not written canonically.
    #[error("the port of a redirect URI is a number from 1 to 65535")]
    Port,
    /// A `.` or `..` segment, or one behind percent-encodings.
    #[error("a redirect URI has no dot segments")]
    DotSegment,
    /// A scheme that runs code or opens another program.
    #[error("this scheme is never a redirect URI's")]
    DangerousScheme,
    /// A private-use scheme without a dot that nobody allowed (RFC 8252 section 7.1).
    #[error("a private-use scheme contains a dot or is allowed by name")]
    UnknownScheme,
    /// `http` beyond loopback.
    #[error("`https` is required except on a loopback address")]
    Insecure,
    /// A query parameter that belongs to the response, such as `code` or `state`.
    #[error("a redirect URI has no parameters of an authorization response")]
    ResponseParameter,
    /// A `*` in a pattern where it would match too much or nothing.
    #[error("`*` stands for the first label of a host, a port, or text within a path segment")]
    Wildcard,
}
