//! The guard against DNS rebinding: is the request for us, and from a page that may ask?
//!
//! A page that a user visits can make the browser send requests to a server on the same machine
//! or network, under a name that the page's owner controls. Such a request carries that name in
//! `Host` and the page's origin in `Origin`. So `Host` must be one of ours, and `Origin`, where
//! there is one, a page that was allowed by name. The MCP specification requires the second
//! check of every server (Streamable HTTP, security warning).

use axum::response::{IntoResponse, Response};
use http::header::{HOST, ORIGIN};
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use portcullis_oauth::BaseUrl;
use portcullis_oauth::id::is_loopback_host;

use crate::ConfigError;
use crate::events::Journal;

/// The names under which a server may be called, and the pages that may call it.
#[derive(Debug, Clone)]
pub struct Guard {
    hosts: Vec<String>,
    origins: Vec<String>,
    /// Whether the base URL is a loopback address: then every loopback name and page is ours.
    loopback: bool,
    journal: Journal,
}

/// Why a request is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Stray {
    /// There is no host, two, or one that contradicts the request's target: 400.
    #[error("the request does not name one host")]
    Ambiguous,
    /// The host is none of ours: 421.
    #[error("this server does not answer for that host")]
    Host,
    /// The page is not allowed to call: 403.
    #[error("requests from that origin are not allowed")]
    Origin,
}

impl Stray {
    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Ambiguous => StatusCode::BAD_REQUEST,
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }

    /// A stable word for logs and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous_host",
            Self::Host => "foreign_host",
            Self::Origin => "foreign_origin",
        }
    }
}

impl IntoResponse for Stray {
    fn into_response(self) -> Response {
        (self.status(), self.to_string()).into_response()
    }
}

impl Guard {
    /// Lets in what is addressed to the host of `base`, and pages of that origin. A loopback base
    /// also lets in every loopback name and every page served from one.
    pub fn new(base: &BaseUrl) -> Self {
        Self {
            hosts: vec![base.host().to_ascii_lowercase()],
            origins: vec![base.origin()],
            loopback: base.is_loopback(),
            journal: Journal::default(),
        }
    }

    /// Where refusals are written.
    pub(crate) fn journal(mut self, journal: Journal) -> Self {
        self.journal = journal;
        self
    }

    /// One more host name, without a port.
    ///
    /// # Errors
    /// [`ConfigError`] for a text that is no host.
    pub fn allow_host(mut self, host: &str) -> Result<Self, ConfigError> {
        if host_name(host) != Some(host) || host.is_empty() {
            return Err(
                ConfigError::new("allowed_hosts", format!("`{host}` is not a host name"))
                    .with_hint("write the name alone, as in `mcp.example.com`"),
            );
        }
        self.hosts.push(host.to_ascii_lowercase());
        Ok(self)
    }

    /// One more origin whose pages may call, `https://app.example.com` for example.
    ///
    /// # Errors
    /// [`ConfigError`] for a text that is no origin.
    pub fn allow_origin(mut self, origin: &str) -> Result<Self, ConfigError> {
        match BaseUrl::parse(origin) {
            Ok(url) if url.origin() == origin => {
                self.origins.push(url.origin());
                Ok(self)
            }
            _ => Err(
                ConfigError::new("allowed_origins", format!("`{origin}` is not an origin"))
                    .with_hint("write scheme, host and port, as in `https://app.example.com:8443`"),
            ),
        }
    }

    /// Checks a request before anything else looks at it.
    ///
    /// # Errors
    /// [`Stray`], with the status to answer.
    pub fn check<B>(&self, request: &Request<B>) -> Result<(), Stray> {
        self.judge_host(request)
            .and_then(|()| self.judge_origin(request))
            .inspect_err(|stray| self.journal.stray(stray.reason()))
    }

    /// Checks the host alone, for routes that may have pages of their own to answer.
    ///
    /// # Errors
    /// [`Stray`], with the status to answer.
    pub fn check_host<B>(&self, request: &Request<B>) -> Result<(), Stray> {
        self.judge_host(request)
            .inspect_err(|stray| self.journal.stray(stray.reason()))
    }

