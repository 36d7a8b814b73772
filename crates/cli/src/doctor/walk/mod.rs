//! The way that a client goes, as far as it goes without a person.

mod calls;
mod discovery;
mod login;
mod provider;

use portcullis_oauth::BearerToken;
use portcullis_oauth::json::Value;

use super::ask::Asker;
use super::finding::Findings;
use super::message;
use super::rule;
use super::seen::Seen;
use super::step::challenge::Anonymous;
use super::step::place::Kind;
use super::step::{call, challenge, place};
use super::target::Target;

/// What the user gave beside the URL.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) token: Option<BearerToken>,
    /// What the token says, if it can be read.
    pub(super) claims: Option<Value>,
    /// Whether clients may be registered.
    pub(super) register: bool,
    pub(super) client_id: Option<String>,
    pub(super) redirect_uri: Option<String>,
}

/// Authorization servers that are looked at.
const MOST_SERVERS: usize = 3;
/// A token that nobody issued, and a code.
const MADE_UP: &str = "portcullis-doctor-made-this-up";

/// A walk, and what it left out.
#[derive(Debug)]
pub(super) struct Walk {
    target: Target,
    given: Given,
    asker: Asker,
    pub(super) findings: Findings,
    pub(super) left_out: Vec<&'static str>,
}

impl Walk {
    pub(super) fn new(target: Target, given: Given, asker: Asker, findings: Findings) -> Self {
        Self {
            target,
            given,
            asker,
            findings,
            left_out: Vec::new(),
        }
    }

    pub(super) async fn walk(&mut self) {
        self.target.judge(&mut self.findings);
        let url = self.url();
        let first = self.asker.ask(message::initialize(&url)).await;
        let kind = place::judge(&first, &mut self.findings);
        if kind == Kind::Nothing {
            return;
        }
        let modern = self.asker.ask(message::stateless_list(&url)).await;
        if kind == Kind::Open && modern.status() != Some(401) {
            self.open(first, modern).await;
            return;
        }
        let anonymous = Anonymous {
            first,
            modern,
            get: self.asker.ask(message::stream(&url, None)).await,
            garbage: self.asker.ask(message::garbage(&url)).await,
        };
        let told = challenge::judge(&self.target, &anonymous, &mut self.findings);
        let mut resource = self.resource(&told).await;
        if let Some(resource) = resource.as_mut().filter(|_| !told.scopes.is_empty()) {
            // What the challenge names is what clients ask for.
            resource.scopes = told.scopes.iter().map(ToString::to_string).collect();
        }
        let mut issuers = Vec::new();
        if let Some(resource) = &resource {
            for (place, issuer) in resource.issuers.iter().take(MOST_SERVERS).enumerate() {
                issuers.push(issuer.as_str());
                let second = place > 0 || !resource.first_is_usable;
                self.findings.in_second_place(second);
                self.server(issuer, resource, !second).await;
            }
            self.findings.in_second_place(false);
        }
        self.with_token(&told, &issuers).await;
    }

    fn url(&self) -> String {
        self.target.url.as_str().to_owned()
    }

    /// A server that asks for no token.
    async fn open(&mut self, first: Seen, modern: Seen) {
        let at = first.at();
        self.findings.found(rule::CHL_OPEN, &at, "");
        self.end_session(None, &first).await;
        let calls = self.calls(None, modern).await;
        call::judge(&calls, false, &mut self.findings);
        self.left_out.push("login: the server asks for no token");
    }
}
