//! From the consent page to the identity provider behind it, as far as a browser gets without a user.

use http::Method;
use http::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use portcullis_oauth::{EndpointUrl, form};

use super::Walk;
use crate::doctor::ask::Ask;
use crate::doctor::seen::{Answer, Seen};
use crate::doctor::step::provider::{self, ConsentPage};

/// Redirects that are followed.
const MOST_REDIRECTS: usize = 4;

/// A browser without a screen, at one server.
#[derive(Default)]
struct Browser {
    cookies: Vec<(String, String)>,
}

impl Walk {
    /// Agrees on the consent page of a server like ours, and looks at where that leads. `begun` is the
    /// answer to a well-formed authorization request.
    pub(super) async fn provider(&mut self, begun: Seen, redirect_uri: &str) {
        let Ok(server) = EndpointUrl::parse(&begun.url) else {
            return;
        };
        let mut browser = Browser::default();
        let page = self.followed(&mut browser, begun, &server.origin()).await;
        let found = page
            .ok()
            .and_then(|answer| ConsentPage::find(&answer.body, &page.url));
        let Some(consent) = found else { return };
        // SECURITY: nothing is pressed for a user that leads elsewhere than to the server itself;
        // sec_cl_16_the_doctor_agrees_nowhere_else
        if EndpointUrl::parse(&consent.action).map(|url| url.origin()) != Ok(server.origin()) {
            return;
        }
        let body = form::encode(&[
            ("request", &consent.request),
            ("csrf", &consent.csrf),
            ("action", "approve"),
        ]);
        let ask = Ask::new(Method::POST, consent.action)
            .header(ORIGIN, server.origin())
            .header(COOKIE, browser.header())
            .body("application/x-www-form-urlencoded", body);
        let agreed = self.asker.ask(ask).await;
        let Some(away) = provider::judge_departure(&agreed, redirect_uri, &mut self.findings)
        else {
            return;
        };
        let first = self.asker.ask(Ask::new(Method::GET, &away.url)).await;
        let there = EndpointUrl::parse(&away.url).map(|url| url.origin());
        let mut visitor = Browser::default();
        let last = self
            .followed(&mut visitor, first, &there.unwrap_or_default())
            .await;
        if !provider::judge_arrival(&away, &last, &mut self.findings) {
            self.left_out
                .push("the identity provider: `--allow-host` lets the doctor ask it");
        }
    }

    /// The end of the redirects of an answer, as far as they stay at `origin`.
    async fn followed(&mut self, browser: &mut Browser, first: Seen, origin: &str) -> Seen {
        let mut seen = first;
        for _ in 0..MOST_REDIRECTS {
            let Some(answer) = seen.answer() else { break };
            browser.take(answer);
            let Some(next) = answer.redirect_from(&seen.url) else {
                break;
            };
            if EndpointUrl::parse(&next).map(|url| url.origin()).as_deref() != Ok(origin) {
                break;
            }
            let ask = Ask::new(Method::GET, next);
            seen = self.asker.ask(ask.header(COOKIE, browser.header())).await;
        }
        seen
    }
}

impl Browser {
    /// Keeps what an answer sets.
    fn take(&mut self, answer: &Answer) {
        for value in answer.headers.get_all(SET_COOKIE) {
            let pair = value.to_str().ok().and_then(|text| text.split(';').next());
            let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            self.cookies.retain(|(known, _)| known != name.trim());
            let cookie = (name.trim().to_owned(), value.trim().to_owned());
            self.cookies.push(cookie);
        }
    }

    fn header(&self) -> String {
        let pairs = self.cookies.iter();
        let pairs: Vec<_> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }
}

impl Answer {
    /// Where it redirects to, seen from there.
    fn redirect_from(&self, url: &str) -> Option<String> {
        let to = self.header(LOCATION.as_str())?;
        self.is_redirect().then(|| provider::resolved(url, to))
    }
}
