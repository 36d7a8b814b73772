//! What of a request goes on to the server behind.

use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE, USER_AGENT};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use portcullis_oauth::BaseUrl;
use portcullis_resource_server::{AccessToken, ClientAddress, ConfigError, Unavailable};

use super::headers::is_hop_by_hop;
use crate::identity::Identity;

/// The fields that go on, whatever is configured: those of HTTP's content, of MCP, and of tracing.
// SECURITY: a list of what goes on, not of what stays, so that a field nobody here knows cannot
// claim an identity or a path (CVE-2025-64484, CVE-2026-40575);
// sec_gw_02_no_spelling_of_an_identity_header_goes_on
const FORWARDED: [HeaderName; 12] = [
    ACCEPT,
    ACCEPT_LANGUAGE,
    CONTENT_TYPE,
    USER_AGENT,
    HeaderName::from_static("last-event-id"),
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("mcp-session-id"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
    HeaderName::from_static("baggage"),
];

/// Parameters that a tool's schema repeats in headers (MCP 2026-07-28, transports).
const PARAMETERS: &str = "mcp-param-";

/// Fields that mean something between two machines alone, or that carry what stays here.
const NEVER: [&str; 16] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Which fields go on, and what is told of the caller.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outgoing {
    identity: Identity,
    extra: Vec<HeaderName>,
    /// Where requests come in, for a server that is told so.
    site: Option<Site>,
}

/// Where requests come in: the scheme and the host of the public URL.
#[derive(Debug, Clone)]
struct Site {
    scheme: HeaderValue,
    host: HeaderValue,
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

impl Outgoing {
    /// Also forwards the fields named by `extra`.
    pub(crate) fn new(identity: Identity, extra: &[String]) -> Result<Self, ConfigError> {
        let mut names = Vec::with_capacity(extra.len());
        for text in extra {
            let fault = |what| ConfigError::new(format!("forwarded header `{text}`"), what);
            let name: HeaderName = text
                .parse()
                .map_err(|_| fault("is no name of a header field"))?;
            if NEVER.contains(&name.as_str()) || name.as_str().starts_with("x-forwarded-") {
                return Err(fault("cannot go on to the server behind"));
            }
            // SECURITY: what a client may send is no proof of who it is;
            // sec_gw_02_a_forwarded_header_is_no_identity
            if identity.names().any(|own| is_alike(own, &name)) {
                return Err(fault("is what the server behind is told of the caller"));
            }
            names.push(name);
        }
        let ours = [FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST];
        if identity.is_forwarded()
            && let Some(twice) = identity.names().find(|name| ours.contains(name))
        {
            let field = format!("identity header `{twice}`");
            return Err(ConfigError::new(field, "is given twice")
                .with_hint("take it away, or `forwarded`, which writes it, too"));
        }
        Ok(Self {
            identity,
            extra: names,
            site: None,
        })
    }

    /// Requests come in at `base`, the public URL.
    pub(crate) fn coming_in_at(mut self, base: Option<&BaseUrl>) -> Self {
        let origin = base
            .map(BaseUrl::origin)
            .filter(|_| self.identity.is_forwarded());
        self.site = origin.and_then(|origin| {
            let (scheme, host) = origin.split_once("://")?;
            Some(Site {
                scheme: scheme.parse().ok()?,
                host: host.parse().ok()?,
            })
        });
        self
    }

    /// The fields for the server behind: some of the request's own, and what is told of its caller.
    ///
    /// # Errors
    /// [`Unavailable`] when nobody can vouch for the caller.
    pub(crate) fn headers(
        &self,
        from: &HeaderMap,
        told: &Extensions,
    ) -> Result<HeaderMap, Unavailable> {
        let mut headers = HeaderMap::with_capacity(from.len());
        for (name, value) in from {
            let goes_on = FORWARDED.contains(name)
                || name.as_str().starts_with(PARAMETERS)
                || self.extra.contains(name);
            if goes_on && !is_hop_by_hop(from, name) {
                headers.append(name, value.clone());
            }
        }
        self.identity
            .apply(told.get::<AccessToken>(), &mut headers)?;
        // SECURITY: the address is the listener's, scheme and host are configuration's, so nothing
        // that a client wrote is told as ours;
        // sec_gw_08_the_server_behind_is_told_nothing_that_a_client_wrote
        if let Some(site) = &self.site {
            let client = told.get::<ClientAddress>();
            if let Some(client) = client.and_then(|client| client.to_string().parse().ok()) {
                headers.insert(FORWARDED_FOR, client);
            }
            headers.insert(FORWARDED_PROTO, site.scheme.clone());
            headers.insert(FORWARDED_HOST, site.host.clone());
        }
        Ok(headers)
    }
}

/// Whether a server may take one name for the other: some write `-`, `_` and `.` alike.
fn is_alike(one: &HeaderName, other: &HeaderName) -> bool {
    let plain = |name: &HeaderName| name.as_str().replace(['_', '.'], "-");
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use portcullis_resource_server::TokenParts;

    use super::*;

    fn sent(names: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for name in names {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_static("from the client"));
        }
        headers
    }

    #[test]
    fn sec_gw_02_no_spelling_of_an_identity_header_goes_on() {
        let identity = Identity::new().header("X-MCP-Subject", "{sub}").unwrap();
        let outgoing = Outgoing::new(identity, &["x-team".to_owned()]).unwrap();
        let token = AccessToken::assert_verified(TokenParts::new("https://idp.example", "alice"));
        let from = sent(&[
            "x-mcp-subject",
            "X-MCP-SUBJECT",
            "x_mcp_subject",
            "x-mcp_subject",
            "x.mcp.subject",
            "x-forwarded-user",
            "x-forwarded-for",
            "x-original-url",
            "x-rewrite-url",
            "forwarded",
            "remote-user",
            "connection",
            "te",
            "upgrade",
            "host",
            "cookie",
            "authorization",
            "x-http-method-override",
            "accept",
            "x-team",
            "mcp-param-region",
            "mcp-name",
        ]);
        let mut told = Extensions::new();
        told.insert(token);
        let headers = outgoing.headers(&from, &told).unwrap();
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "accept",
                "mcp-name",
                "mcp-param-region",
                "x-mcp-subject",
                "x-team"
            ]
        );
        assert_eq!(headers["x-mcp-subject"], "alice");
        assert_eq!(headers.get_all("x-mcp-subject").iter().count(), 1);
    }

    #[test]
    fn sec_gw_07_fields_of_one_connection_stay_on_it() {
        let outgoing = Outgoing::new(Identity::new(), &["x-team".to_owned()]).unwrap();
        let mut from = sent(&["x-team", "mcp-session-id", "accept"]);
        let options = HeaderValue::from_static("close,\tMcp-Session-ID");
        from.append("connection", options);
        from.append("connection", HeaderValue::from_static("X-Team"));
        let headers = outgoing.headers(&from, &Extensions::new()).unwrap();
        let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["accept"]);
    }

    #[test]
    fn sec_gw_08_the_server_behind_is_told_nothing_that_a_client_wrote() {
        let base = BaseUrl::parse("https://mcp.example.com:8443/base").unwrap();
        let names = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
        let from = sent(&[&names[..], &["forwarded", "x-real-ip"]].concat());
        let seen = |identity: Identity, told: &Extensions| {
            let outgoing = Outgoing::new(identity, &[]).unwrap();
            let headers = outgoing.coming_in_at(Some(&base)).headers(&from, told);
            let headers = headers.unwrap();
            let all = headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
            all.collect::<Vec<_>>()
        };
        let mut told = Extensions::new();
        assert_eq!(seen(Identity::new(), &told), [""; 0]);
        let site = [
            "x-forwarded-proto: https",
            "x-forwarded-host: mcp.example.com:8443",
        ];
        assert_eq!(seen(Identity::new().forwarded(), &told), site);
        told.insert(ClientAddress::new("2001:db8::9".parse().unwrap()));
        let all = [&["x-forwarded-for: 2001:db8::9"][..], &site].concat();
        assert_eq!(seen(Identity::new().forwarded(), &told), all);
        let own = Identity::new().header("X-Forwarded-For", "{sub}").unwrap();
        assert!(Outgoing::new(own.clone(), &[]).is_ok());
        assert!(Outgoing::new(own.forwarded(), &[]).is_err());
    }

    #[test]
    fn sec_gw_02_a_forwarded_header_is_no_identity() {
        let identity = Identity::new().header("X-User", "{sub}").unwrap();
        for name in [
            "x-user",
            "X_User",
            "x.user",
            "Host",
            "X-Forwarded-For",
            "te",
            "a b",
        ] {
            let outgoing = Outgoing::new(identity.clone(), &[name.to_owned()]);
            assert!(outgoing.is_err(), "{name}");
        }
    }
}
