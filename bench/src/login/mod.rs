//! Complete logins: a client registers (RFC 7591), a browser signs in and consents, the client gets
//! an access token and a refresh token.
//!
//! | variant | what |
//! |---|---|
//! | `ours` | Portcullis on `DiskStore`: what was answered survives a power cut. A login page that takes any password |
//! | `ours/session` | the same for a browser that is signed in already: consent alone |
//! | `ours/password` | the built-in accounts: each login pays for Argon2id, which is meant to cost |
//! | `oidc-provider`, `oidc-provider/session` | npm's `oidc-provider` in memory, with its own pages, which take any password |
//! | `fastmcp-py` | Python `FastMCP` in memory: shows no page and approves at once |
//!
//! The peers check no password, so `ours` is what they are compared with.

mod ours;
mod page;
mod peers;
mod walk;

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result};

pub(crate) use self::{
    ours::{NAME, Server, Users, serve},
    walk::Walker,
};
use self::{page::Person, walk::Site};
use crate::{
    host::Meter,
    load,
    options::Options,
    race::{Variant, race},
    report::Report,
};

/// Logins at the same time.
const CONCURRENCY: usize = 16;

/// Key, ours, theirs.
const RATIOS: [(&str, &str, &str); 3] = [
    ("logins_over_oidc_provider", "ours", "oidc-provider"),
    ("logins_over_fastmcp_py", "ours", "fastmcp-py"),
    (
        "signed_in_over_oidc_provider",
        "ours/session",
        "oidc-provider/session",
    ),
];

pub(crate) async fn run(options: &Options) -> Result<Report> {
    let ours = Server::start(Users::Anybody).await?;
    let accounts = Server::start(Users::Accounts).await?;
    let mut variants = vec![
        variant("ours", &ours.site, &ours.meter),
        variant("ours/session", &ours.site.keeping_sessions(), &ours.meter),
        variant("ours/password", &accounts.site, &accounts.meter),
    ];
    // They end when they are dropped.
    let mut others = None;
    if let Some(peers) = &options.peers {
        let oidc = peers::oidc_provider(peers).await?;
        let fastmcp = peers::fastmcp(peers).await?;
        let signed_in = oidc.site.keeping_sessions();
        variants.push(variant("oidc-provider", &oidc.site, &oidc.meter));
        variants.push(variant("oidc-provider/session", &signed_in, &oidc.meter));
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

fn variant(name: &str, site: &Site, meter: &Meter) -> Variant {
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
        self.login().await.context("a login failed")
    }
}

/// Whoever logs in.
fn person() -> Person {
    Person {
        user: "casey".to_owned(),
        password: "correct horse battery staple 4711".to_owned(),
    }
}
