//! A server called directly, and through the gateway.
//!
//! | variant | what |
//! |---|---|
//! | `direct` | a bare rmcp server |
//! | `open` | the same through a gateway that asks for no token |
//! | `es256` | through a gateway that asks for a JWT, verified before and remembered |
//! | `ruled` | the same, with rules for its tools |
//! | `list/..` | fifty tools listed, of which `ruled` hides every other one |
//! | `stdio/pipe` | a server on stdio, through its pipes |
//! | `stdio/modern`, `stdio/legacy` | the same through a gateway that asks for a JWT |
//! | `stdio/mcp-proxy-..` | the same through npm's `mcp-proxy`, which asks for nothing |
//! | `alone/..` | one connection instead of many: what is added to one request |
//!
//! Each in both protocol eras, as in the benchmark `server`. The server, the gateway and the load
//! generator have a thread each. So on two processors the gateway takes from what the server had
//! for itself, and the ratio holds what a machine pays in all.

mod front;
mod mcp_proxy;

use std::env;

use anyhow::{Context as _, Result};
use portcullis_gateway::{HttpServer, Needs, Rules, Upstream};
use portcullis_oauth::{EndpointUrl, scopes};
use portcullis_testkit::FakeIdp;
use tokio::process::Command;

use self::front::stdio;
pub(crate) use self::front::{Front, token};
use crate::{
    host::Host,
    load::pipe,
    options::{Options, Peers},
    race::{Plan, Variant, race},
    report::Report,
    server::{
        bare::{self, Table},
        calls::{self, Era},
        ours,
    },
    stdio_server,
};

/// Key, ours, theirs.
const RATIOS: [(&str, &str, &str); 12] = [
    ("gateway_over_direct", "modern/es256", "modern/direct"),
    ("open_gateway_over_direct", "modern/open", "modern/direct"),
    ("rules_over_none", "modern/ruled", "modern/es256"),
    (
        "legacy_gateway_over_direct",
        "legacy/es256",
        "legacy/direct",
    ),
    (
        "legacy_open_gateway_over_direct",
        "legacy/open",
        "legacy/direct",
    ),
    ("legacy_rules_over_none", "legacy/ruled", "legacy/es256"),
    ("list_over_direct", "list/es256", "list/direct"),
    ("filtered_list_over_direct", "list/ruled", "list/direct"),
    ("stdio_over_pipe", "stdio/modern", "stdio/pipe"),
    ("legacy_stdio_over_pipe", "stdio/legacy", "stdio/pipe"),
    ("stdio_over_http", "stdio/modern", "modern/es256"),
    ("legacy_stdio_over_http", "stdio/legacy", "legacy/es256"),
];

/// The same, where there is somebody to compare with.
const PEER_RATIOS: [(&str, &str, &str); 2] = [
    (
        "stdio_over_mcp_proxy",
        "stdio/legacy",
        "stdio/mcp-proxy-legacy",
    ),
    (
        "modern_stdio_over_mcp_proxy",
        "stdio/modern",
        "stdio/mcp-proxy-modern",
    ),
];

const ADDED: [(&str, &str, &str); 3] = [
    ("added_p50_us", "alone/es256", "alone/direct"),
    ("open_added_p50_us", "alone/open", "alone/direct"),
    ("stdio_added_p50_us", "alone/stdio", "alone/pipe"),
];

pub(crate) async fn run(options: &Options) -> Result<Report> {
    let idp = FakeIdp::start().await;
    let mut contest = Contest {
        plan: options.plan,
        variants: Vec::new(),
    };
    over_http(&mut contest, &idp).await?;
    lists(&mut contest, &idp).await?;
    let program = on_stdio(&mut contest, &idp).await?;
    // It ends when it is dropped.
    let mut _proxy = None;
    if let Some(peers) = &options.peers {
        _proxy = Some(mcp_proxy(&mut contest, peers, &program).await?);
    }
    let report = Report::new(race(contest.plan, &contest.variants).await?);
    let peers = PEER_RATIOS.into_iter().filter(|_| options.peers.is_some());
    let report = RATIOS
        .into_iter()
        .chain(peers)
        .try_fold(report, |report, (key, ours, theirs)| {
            report.ratio(key, ours, theirs)
        })?;
    ADDED
        .into_iter()
        .try_fold(report, |report, (key, ours, theirs)| {
            report.added(key, ours, theirs)
        })
}

