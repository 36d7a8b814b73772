//! `doctor`: walks the way of a client to a server, and says what would keep one out.
//!
//! [`ask`] is the one place that goes out, [`walk`] decides what to ask, the steps turn answers
//! into findings, and [`rule`] holds what can be found at all. What a client needs is data
//! ([`client`]): no step knows one by name.

mod ask;
mod client;
mod finding;
mod message;
mod page;
mod report;
mod rule;
mod seen;
mod step;
mod target;
#[cfg(test)]
mod tests;
mod walk;

use portcullis_oauth::BearerToken;
use portcullis_oauth::json::Value;

pub(crate) use self::client::CLIENTS;
pub(crate) use self::page::page;
pub(crate) use self::report::Diagnosis;

use self::ask::Asker;
use self::client::Client;
use self::finding::Findings;
use self::target::{BadTarget, Target};
use self::walk::{Given, Walk};
use crate::report::{Problem, Report};

/// What to look at, and how far.
#[derive(Debug, Default)]
pub(crate) struct Examination {
    /// The server's URL, as its users have it.
    pub(crate) url: String,
    /// Names of clients; none stands for all.
    pub(crate) clients: Vec<String>,
    pub(crate) token: Option<BearerToken>,
    /// What the token says, if it is a JWT. Nobody has verified it.
    pub(crate) claims: Option<Value>,
    /// Whether clients may be registered.
    pub(crate) register: bool,
    /// A client id that exists, and one of its redirect URIs.
    pub(crate) client_id: Option<String>,
    pub(crate) redirect_uri: Option<String>,
    /// Hosts that the user vouches for beside the server's own.
    pub(crate) hosts: Vec<String>,
    /// Whether the report shows what is as it should be.
    pub(crate) verbose: bool,
}

/// Walks, and gives back what was found.
pub(crate) async fn examine(
    examination: Examination,
    report: Report,
) -> Result<Diagnosis, Problem> {
    let clients = chosen(&examination.clients);
    let mut findings = Findings::new(clients.clone(), examination.token.as_ref());
    let (url, verbose) = (examination.url.clone(), examination.verbose);
    let mut left_out = Vec::new();
    match Target::parse(&url, &examination.hosts) {
        Ok(target) => {
            let asker = Asker::new(target.clone(), report)?;
            let given = Given {
                token: examination.token,
                claims: examination.claims,
                register: examination.register,
                client_id: examination.client_id,
                redirect_uri: examination.redirect_uri,
            };
            let mut walk = Walk::new(target, given, asker, findings);
            walk.walk().await;
            report.progress("");
            left_out = walk.left_out;
            findings = walk.findings;
        }
        Err(BadTarget::Insecure) => findings.found(rule::URL_INSECURE, &url, ""),
        Err(BadTarget::Problem(problem)) => return Err(problem),
    }
    Ok(Diagnosis::new(url, &clients, &findings, left_out, verbose))
}

fn chosen(names: &[String]) -> Vec<&'static Client> {
    let all = CLIENTS.iter();
    all.filter(|client| names.is_empty() || names.iter().any(|name| name == client.name))
        .collect()
}
