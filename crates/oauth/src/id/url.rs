//! URLs that name an issuer, a resource, our own origin or an endpoint.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

/// A text that is not the URL it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// Not an absolute URL with a host.
    #[error("not an absolute URL with a host")]
    Syntax,
    /// Longer than 2048 bytes.
    #[error("a URL cannot be longer than 2048 bytes")]
    TooLong,
    /// A URL parser would repair it, and two parsers might disagree on how.
    #[error("write it as `{canonical}`")]
    NotCanonical {
        /// The spelling to use.
        canonical: String,
    },
    /// `http` is for loopback addresses alone.
    #[error("`https` is required except on a loopback address")]
    Insecure,
    /// A scheme other than `https` and `http`.
    #[error("the scheme must be `https`")]
    Scheme,
    /// A user name or password inside a URL.
    #[error("a user name or password has no place in this URL")]
    Credentials,
    /// A query where the standard allows none.
    #[error("a query has no place in this URL")]
    Query,
    /// A fragment.
    #[error("a fragment has no place in this URL")]
    Fragment,
}

/// The raw text and what it means.
#[derive(Clone)]
struct Checked {
    raw: Box<str>,
    url: Url,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Query {
    Allowed,
    Refused,
}

/// Where `http` may lead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plain {
    Loopback,
    Anywhere,
}

impl Checked {
    fn parse(raw: &str, query: Query, plain: Plain) -> Result<Self, InvalidUrl> {
        if raw.len() > 2048 {
            return Err(InvalidUrl::TooLong);
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "the one strict parser of URLs that name"
        )]
        let url = Url::parse(raw).map_err(|_| InvalidUrl::Syntax)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(InvalidUrl::Scheme);
        }
        if !url.has_host() {
            return Err(InvalidUrl::Syntax);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidUrl::Credentials);
        }
        if url.fragment().is_some() {
            return Err(InvalidUrl::Fragment);
        }
        if query == Query::Refused && url.query().is_some() {
            return Err(InvalidUrl::Query);
        }
        // SECURITY: what a parser repairs (case, dots, default ports, backslashes, tabs), another
        // may read differently (RFC 3986 section 6); sec_ru_02_a_repaired_url_is_refused
        let canonical = url.as_str();
        if raw != canonical && canonical.strip_suffix('/') != Some(raw) {
            return Err(InvalidUrl::NotCanonical {
                canonical: canonical.to_owned(),
            });
        }
        // SECURITY: a token or a key must not travel in clear (RFC 8414 section 2);
        // sec_md_06_http_is_for_loopback_alone
        if url.scheme() == "http"
            && plain == Plain::Loopback
            && !url.host_str().is_some_and(is_loopback_host)
        {
            return Err(InvalidUrl::Insecure);
        }
        Ok(Self {
            raw: raw.into(),
            url,
        })
    }

    fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// Whether a host stands for this machine: in 127.0.0.0/8, `[::1]` or the name `localhost`, and
/// nothing that merely looks like them (RFC 8252 section 7.3). It is written as in a URL, an IPv6
/// address in brackets and in its shortest form; case does not matter.
///
/// ```
/// use portcullis_oauth::id::is_loopback_host;
///
/// assert!(is_loopback_host("localhost") && is_loopback_host("127.0.0.2") && is_loopback_host("[::1]"));
/// assert!(!is_loopback_host("localhost.example.com") && !is_loopback_host("127.1"));
/// ```
pub fn is_loopback_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host == "[::1]"
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback())
}