    fn judge_origin<B>(&self, request: &Request<B>) -> Result<(), Stray> {
        // SECURITY: a page of another site must not call with the user's network position (MCP
        // Streamable HTTP, security warning); sec_rs_11_a_foreign_origin_is_refused
        let mut origins = request.headers().get_all(ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (None, _) => Ok(()),
            (Some(origin), None) if self.allows_origin(origin) => Ok(()),
            _ => Err(Stray::Origin),
        }
    }

    fn judge_host<B>(&self, request: &Request<B>) -> Result<(), Stray> {
        // SECURITY: a rebound name reaches us, but its requests carry that name (MCP Streamable
        // HTTP, security warning); sec_rs_10_a_foreign_host_is_refused
        let host = requested_host(request)?;
        let is_ours = self
            .hosts
            .iter()
            .any(|ours| ours.eq_ignore_ascii_case(host))
            || (self.loopback && is_loopback_host(host));
        if is_ours { Ok(()) } else { Err(Stray::Host) }
    }

    /// Whether pages of `origin` may call. CORS answers by the same list.
    pub fn allows_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else {
            return false;
        };
        if self.origins.iter().any(|ours| ours == origin) {
            return true;
        }
        self.loopback
            && BaseUrl::parse(origin).is_ok_and(|url| url.origin() == origin && url.is_loopback())
    }
}

/// The one host that a request names, in its target or in `Host`, without the port.
fn requested_host<B>(request: &Request<B>) -> Result<&str, Stray> {
    let header = single(request.headers(), &HOST)?;
    let uri = request.uri();
    let is_plain = |authority: &Authority| !authority.as_str().contains('@');
    let is_http = |scheme: &str| matches!(scheme, "http" | "https");
    // SECURITY: `ours@theirs` and `theirs@ours` are one host to each reader, and not the same
    // (RFC 9110 section 4.2.4); sec_rs_10_host_and_target_must_agree
    if !uri.authority().is_none_or(is_plain) || !uri.scheme_str().is_none_or(is_http) {
        return Err(Stray::Ambiguous);
    }
    let host = match (uri.host(), header) {
        (Some(target), Some(header)) if !target.eq_ignore_ascii_case(header) => {
            return Err(Stray::Ambiguous);
        }
        (Some(host), _) | (None, Some(host)) => host,
        (None, None) => return Err(Stray::Ambiguous),
    };
    Ok(host)
}

fn single<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Result<Option<&'a str>, Stray> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map_err(|_| Stray::Ambiguous)?;
            host_name(text).map(Some).ok_or(Stray::Ambiguous)
        }
        _ => Err(Stray::Ambiguous),
    }
}

