//! Complete logins: a client registers (RFC 7591), asks for authorization, a user consents in a
//! browser, the client gets an access token and a refresh token.
//!
//! | variant | what |
//! |---|---|
//! | `ours` | Portcullis on `DiskStore`: what was answered survives a power cut. Five requests, one of them for the page that asks for consent, by a browser that is signed in |
//! | `ours/sign-in` | the same by a browser that is new, with a login page that takes any password: seven requests |
//! | `ours/password` | with the built-in accounts: each login pays for Argon2id, which is meant to cost |
//! | `oidc-provider`, `oidc-provider/sign-in` | npm's `oidc-provider` in memory, with its own pages, which take any password |
//! | `fastmcp-py` | Python `FastMCP` in memory: knows no user, shows no page and approves at once, in three requests |
//!
//! Who signs in does so as a user of his own; who is signed in stays the same one. The peers check no
//! password.

mod ours;
mod page;
mod peers;
mod walk;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};

use self::page::Person;
pub(crate) use self::{
    ours::{NAME, Server, Users, serve},
    peers::Peer,
    walk::{Site, Walker},
};
use crate::{
    host::Meter,
    load,
    options::Options,
    race::{Variant, race},
    report::Report,
};

const USER: &str = "casey";

/// Logins at the same time: enough that ours share a wait for the disk.
const CONCURRENCY: usize = 64;

/// Where passwords are checked: more of them would be sent away for being too many.
const FEW: usize = 16;

/// Key, ours, theirs.
const RATIOS: [(&str, &str, &str); 4] = [
    ("logins_over_oidc_provider", "ours", "oidc-provider"),
    ("logins_over_fastmcp_py", "ours", "fastmcp-py"),
    (
        "sign_ins_over_oidc_provider",
        "ours/sign-in",
        "oidc-provider/sign-in",
    ),
    ("sign_ins_over_fastmcp_py", "ours/sign-in", "fastmcp-py"),
];

pub(crate) async fn run(options: &Options) -> Result<Report> {
    let ours = Server::start(Users::Anybody).await?;
    let accounts = Server::start(Users::Accounts).await?;
    let mut variants = vec![
        variant("ours", &ours.site.keeping_sessions(), &ours.meter),
        variant("ours/sign-in", &ours.site, &ours.meter),
        variant("ours/password", &accounts.site, &accounts.meter).through(FEW),
    ];
    // They end when they are dropped.
    let mut others = None;
    if let Some(peers) = &options.peers {
        let oidc = peers::oidc_provider(peers).await?;
        let fastmcp = peers::fastmcp(peers).await?;
        let signed_in = oidc.site.keeping_sessions();
        variants.push(variant("oidc-provider", &signed_in, &oidc.meter));
        variants.push(variant("oidc-provider/sign-in", &oidc.site, &oidc.meter));
        variants.push(variant("fastmcp-py", &fastmcp.site, &fastmcp.meter));
        others = Some((oidc, fastmcp));
    }
    let report = Report::new(race(options.plan.of_slow_work(), &variants).await?);
    let report = report.counting("logins");
    if others.is_none() {
        return Ok(report);
    }
    RATIOS
        .into_iter()
        .try_fold(report, |report, (key, ours, theirs)| {
            report.ratio(key, ours, theirs)
        })
}

/// Logins there, so many of them at a time.
pub(crate) fn variant(name: &str, site: &Site, meter: &Meter) -> Variant {
    let target = Target {
        site: Arc::new(site.clone()),
        meter: meter.clone(),
    };
    Variant::new(name, load::Target::Login(target)).through(CONCURRENCY)
}

/// A server that logins are loaded onto.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    site: Arc<Site>,
    meter: Meter,
}

impl Target {
    pub(crate) fn server_time(&self) -> Option<Duration> {
        self.meter.time()
    }

    pub(crate) async fn walker(&self) -> Result<Walker> {
        Walker::new(Arc::clone(&self.site)).await
    }
}

impl Walker {
    /// One login.
    pub(crate) async fn call(&mut self) -> Result<()> {
        self.login().await.context("a login failed").map(drop)
    }
}

/// The one user of the built-in accounts.
fn person() -> Person {
    Person {
        user: USER.to_owned(),
        password: "correct horse battery staple 4711".to_owned(),
    }
}
