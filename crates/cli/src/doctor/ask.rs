//! The one place where the doctor goes out.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Method};
use portcullis_fetch::system::SystemClock;
use portcullis_fetch::{FetchError, Fetcher, Probe};
use portcullis_oauth::{BearerToken, Clock as _, EndpointUrl};

use super::seen::{Answer, Seen, Trouble, has_answer};
use super::target::{Target, Trust};
use crate::report::{Problem, Report};

/// Bytes of one answer. A list of tools may be long.
const MOST: usize = 2 * 1024 * 1024;

/// A request to be sent.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    method: Method,
    url: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
    linger: Duration,
}

impl Ask {
    pub(super) fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            linger: Duration::from_secs(3),
        }
    }

    /// A document.
    pub(super) fn get(url: impl Into<String>) -> Self {
        Self::new(Method::GET, url).header(ACCEPT, "application/json")
    }

    /// A preflight of a page.
    pub(super) fn preflight(url: impl Into<String>, method: &str, headers: &str) -> Self {
        use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};

        Self::new(Method::OPTIONS, url)
            .header(ORIGIN, PAGE)
            .header(ACCESS_CONTROL_REQUEST_METHOD, method)
            .header(ACCESS_CONTROL_REQUEST_HEADERS, headers)
    }

    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// How long a body is waited for once its head is there.
    pub(super) fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION, format!("Bearer {token}"))
    }

    pub(super) fn body(mut self, kind: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header(CONTENT_TYPE, kind)
    }
}

/// A page of a known client that runs in browsers: MCP Inspector.
pub(super) const PAGE: &str = "http://localhost:6274";

/// Sends requests, each by the rules for whoever chose its URL.
#[derive(Debug)]
pub(super) struct Asker {
    target: Target,
    vouched: Fetcher,
    named: Fetcher,
    clock: SystemClock,
    report: Report,
}

impl Asker {
    pub(super) fn new(target: Target, report: Report) -> Result<Self, Problem> {
        let home = target.url.is_loopback();
        let bounded = |fetcher: portcullis_fetch::FetcherBuilder| {
            let fetcher = fetcher.allow_loopback(home).max_bytes(MOST);
            fetcher.timeout(Duration::from_secs(15)).build()
        };
        let failed = |error: FetchError| Problem::new("there is no HTTP client").because(error);
        Ok(Self {
            // The user named this host, so it may be anywhere that a server of one's own is.
            vouched: bounded(Fetcher::trusted()).map_err(failed)?,
            // SECURITY: a server elsewhere chooses these URLs, and this program stands on its user's
            // machine, within reach of what that machine trusts (RFC 9728 section 7.7);
            // sec_cl_16_a_server_elsewhere_cannot_send_the_doctor_to_this_machine
            named: bounded(Fetcher::guarded()).map_err(failed)?,
            target,
            clock: SystemClock::new(),
            report,
        })
    }

    /// Sends `ask` and tells what came of it.
    pub(super) async fn ask(&self, ask: Ask) -> Seen {
        let mut seen = Seen {
            method: ask.method.clone(),
            url: ask.url.clone(),
            result: Err(Trouble::Silent),
            took: Duration::ZERO,
        };
        let url = match EndpointUrl::parse(&ask.url) {
            Ok(url) => url,
            Err(error) => {
                seen.result = Err(Trouble::Url(error.to_string()));
                return seen;
            }
        };
        // The query may hold what is not to be seen.
        let shown = ask.url.split('?').next().unwrap_or_default();
        self.report.progress(&format!("{} {shown}", ask.method));
        let fetcher = match self.target.trust(&url) {
            Trust::Vouched => &self.vouched,
            Trust::Named => &self.named,
        };
        let mut probe = Probe::new(ask.method)
            .body(ask.body)
            .enough(has_answer)
            .linger(ask.linger);
        for (name, value) in ask.headers {
            // What cannot be sent was no token of any server's.
            let Ok(mut value) = HeaderValue::try_from(value) else {
                seen.result = Err(Trouble::Url(
                    "a header field that cannot be sent".to_owned(),
                ));
                return seen;
            };
            value.set_sensitive(name == AUTHORIZATION);
            probe = probe.header(name, value);
        }
        let start = self.clock.monotonic();
        let answer = fetcher.probe(&url, probe).await;
        seen.took = self.clock.monotonic().saturating_since(start);
        seen.result = match answer {
            Ok(probed) => Ok(Answer {
                status: probed.answer.status.as_u16(),
                headers: probed.answer.headers,
                body: probed.answer.body,
            }),
            Err(error) => Err(Trouble::of(&error)),
        };
        seen
    }

    /// Sends `ask`, which is for the server itself, with a token. The token goes nowhere else.
    pub(super) async fn ask_with(&self, token: Option<&BearerToken>, ask: Ask) -> Seen {
        // SECURITY: a token is for the server that the user named (RFC 9700 section 4.10.2);
        // sec_cl_10_the_token_goes_to_the_server_alone
        let token = token.filter(|_| ask.url == self.target.url.as_str());
        match token {
            Some(token) => self.ask(ask.bearer(token.expose())).await,
            None => self.ask(ask).await,
        }
    }
}
