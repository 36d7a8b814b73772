//! What a browser is to do.

use http::Method;
use http::header::HeaderName;
use portcullis_oauth::form;

use super::{Page, broken, jar};

/// Where a request was begun, as `Sec-Fetch-Site` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Site {
    /// By the user, or by a program on the user's machine.
    None,
    /// On a page of the site itself.
    SameOrigin,
    /// On somebody else's page.
    CrossSite,
}

impl Site {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SameOrigin => "same-origin",
            Self::CrossSite => "cross-site",
        }
    }

    pub(super) fn origin(self, ours: &str) -> &str {
        match self {
            Self::CrossSite => "https://evil.example",
            Self::None | Self::SameOrigin => ours,
        }
    }

    /// Which cookies go with a navigation from there: all, those of `Lax`, or neither `Lax` nor
    /// `Strict`.
    pub(super) fn may_carry(self, method: &Method) -> jar::Reach {
        match self {
            Self::CrossSite if *method == Method::GET => jar::Reach::Lax,
            Self::CrossSite => jar::Reach::NoneAlone,
            Self::None | Self::SameOrigin => jar::Reach::All,
        }
    }
}

/// A request that a browser is to make.
#[derive(Clone, Debug)]
#[must_use]
pub struct Visit {
    pub(super) method: Method,
    pub(super) address: String,
    pub(super) body: Option<String>,
    pub(super) site: Site,
    pub(super) headers: Vec<(HeaderName, Option<String>)>,
    pub(super) follows: bool,
    pub(super) without_cookies: bool,
}

impl Visit {
    /// Opens an address.
    pub fn get(address: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            address: address.into(),
            body: None,
            site: Site::None,
            headers: Vec::new(),
            follows: true,
            without_cookies: false,
        }
    }

    /// Sends a form to an address, from a page of the site unless said otherwise.
    pub fn post(address: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let mut visit = Self::get(address);
        visit.method = Method::POST;
        visit.body = Some(form::encode(fields));
        visit.site = Site::SameOrigin;
        visit
    }

    /// With another method.
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// With these bytes as its body.
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Begun there.
    pub fn seen_from(mut self, site: Site) -> Self {
        self.site = site;
        self
    }

    /// With this header, in the place of what the browser would send.
    ///
    /// # Panics
    /// When that is no header's name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers
            .push((header_name(name), Some(value.to_owned())));
        self
    }

    /// Without a header that the browser would send.
    ///
    /// # Panics
    /// When that is no header's name.
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.push((header_name(name), None));
        self
    }

    /// Shows the first answer, be it a redirect.
    pub fn stay(mut self) -> Self {
        self.follows = false;
        self
    }

    /// Sends no cookie and keeps none, as some web views do.
    pub fn without_cookies(mut self) -> Self {
        self.without_cookies = true;
        self
    }

    /// What a page of the site does.
    pub(super) fn on(mut self, page: &Page) -> Self {
        if self.address.is_empty() {
            page.url.clone_into(&mut self.address);
        }
        self.site = Site::SameOrigin;
        // What a referrer policy hides, `Origin` hides too (Fetch, "append a request Origin header").
        if page.header("referrer-policy") == "no-referrer" && self.method == Method::POST {
            return self.header("origin", "null");
        }
        self
    }

    /// What follows from a redirect: a `GET`, from where the request was begun.
    pub(super) fn redirected(mut self, to: String) -> Self {
        self.method = Method::GET;
        self.address = to;
        self.body = None;
        self
    }
}

#[track_caller]
fn header_name(name: &str) -> HeaderName {
    HeaderName::try_from(name).unwrap_or_else(|_| broken(&format!("`{name}` is no header")))
}
