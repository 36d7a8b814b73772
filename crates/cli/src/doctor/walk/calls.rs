//! Calls with a good token, a wrong one and none.

use http::header::{HOST, ORIGIN};
use portcullis_fetch::system::SystemClock;
use portcullis_oauth::{BearerToken, Clock as _, form};

use super::{MADE_UP, Walk};
use crate::doctor::ask::Ask;
use crate::doctor::message::{self, SESSION};
use crate::doctor::seen::Seen;
use crate::doctor::step::call::{Calls, Wrong};
use crate::doctor::step::challenge::Told;
use crate::doctor::step::{call, token};

impl Walk {
    pub(super) async fn with_token(&mut self, told: &Told, issuers: &[&str]) {
        let url = self.url();
        let made_up = BearerToken::new(MADE_UP);
        let first = self
            .asker
            .ask_with(Some(&made_up), message::initialize(&url))
            .await;
        self.end_session(Some(&made_up), &first).await;
        let Some(token) = self.given.token.clone() else {
            let wrong = Wrong {
                made_up: first,
                in_query: None,
            };
            call::judge_wrong(&wrong, &mut self.findings);
            self.left_out
                .push("calls: say `--token` with one of a user's");
            return;
        };
        let in_query = self.token_in_query(&token).await;
        let wrong = Wrong {
            made_up: first,
            in_query,
        };
        call::judge_wrong(&wrong, &mut self.findings);
        let measure = token::Measure {
            server: &self.target.url,
            issuers,
            scopes: &told.scopes,
            now: SystemClock::new().now(),
        };
        token::judge(self.given.claims.as_ref(), &measure, &mut self.findings);
        let modern = message::stateless_list(&url);
        let modern = self.asker.ask_with(Some(&token), modern).await;
        let calls = self.calls(Some(&token), modern).await;
        call::judge(&calls, true, &mut self.findings);
    }

    /// The token in the URL, which is how it gets into logs: those of this machine alone.
    pub(in crate::doctor) async fn token_in_query(&self, token: &BearerToken) -> Option<Seen> {
        // SECURITY: a token in a URL is in every log on its way (RFC 6750 section 5.3);
        // sec_cl_10_the_token_is_in_no_url_beyond_this_machine
        if !self.target.url.is_loopback() || self.url().contains('?') {
            return None;
        }
        let query = form::encode(&[("access_token", token.expose())]);
        let seen = self
            .asker
            .ask(message::initialize(&format!("{}?{query}", self.url())))
            .await;
        self.end_session(Some(token), &seen).await;
        Some(seen)
    }

    pub(super) async fn calls(&self, token: Option<&BearerToken>, modern: Seen) -> Calls {
        let url = self.url();
        let initialize = self.asker.ask_with(token, message::initialize(&url)).await;
        let session = session(&initialize);
        let session = session.as_deref();
        let (mut list, mut stream) = (None, None);
        if initialize.ok().is_some() {
            self.asker
                .ask_with(token, message::initialized(&url, session))
                .await;
            list = Some(
                self.asker
                    .ask_with(token, message::list(&url, session))
                    .await,
            );
            stream = Some(
                self.asker
                    .ask_with(token, message::stream(&url, session))
                    .await,
            );
        }
        self.end_session(token, &initialize).await;
        let foreign = message::initialize(&url).header(ORIGIN, "https://portcullis-doctor.invalid");
        let foreign_origin = self.asker.ask_with(token, foreign).await;
        self.end_session(token, &foreign_origin).await;
        let foreign_host = if self.target.url.is_loopback() {
            let foreign = message::initialize(&url).header(HOST, "portcullis-doctor.invalid");
            let seen = self.asker.ask_with(token, foreign).await;
            self.end_session(token, &seen).await;
            Some(seen)
        } else {
            None
        };
        let headers = "authorization, content-type, mcp-protocol-version";
        Calls {
            initialize,
            list,
            modern,
            stream,
            foreign_origin,
            foreign_host,
            preflight: self.asker.ask(Ask::preflight(&url, "POST", headers)).await,
        }
    }

    /// Leaves no session behind.
    pub(super) async fn end_session(&self, token: Option<&BearerToken>, opened: &Seen) {
        if let Some(session) = session(opened) {
            let url = self.url();
            self.asker
                .ask_with(token, message::end(&url, &session))
                .await;
        }
    }
}

/// The session that an answer opened.
fn session(seen: &Seen) -> Option<String> {
    let answer = seen.ok()?;
    answer.header(SESSION.as_str()).map(str::to_owned)
}