/// The variants so far.
struct Contest {
    plan: Plan,
    variants: Vec<Variant>,
}

impl Contest {
    /// Calls `echo` on a server.
    async fn add(
        &mut self,
        name: String,
        era: Era,
        (host, token): (&Host, Option<&str>),
    ) -> Result<()> {
        let target = calls::target(host, era, token, self.plan.connections()).await;
        let target = target.with_context(|| format!("`{name}`"))?;
        self.variants.push(Variant::new(name, target));
        Ok(())
    }

    /// The same through one connection.
    async fn add_alone(&mut self, name: &str, (host, token): (&Host, Option<&str>)) -> Result<()> {
        let target = calls::target(host, Era::Modern, token, 1).await;
        let target = target.with_context(|| format!("`{name}`"))?;
        self.variants.push(Variant::new(name, target).alone());
        Ok(())
    }
}

async fn over_http(contest: &mut Contest, idp: &FakeIdp) -> Result<()> {
    let behind = bare::start(Table::Kept).await?;
    let upstream = || upstream(&behind);
    let protected = Rules::new()
        .tool("write_*", Needs::scopes(scopes!["write"]))?
        .tool("admin_*", Needs::roles(["admin"]))?;
    let open = Front::open(upstream()?).await?;
    let es256 = Front::locked(upstream()?, idp).await?;
    let ruled = Front::locked(upstream()?.rules(protected), idp).await?;
    for era in [Era::Modern, Era::Legacy] {
        for (name, place) in [
            ("direct", (&behind, None)),
            ("open", open.place()),
            ("es256", es256.place()),
            ("ruled", ruled.place()),
        ] {
            contest
                .add(format!("{}/{name}", era.name()), era, place)
                .await?;
        }
    }
    contest.add_alone("alone/direct", (&behind, None)).await?;
    contest.add_alone("alone/open", open.place()).await?;
    contest.add_alone("alone/es256", es256.place()).await
}

async fn lists(contest: &mut Contest, idp: &FakeIdp) -> Result<()> {
    let behind = ours::with_many_tools().await?;
    let hidden = Rules::new().tool("admin_*", Needs::roles(["admin"]))?;
    let es256 = Front::locked(upstream(&behind)?, idp).await?;
    let ruled = Front::locked(upstream(&behind)?.rules(hidden), idp).await?;
    for (name, (host, token)) in [
        ("list/direct", (&behind, None)),
        ("list/es256", es256.place()),
        ("list/ruled", ruled.place()),
    ] {
        let target = calls::lists(host, token, r#""read_24""#)?;
        contest.variants.push(Variant::new(name, target));
    }
    Ok(())
}

/// Returns the program of the server on stdio.
async fn on_stdio(contest: &mut Contest, idp: &FakeIdp) -> Result<String> {
    let program = env::current_exe()?.to_string_lossy().into_owned();
    let front = Front::locked(stdio(&program), idp).await?;
    for era in [Era::Modern, Era::Legacy] {
        let name = format!("stdio/{}", era.name());
        contest.add(name, era, front.place()).await?;
    }
    contest.add_alone("alone/stdio", front.place()).await?;
    let mut command = Command::new(&program);
    let pipe = pipe::Target::start(
        command.arg(stdio_server::NAME),
        calls::modern_params(calls::ECHO),
        calls::TEXT,
    )?;
    let pipe = Variant::new("stdio/pipe", crate::load::Target::Pipe(pipe));
    contest.variants.push(pipe.named("alone/pipe").alone());
    contest.variants.push(pipe);
    Ok(program)
}

async fn mcp_proxy(
    contest: &mut Contest,
    peers: &Peers,
    program: &str,
) -> Result<mcp_proxy::Proxy> {
    let proxy = mcp_proxy::Proxy::start(peers, &[program, stdio_server::NAME]).await?;
    for era in [Era::Modern, Era::Legacy] {
        let name = format!("stdio/mcp-proxy-{}", era.name());
        contest.add(name, era, (&proxy.host, None)).await?;
    }
    Ok(proxy)
}

fn upstream(behind: &Host) -> Result<Upstream> {
    let url = EndpointUrl::parse(&format!("http://{}/mcp", behind.address))?;
    Ok(Upstream::http("behind", HttpServer::new(url)))
}
