//! Pages: login, consent, *My connections*, errors.
//!
//! # Rules
//!
//! * A page is a function of a view, which is plain data; it decides nothing. Every text is in
//!   [`Texts`].
//! * No script, no foreign style, font or picture: the policy of every page forbids them, and the
//!   pages need none. Forms are plain HTML.
//! * What a client says of itself is escaped, cleaned, and marked as its own claim.
//! * Every page can be used with the keyboard alone, with a screen reader, on a narrow screen, in
//!   light and in dark.
//!
//! # What operators choose
//!
//! [`Theme`]: the name of the service, a logo, one colour, a link to help, and further languages.

mod clean;
mod colour;
pub(crate) mod cookie;
mod csp;
mod page;
mod style;
mod text;
mod theme;
pub(crate) mod view;

use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_LANGUAGE;
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::Markup;
use portcullis_oauth::BaseUrl;
use portcullis_resource_server::{ConfigError, ConfigErrors};

use self::style::Style;
pub use self::text::Texts;
pub use self::theme::Theme;
use self::view::{AccountPage, ConsentPage, ErrorPage, LoginFault, LoginPage, SignedOutPage};
use crate::retry::retry_after;

/// The pages of one server.
#[derive(Debug)]
pub(crate) struct Pages {
    service: String,
    logo: Option<String>,
    support: Option<String>,
    style: Style,
    /// The headers of every page but one.
    headers: HeaderMap,
    /// Those of the consent page, which fetches something from here.
    consent_headers: HeaderMap,
    /// The default language first.
    languages: Vec<Texts>,
}

impl Pages {
    /// The pages in this theme.
    ///
    /// # Errors
    /// [`ConfigErrors`] when something of the theme cannot be used.
    pub(crate) fn new(theme: &Theme, base: &BaseUrl) -> Result<Self, ConfigErrors> {
        let theme = theme.check(base)?;
        let style = Style::new(theme.accent);
        let logo = theme.logo.as_ref().map(|logo| logo.source.as_str());
        let logo: Vec<&str> = logo.into_iter().collect();
        let headers = |pictures: &[&str]| {
            csp::headers(base, &style.source, pictures)
                .map_err(|_| ConfigError::new("theme.logo", "cannot be named in a header"))
        };
        Ok(Self {
            headers: headers(&logo)?,
            consent_headers: headers(&[&logo[..], &["'self'"]].concat())?,
            service: theme.name,
            logo: theme.logo.map(|logo| logo.url),
            support: theme.support,
            style,
            languages: theme.languages,
        })
    }

    /// The pages in the language of whoever sent this request: `ui_locales` of the authorization
    /// request comes first, then `Accept-Language`.
    pub(crate) fn for_reader(
        &self,
        ui_locales: Option<&str>,
        headers: &HeaderMap,
    ) -> LocalPages<'_> {
        let tags: Vec<&str> = self
            .languages
            .iter()
            .map(|texts| &*texts.language)
            .collect();
        let language = text::choose(ui_locales, headers, &tags).unwrap_or_default();
        LocalPages {
            pages: self,
            language,
        }
    }
}

/// The pages in one language. Each is a whole response, status and headers included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalPages<'a> {
    pages: &'a Pages,
    language: usize,
}

impl<'a> LocalPages<'a> {
    /// The login page: 200, or the status of the fault.
    pub(crate) fn login(&self, view: &LoginPage<'_>) -> Response {
        let status = view.fault.map_or(StatusCode::OK, LoginFault::status);
        let mut response = self.respond(status, page::login::render(self, view));
        retry_after(&mut response, view.fault.and_then(LoginFault::wait));
        response
    }

    /// The consent page.
    pub(crate) fn consent(&self, view: &ConsentPage<'_>) -> Response {
        let markup = page::consent::render(self, view);
        self.respond_with(&self.pages.consent_headers, StatusCode::OK, markup)
    }

    /// *My connections*.
    pub(crate) fn account(&self, view: &AccountPage<'_>) -> Response {
        self.respond(StatusCode::OK, page::account::render(self, view))
    }

    /// The page after signing out.
    pub(crate) fn signed_out(&self, view: &SignedOutPage<'_>) -> Response {
        self.respond(StatusCode::OK, page::signed_out::render(self, view))
    }

    /// The page for a problem, with its status; the incident is in the extensions too.
    pub(crate) fn error(&self, view: &ErrorPage<'_>) -> Response {
        let mut response = self.respond(view.problem.status(), page::error::render(self, view));
        if let Some(incident) = view.incident {
            response.extensions_mut().insert(incident.clone());
        }
        retry_after(&mut response, view.problem.wait());
        response
    }

    fn respond(&self, status: StatusCode, markup: Markup) -> Response {
        self.respond_with(&self.pages.headers, status, markup)
    }

    fn respond_with(&self, headers: &HeaderMap, status: StatusCode, markup: Markup) -> Response {
        let mut response = Response::new(Body::from(markup.into_string()));
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        if let Ok(language) = HeaderValue::try_from(&*self.texts().language) {
            response.headers_mut().insert(CONTENT_LANGUAGE, language);
        }
        response
    }

    fn texts(&self) -> &'a Texts {
        const ENGLISH: &Texts = &Texts::english();
        self.pages.languages.get(self.language).unwrap_or(ENGLISH)
    }

    fn service(&self) -> &'a str {
        &self.pages.service
    }

    fn logo(&self) -> Option<&'a str> {
        self.pages.logo.as_deref()
    }

    fn support(&self) -> Option<&'a str> {
        self.pages.support.as_deref()
    }

    fn css(&self) -> &'a str {
        &self.pages.style.css
    }
}

#[cfg(test)]
mod tests;
