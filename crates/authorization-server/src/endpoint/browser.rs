//! A request that a browser makes for its user.

use axum::body::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, ORIGIN};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Uri};
use portcullis_oauth::form::{Form, FormError, Limits};
use portcullis_oauth::{BaseUrl, OAuthError, OAuthErrorCode};
use portcullis_resource_server::ClientAddress;

/// A request of a browser, whose body was read.
#[derive(Debug)]
pub(crate) struct BrowserRequest {
    headers: HeaderMap,
    uri: Uri,
    body: Bytes,
    address: Option<ClientAddress>,
}

impl BrowserRequest {
    /// The request of these parts.
    pub(crate) fn new(parts: Parts, body: Bytes) -> Self {
        Self {
            uri: parts.uri,
            address: parts.extensions.get().copied(),
            headers: parts.headers,
            body,
        }
    }

    /// Its headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Where it came from, if that is known.
    pub(crate) fn address(&self) -> Option<ClientAddress> {
        self.address
    }

    /// Whether its URL has parameters.
    pub(crate) fn has_query(&self) -> bool {
        self.uri.query().is_some_and(|query| !query.is_empty())
    }

    /// The parameters of its URL.
    ///
    /// # Errors
    /// [`FormError`] when they cannot be read.
    pub(crate) fn query(&self) -> Result<Form, FormError> {
        let query = self.uri.query().unwrap_or_default();
        Form::parse(query.as_bytes(), Limits::ENDPOINT)
    }

    /// The form in its body.
    ///
    /// # Errors
    /// `invalid_request` when there is none, or it cannot be read.
    pub(crate) fn body(&self) -> Result<Form, OAuthError> {
        let media_type = self.text(&CONTENT_TYPE).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(NO_FORM);
        }
        Ok(Form::parse(&self.body, Limits::ENDPOINT)?)
    }

    /// Whether pages are of use to the caller: every browser that follows a link says so.
    pub(crate) fn accepts_html(&self) -> bool {
        let lines = self.headers.get_all(ACCEPT).iter();
        lines
            .filter_map(|line| line.to_str().ok())
            .any(|line| line.contains("text/html") || line.contains("application/xhtml+xml"))
    }

    /// Whether nobody looks at the answer yet: the browser fetches what the user may want next.
    pub(crate) fn is_prefetch(&self) -> bool {
        [SEC_PURPOSE, PURPOSE, X_MOZ].iter().any(|name| {
            let purpose = self.text(name).unwrap_or_default();
            purpose.to_ascii_lowercase().contains("prefetch")
        })
    }

    /// Whether a form was sent from a page of ours, as far as the browser says. What decides is the
    /// form's token; this stops others earlier.
    pub(crate) fn is_from_our_page(&self, base: &BaseUrl) -> bool {
        // SECURITY: a foreign page does not fill in our forms (RFC 9700 section 4.7, Fetch Metadata);
        // sec_cn_23_a_form_from_another_site_is_refused
        if let Some(site) = self.headers.get(SEC_FETCH_SITE) {
            return site == "same-origin";
        }
        // Pages that send no referrer have the origin `null`, and ours are such pages (Fetch, "append
        // a request Origin header").
        let ours = base.origin();
        let mut origins = self.headers.get_all(ORIGIN).iter();
        origins.all(|origin| origin == "null" || origin == ours.as_str())
    }

    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).map(HeaderValue::to_str)?.ok()
    }
}

const NO_FORM: OAuthError = OAuthError::new(
    OAuthErrorCode::InvalidRequest,
    "the body must be application/x-www-form-urlencoded",
);
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_PURPOSE: HeaderName = HeaderName::from_static("sec-purpose");
const PURPOSE: HeaderName = HeaderName::from_static("purpose");
const X_MOZ: HeaderName = HeaderName::from_static("x-moz");

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn with(headers: &[(&str, &str)]) -> BrowserRequest {
        let mut request = Request::new(());
        for (name, value) in headers {
            let name = HeaderName::try_from(*name).unwrap();
            let value = HeaderValue::try_from(*value).unwrap();
            request.headers_mut().append(name, value);
        }
        BrowserRequest::new(request.into_parts().0, Bytes::from_static(b"a=1"))
    }

    #[test]
    fn sec_cn_23_a_form_from_another_site_is_refused() {
        let base = BaseUrl::parse("https://mcp.example/app").unwrap();
        let ours = "https://mcp.example";
        for (headers, from_us) in [
            (&[][..], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (
                &[("sec-fetch-site", "same-origin"), ("origin", "null")],
                true,
            ),
            (&[("origin", ours)], true),
            (&[("origin", "null")], true),
            (&[("sec-fetch-site", "cross-site"), ("origin", ours)], false),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "https://mcp.example.evil")], false),
            (&[("origin", "http://mcp.example")], false),
            (
                &[("origin", ours), ("origin", "https://evil.example")],
                false,
            ),
        ] {
            assert_eq!(
                with(headers).is_from_our_page(&base),
                from_us,
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_body_is_a_form_or_nothing() {
        let form = "application/x-www-form-urlencoded";
        for good in [form, "Application/X-WWW-Form-Urlencoded; charset=utf-8"] {
            let body = with(&[("content-type", good)]).body().unwrap();
            assert_eq!(body.one("a"), Ok(Some("1")));
        }
        for bad in ["text/plain", "multipart/form-data", ""] {
            assert!(with(&[("content-type", bad)]).body().is_err(), "{bad}");
        }
        assert!(with(&[]).body().is_err());
    }

    #[test]
    fn pages_are_for_those_who_ask_for_them() {
        assert!(with(&[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]).accepts_html());
        for other in ["*/*", "application/json", ""] {
            assert!(!with(&[("accept", other)]).accepts_html(), "{other}");
        }
        assert!(!with(&[]).accepts_html());
    }

    #[test]
    fn what_nobody_looks_at_is_known() {
        for headers in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("x-moz", "Prefetch"),
        ] {
            assert!(with(&[headers]).is_prefetch(), "{headers:?}");
        }
        assert!(!with(&[]).is_prefetch());
    }
}