macro_rules! named_url {
    ($($(#[$doc:meta])+ $name:ident, $query:expr;)+) => {$(
        $(#[$doc])+
        #[derive(Clone)]
        pub struct $name(std::sync::Arc<Checked>);

        impl $name {
            /// Reads the URL strictly and keeps its text.
            ///
            /// # Errors
            /// [`InvalidUrl`] says what is wrong and, where it can, how to write it.
            pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
                let url = Checked::parse(text, $query, Plain::Loopback)?;
                Ok(Self(std::sync::Arc::new(url)))
            }

            /// The URL as it was written.
            pub fn as_str(&self) -> &str {
                &self.0.raw
            }

            /// Scheme, host and port, without a trailing slash: `https://mcp.example.com:8443`.
            pub fn origin(&self) -> String {
                self.0.origin()
            }

            /// The host as a URL writes it; an IPv6 address is in brackets.
            pub fn host(&self) -> &str {
                self.0.url.host_str().unwrap_or_default()
            }

            /// Whether the host is `localhost`, in 127.0.0.0/8 or `[::1]`.
            pub fn is_loopback(&self) -> bool {
                is_loopback_host(self.host())
            }

            /// The path as it was written; empty for a bare origin.
            pub fn path(&self) -> &str {
                let path = self.0.url.path();
                if path == "/" && !self.0.raw.ends_with('/') { "" } else { path }
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $name {}

        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(de::Error::custom)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidUrl;

            fn from_str(text: &str) -> Result<Self, InvalidUrl> {
                Self::parse(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidUrl;

            fn try_from(text: &str) -> Result<Self, InvalidUrl> {
                Self::parse(text)
            }
        }
    )+};
}

named_url! {
    /// Who issues tokens (RFC 8414 section 2): `https`, without query and fragment.
    ///
    /// `https://a.example` and `https://a.example/` are two issuers: some providers write the
    /// slash, and clients compare byte for byte.
    Issuer, Query::Refused;
    /// What a token is for (RFC 8707 section 2): the URL of an MCP server as its users paste it.
    ResourceUrl, Query::Allowed;
    /// The public URL under which this program is reached; paths are appended to it.
    BaseUrl, Query::Refused;
    /// A URL that we call: a key set, an introspection endpoint.
    EndpointUrl, Query::Allowed;
}

impl ResourceUrl {
    /// Whether `other` names this resource: equal but for one trailing slash.
    ///
    /// ```
    /// use portcullis_oauth::ResourceUrl;
    ///
    /// let resource = ResourceUrl::parse("https://h.example/mcp")?;
    /// assert!(resource.is_same_resource("https://h.example/mcp/"));
    /// assert!(!resource.is_same_resource("https://h.example/mcp2"));
    /// assert!(!resource.is_same_resource("https://h.example"));
    /// # Ok::<(), portcullis_oauth::InvalidUrl>(())
    /// ```
    pub fn is_same_resource(&self, other: &str) -> bool {
        fn trimmed(url: &str) -> &str {
            url.strip_suffix('/').unwrap_or(url)
        }
        trimmed(self.as_str()) == trimmed(other)
    }
}

impl BaseUrl {
    /// The base with `path` appended. One slash stands between them, however they are written.
    ///
    /// ```
    /// use portcullis_oauth::BaseUrl;
    ///
    /// let base = BaseUrl::parse("https://h.example/app/")?;
    /// assert_eq!(base.join("/mcp"), "https://h.example/app/mcp");
    /// assert_eq!(base.join(""), "https://h.example/app/");
    /// # Ok::<(), portcullis_oauth::InvalidUrl>(())
    /// ```
    pub fn join(&self, path: &str) -> String {
        let base = self.as_str();
        match path.trim_start_matches('/') {
            "" => base.to_owned(),
            path => format!("{}/{path}", base.strip_suffix('/').unwrap_or(base)),
        }
    }

    /// The resource that is served at `path` below this base.
    ///
    /// # Errors
    /// [`InvalidUrl`] when `path` does not belong into a URL as it is written.
    pub fn resource(&self, path: &str) -> Result<ResourceUrl, InvalidUrl> {
        ResourceUrl::parse(&self.join(path))
    }

    /// The port, also where the URL leaves it out.
    pub fn port(&self) -> u16 {
        self.0.url.port_or_known_default().unwrap_or(443)
    }

    /// Whether browsers reach us by TLS.
    pub fn is_https(&self) -> bool {
        self.0.url.scheme() == "https"
    }
}

impl EndpointUrl {
    /// Reads a URL that may also be `http` on another machine: a server in a container, or in the
    /// same cluster. A client of ours still refuses it, unless it was told to call that one.
    ///
    /// ```
    /// use portcullis_oauth::EndpointUrl;
    ///
    /// assert!(EndpointUrl::parse("http://files:3001/mcp").is_err());
    /// assert!(EndpointUrl::parse_plain("http://files:3001/mcp")?.is_plain());
    /// # Ok::<(), portcullis_oauth::InvalidUrl>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidUrl`] for whatever else [`parse`](Self::parse) refuses.
    pub fn parse_plain(text: &str) -> Result<Self, InvalidUrl> {
        let url = Checked::parse(text, Query::Allowed, Plain::Anywhere)?;
        Ok(Self(std::sync::Arc::new(url)))
    }

    /// Whether it leads to another machine without TLS.
    pub fn is_plain(&self) -> bool {
        self.0.url.scheme() == "http" && !self.is_loopback()
    }

    /// The URL in its parsed form, for an HTTP client.
    pub fn url(&self) -> &Url {
        &self.0.url
    }

    /// The port, also where the URL leaves it out.
    pub fn port(&self) -> u16 {
        self.0.url.port_or_known_default().unwrap_or(443)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_kept_byte_for_byte() {
        for text in [
            "https://a.example",
            "https://a.example/",
            "https://a.example/x/",
        ] {
            assert_eq!(Issuer::parse(text).unwrap().as_str(), text);
        }
        assert_ne!(
            Issuer::parse("https://a.example"),
            Issuer::parse("https://a.example/")
        );
        assert_eq!(Issuer::parse("https://a.example").unwrap().path(), "");
        assert_eq!(Issuer::parse("https://a.example/").unwrap().path(), "/");
    }

    #[test]
    fn sec_ru_02_a_repaired_url_is_refused() {
        for text in [
            "HTTPS://a.example/x",
            "https://A.example/x",
            "https://a.example:443/x",
            "https://a.example/./x",
            "https://a.example/y/../x",
            "https://a.example/%2e%2e/x",
            "https:\\\\a.example\\x",
            "https://a.example/x ",
            " https://a.example/x",
            "https://a.exa\tmple/x",
            "https:/a.example/x",
            "https:a.example",
            "https://0x7f.1/x",
            "https://127.1",
            "https://①②⑦.⓪.⓪.①/",
            "https://ä.example/",
            "https://a.example/ä",
            "https://a%2eexample/",
        ] {
            assert!(
                matches!(
                    ResourceUrl::parse(text),
                    Err(InvalidUrl::NotCanonical { .. } | InvalidUrl::Syntax)
                ),
                "{text:?}: {:?}",
                ResourceUrl::parse(text)
            );
        }
        let error = Issuer::parse("https://A.example/x").unwrap_err();
        assert_eq!(error.to_string(), "write it as `https://a.example/x`");
    }

    #[test]
    fn sec_md_06_http_is_for_loopback_alone() {
        for text in [
            "http://a.example",
            "http://localhost.a.example",
            "http://10.0.0.1/x",
        ] {
            assert_eq!(Issuer::parse(text), Err(InvalidUrl::Insecure), "{text}");
        }
        for text in [
            "http://localhost:1",
            "http://127.0.0.1/",
            "http://127.9.9.9",
            "http://[::1]:8/",
        ] {
            assert!(Issuer::parse(text).is_ok(), "{text}");
        }
        assert_eq!(
            Issuer::parse("http://localhost./"),
            Err(InvalidUrl::Insecure)
        );
        assert_eq!(Issuer::parse("ftp://a.example/"), Err(InvalidUrl::Scheme));
        assert_eq!(
            Issuer::parse("javascript:alert(1)"),
            Err(InvalidUrl::Scheme)
        );
    }

    #[test]
    fn sec_md_06_an_issuer_has_no_query_fragment_or_user() {
        assert_eq!(
            Issuer::parse("https://a.example/?x"),
            Err(InvalidUrl::Query)
        );
        assert_eq!(Issuer::parse("https://a.example/?"), Err(InvalidUrl::Query));
        assert_eq!(
            Issuer::parse("https://a.example/#"),
            Err(InvalidUrl::Fragment)
        );
        assert_eq!(
            Issuer::parse("https://u@a.example/"),
            Err(InvalidUrl::Credentials)
        );
        assert_eq!(
            Issuer::parse("https://:p@a.example/"),
            Err(InvalidUrl::Credentials)
        );
        assert_eq!(
            ResourceUrl::parse("https://a.example/#x"),
            Err(InvalidUrl::Fragment)
        );
        assert!(ResourceUrl::parse("https://a.example/?x=1").is_ok());
    }

    #[test]
    fn a_base_joins_paths_with_one_slash() {
        for base in ["https://h.example", "https://h.example/"] {
            let base = BaseUrl::parse(base).unwrap();
            assert_eq!(base.join("mcp"), "https://h.example/mcp");
            assert_eq!(
                base.resource("/mcp").unwrap().as_str(),
                "https://h.example/mcp"
            );
            assert_eq!(base.port(), 443);
        }
        assert_eq!(
            BaseUrl::parse("http://[::1]:80").unwrap_err(),
            InvalidUrl::NotCanonical {
                canonical: "http://[::1]/".to_owned()
            }
        );
        assert!(
            BaseUrl::parse("https://h.example")
                .unwrap()
                .resource("/a b")
                .is_err()
        );
    }
}
