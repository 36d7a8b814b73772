//! What comes back.

use http::StatusCode;
use http::header::{HeaderMap, LOCATION};
use portcullis_oauth::form;

use super::broken;
use super::html::{self, Form};

/// What a site answered.
#[derive(Clone)]
#[non_exhaustive]
pub struct Page {
    /// The address, after redirects.
    pub url: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Page {
    /// Where it redirects to.
    pub fn location(&self) -> Option<&str> {
        let redirects = self.status.is_redirection();
        self.headers
            .get(LOCATION)
            .filter(|_| redirects)
            .and_then(|value| value.to_str().ok())
    }

    /// The parameters of the URL that it redirects to.
    ///
    /// # Panics
    /// When it does not redirect, or to a URL that no client could read.
    #[track_caller]
    pub fn answer(&self) -> form::Form {
        let Some(location) = self.location() else {
            self.lacks("a redirect")
        };
        let query = location.split_once('?').map_or("", |(_, query)| query);
        form::Form::parse(query.as_bytes(), form::Limits::ENDPOINT)
            .unwrap_or_else(|_| self.lacks("a readable answer"))
    }

    /// The value of a header; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// The value that a field of the page's forms has, be it hidden.
    pub fn field(&self, name: &str) -> Option<String> {
        let forms = html::forms(&self.text);
        forms.iter().find_map(|form| form.field(name))
    }

    /// Whether there is a button of that value, or with these words.
    pub fn has_button(&self, button: &str) -> bool {
        let forms = html::forms(&self.text);
        forms.iter().any(|form| form.button(button).is_some())
    }

    /// The addresses of links whose words hold `words`.
    pub fn links(&self, words: &str) -> Vec<String> {
        html::links(&self.text)
            .into_iter()
            .filter(|(_, text)| text.contains(words))
            .map(|(address, _)| address)
            .collect()
    }

    #[track_caller]
    pub(super) fn form_of(&self, button: &str) -> (Form, usize) {
        let found = html::forms(&self.text)
            .into_iter()
            .find_map(|form| form.button(button).map(|pressed| (form, pressed)));
        found.unwrap_or_else(|| self.lacks(&format!("a button `{button}`")))
    }

    #[track_caller]
    pub(super) fn lacks(&self, what: &str) -> ! {
        broken(&format!(
            "{} {} has not {what}: {}",
            self.status,
            self.url,
            html::without_style(&self.text)
        ))
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, status, .. } = self;
        write!(f, "{status} {url} {:?} ", self.location())?;
        f.write_str(&html::without_style(&self.text))
    }
}