/// The host of `host[:port]`; an IPv6 address keeps its brackets. `None` for anything else.
fn host_name(text: &str) -> Option<&str> {
    let end = match text.strip_prefix('[') {
        Some(_) => text.find(']')? + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at_checked(end)?;
    let port_is_good = match port.strip_prefix(':') {
        Some(digits) => digits.parse::<u16>().is_ok() && digits.bytes().all(|b| b.is_ascii_digit()),
        None => port.is_empty(),
    };
    let host_is_good = !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b));
    (host_is_good && port_is_good).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap()
    }

    fn public() -> Guard {
        Guard::new(&BaseUrl::parse("https://mcp.example.com").unwrap())
    }

    fn local() -> Guard {
        Guard::new(&BaseUrl::parse("http://localhost:8000").unwrap())
    }

    fn host(guard: &Guard, host: &str) -> Result<(), Stray> {
        guard.check(&request("/mcp", &[("host", host)]))
    }

    fn origin(guard: &Guard, host: &str, origin: &str) -> Result<(), Stray> {
        guard.check(&request("/mcp", &[("host", host), ("origin", origin)]))
    }

    #[test]
    fn sec_rs_10_a_foreign_host_is_refused() {
        for good in ["mcp.example.com", "MCP.example.com", "mcp.example.com:8443"] {
            assert_eq!(host(&public(), good), Ok(()), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost",
            "127.0.0.1:8000",
            "mcp.example.com.evil.example",
        ] {
            assert_eq!(host(&public(), bad), Err(Stray::Host), "{bad}");
        }
        for good in [
            "localhost:8000",
            "127.0.0.1:1",
            "[::1]:8000",
            "LOCALHOST",
            "127.8.9.1",
        ] {
            assert_eq!(host(&local(), good), Ok(()), "{good}");
        }
        for bad in [
            "localhost.evil.example",
            "127.0.0.1.nip.example",
            "0x7f.1",
            "[::2]",
            "10.0.0.1",
        ] {
            assert_eq!(host(&local(), bad), Err(Stray::Host), "{bad}");
        }
        assert_eq!(public().allow_host("other.example").unwrap().hosts.len(), 2);
        assert!(public().allow_host("https://other.example").is_err());
    }

    #[test]
    fn sec_rs_10_host_and_target_must_agree() {
        let check = |uri, headers: &[(&str, &str)]| public().check(&request(uri, headers));
        assert_eq!(check("/mcp", &[]), Err(Stray::Ambiguous));
        assert_eq!(
            check(
                "/mcp",
                &[("host", "mcp.example.com"), ("host", "mcp.example.com")]
            ),
            Err(Stray::Ambiguous)
        );
        assert_eq!(
            check("https://evil.example/mcp", &[("host", "mcp.example.com")]),
            Err(Stray::Ambiguous)
        );
        assert_eq!(
            check("https://mcp.example.com/mcp", &[("host", "evil.example")]),
            Err(Stray::Ambiguous)
        );
        for odd in [
            "https://user@mcp.example.com/mcp",
            "https://evil.example@mcp.example.com/mcp",
            "ftp://mcp.example.com/mcp",
        ] {
            let host = [("host", "mcp.example.com")];
            assert_eq!(check(odd, &host), Err(Stray::Ambiguous), "{odd}");
            assert_eq!(check(odd, &[]), Err(Stray::Ambiguous), "{odd}");
        }
        assert_eq!(check("https://evil.example/mcp", &[]), Err(Stray::Host));
        assert_eq!(
            check(
                "https://mcp.example.com/mcp",
                &[("host", "mcp.example.com")]
            ),
            Ok(())
        );
        for bad in [
            "mcp.example.com:",
            "mcp.example.com:x",
            "a@mcp.example.com",
            "",
            "a b",
        ] {
            assert_eq!(host(&public(), bad), Err(Stray::Ambiguous), "{bad:?}");
        }
    }

    #[test]
    fn sec_rs_11_a_foreign_origin_is_refused() {
        let ours = "mcp.example.com";
        assert_eq!(origin(&public(), ours, "https://mcp.example.com"), Ok(()));
        for bad in [
            "https://evil.example",
            "null",
            "",
            "http://localhost:6274",
            "https://mcp.example.com.",
            "https://mcp.example.com:8443",
            "https://MCP.example.com",
            "http://mcp.example.com",
            "https://mcp.example.com/",
        ] {
            assert_eq!(origin(&public(), ours, bad), Err(Stray::Origin), "{bad}");
        }
        for good in [
            "http://localhost:6274",
            "http://127.0.0.1:1",
            "http://[::1]:3",
        ] {
            assert_eq!(origin(&local(), "localhost", good), Ok(()), "{good}");
        }
        for bad in [
            "http://localhost.evil.example",
            "http://localhost:80@evil.example",
            "null",
        ] {
            assert_eq!(
                origin(&local(), "localhost", bad),
                Err(Stray::Origin),
                "{bad}"
            );
        }
        let two = [
            ("host", ours),
            ("origin", "https://mcp.example.com"),
            ("origin", "null"),
        ];
        assert_eq!(public().check(&request("/mcp", &two)), Err(Stray::Origin));
    }

    #[test]
    fn an_origin_is_added_by_its_exact_text() {
        let guard = public()
            .allow_origin("https://app.example.com:8443")
            .unwrap();
        assert_eq!(
            origin(&guard, "mcp.example.com", "https://app.example.com:8443"),
            Ok(())
        );
        assert!(
            guard
                .clone()
                .allow_origin("https://app.example.com/")
                .is_err()
        );
        assert!(guard.allow_origin("*").is_err());
    }
}
