//! OAuth proxies in front of one identity provider: complete logins, and calls of a tool that has
//! the provider's token.
//!
//! | variant | what |
//! |---|---|
//! | `ours` | Portcullis on `DiskStore`: what was answered survives a power cut |
//! | `fastmcp-ts` | TypeScript `FastMCP` in memory |
//! | `fastmcp-py` | Python `FastMCP` in memory |
//! | `../call` | a call with a token of the proxy; the tool gets the provider's token for it. Revision 2025-11-25, which all three speak, in a session for each connection |
//! | `../call-modern` | the same in revision 2026-07-28, which TypeScript `FastMCP` does not speak |
//!
//! A login is of a new client and a new browser: registration, authorization, the proxy's page for
//! consent, the provider, the callback, the token. All come with their defaults for consent, for
//! keys and for encryption. Each connection calls with a token of another login.

mod findings;
mod ours;
mod peers;
mod upstream;

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result};

use self::findings::Proxies;
pub(crate) use self::ours::{NAME, serve};
use crate::{
    host::Host,
    login::{Peer, Site, Walker, variant},
    options::Options,
    race::{Variant, race},
    report::Report,
    server::calls::{Era, with_tokens},
};

/// Key, ours, theirs.
const CALLS: [(&str, &str, &str); 3] = [
    ("calls_over_fastmcp_ts", "ours/call", "fastmcp-ts/call"),
    ("calls_over_fastmcp_py", "ours/call", "fastmcp-py/call"),
    (
        "modern_calls_over_fastmcp_py",
        "ours/call-modern",
        "fastmcp-py/call-modern",
    ),
];

const LOGINS: [(&str, &str, &str); 2] = [
    ("logins_over_fastmcp_ts", "ours", "fastmcp-ts"),
    ("logins_over_fastmcp_py", "ours", "fastmcp-py"),
];

/// A proxy to be measured.
struct Contestant {
    name: &'static str,
    eras: &'static [Era],
    peer: Peer,
    site: Site,
}

impl Contestant {
    fn new(name: &'static str, eras: &'static [Era], peer: Peer, upstream: SocketAddr) -> Self {
        Self {
            name,
            eras,
            site: peer.site.before(upstream),
            peer,
        }
    }

    async fn calls(&self, connections: usize) -> Result<Vec<Variant>> {
        let mut walker = Walker::new(Arc::new(self.site.clone())).await?;
        let mut tokens = Vec::new();
        for _ in 0..connections {
            let token = walker.login().await;
            tokens.push(token.with_context(|| format!("`{}`", self.name))?);
        }
        let host = Host::metered(self.site.address, self.peer.meter.clone());
        let mut variants = Vec::new();
        for &era in self.eras {
            let name = match era {
                Era::Legacy => format!("{}/call", self.name),
                Era::Modern => format!("{}/call-modern", self.name),
            };
            let target = with_tokens(&host, era, &tokens).await;
            let target = target.with_context(|| format!("`{name}`"))?;
            variants.push(Variant::new(name, target));
        }
        Ok(variants)
    }
}

pub(crate) async fn run(options: &Options) -> Result<Proxies> {
    let upstream = upstream::start().await?.address;
    let both: &[Era] = &[Era::Legacy, Era::Modern];
    let (ours, _state) = ours::start(upstream).await?;
    let mut proxies = vec![Contestant::new("ours", both, ours, upstream)];
    if let Some(peers) = &options.peers {
        let typescript = peers::typescript(peers, upstream).await?;
        let python = peers::python(peers, upstream).await?;
        proxies.push(Contestant::new(
            "fastmcp-ts",
            &[Era::Legacy],
            typescript,
            upstream,
        ));
        proxies.push(Contestant::new("fastmcp-py", both, python, upstream));
    }
    let mut calls = Vec::new();
    for proxy in &proxies {
        calls.extend(proxy.calls(options.plan.connections()).await?);
    }
    let logins: Vec<Variant> = proxies
        .iter()
        .map(|proxy| variant(proxy.name, &proxy.site, &proxy.peer.meter))
        .collect();
    // First, while there are few logins to remember.
    let calls = Report::new(race(options.plan, &calls).await?).counting("calls");
    let logins = race(options.plan.of_slow_work(), &logins).await?;
    let logins = Report::new(logins).counting("logins");
    if options.peers.is_none() {
        return Ok(Proxies { calls, logins });
    }
    Ok(Proxies {
        calls: compared(calls, &CALLS)?,
        logins: compared(logins, &LOGINS)?,
    })
}

fn compared(report: Report, ratios: &[(&'static str, &str, &str)]) -> Result<Report> {
    ratios
        .iter()
        .try_fold(report, |report, (key, ours, theirs)| {
            report.ratio(key, ours, theirs)
        })
}
