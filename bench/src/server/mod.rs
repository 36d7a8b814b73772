//! The same tool, called on a bare rmcp server and on ours: open, and behind JWTs.
//!
//! | variant | what |
//! |---|---|
//! | `rmcp` | rmcp's own service, written and mounted as its manual does, with JSON answers and `TCP_NODELAY` as ours |
//! | `rmcp-kept` | the same, with a table of tools that is not built anew for every call |
//! | `open` | a Portcullis server without auth |
//! | `hs256`, `rs256`, `es256` | with auth; the token was verified before and is remembered |
//! | `own` | with tokens of its own: an authorization server on SQLite in the same program, which is asked of each token whether its keys and its grant stand |
//! | `hs256-cold`, .. | with auth that remembers nothing: each request verifies the signature |
//!
//! Each is called in both protocol eras: `modern` is revision 2026-07-28, where a request stands
//! alone; `legacy` is 2025-11-25, with a session for each connection and answers as event streams.

pub(crate) mod bare;
pub(crate) mod calls;
pub(crate) mod ours;
mod own;

use anyhow::{Context as _, Result};
use portcullis_oauth::jose::Algorithm;
use portcullis_testkit::FakeIdp;

use self::{bare::Table, calls::Era};
use crate::{
    race::{Plan, Variant, race},
    report::Report,
};

const JWTS: [(&str, Algorithm); 3] = [
    ("hs256", Algorithm::Hs256),
    ("rs256", Algorithm::Rs256),
    ("es256", Algorithm::Es256),
];

/// Key, our variant, the variant it is compared with.
const RATIOS: [(&str, &str, &str); 12] = [
    ("jwt_over_open", "modern/es256", "modern/open"),
    ("own_over_open", "modern/own", "modern/open"),
    ("jwt_over_rmcp", "modern/es256", "modern/rmcp"),
    ("open_over_rmcp", "modern/open", "modern/rmcp"),
    ("open_over_rmcp_kept", "modern/open", "modern/rmcp-kept"),
    ("cold_jwt_over_open", "modern/es256-cold", "modern/open"),
    ("legacy_jwt_over_open", "legacy/es256", "legacy/open"),
    ("legacy_own_over_open", "legacy/own", "legacy/open"),
    ("legacy_jwt_over_rmcp", "legacy/es256", "legacy/rmcp"),
    ("legacy_open_over_rmcp", "legacy/open", "legacy/rmcp"),
    (
        "legacy_open_over_rmcp_kept",
        "legacy/open",
        "legacy/rmcp-kept",
    ),
    (
        "legacy_cold_jwt_over_open",
        "legacy/es256-cold",
        "legacy/open",
    ),
];

pub(crate) async fn run(plan: Plan) -> Result<Report> {
    let idp = FakeIdp::start().await;
    idp.add_key(Algorithm::Rs256);
    let mut servers = vec![
        ("rmcp".to_owned(), bare::start(Table::Rebuilt).await?, None),
        (
            "rmcp-kept".to_owned(),
            bare::start(Table::Kept).await?,
            None,
        ),
        ("open".to_owned(), ours::open().await?, None),
    ];
    for (name, algorithm) in JWTS {
        for (suffix, memory) in [("", ours::Memory::On), ("-cold", ours::Memory::Off)] {
            let (host, token) = ours::protected(&idp, algorithm, memory).await?;
            servers.push((format!("{name}{suffix}"), host, Some(token)));
        }
    }
    let own = own::Own::start().await?;
    servers.push(("own".to_owned(), own.host.clone(), Some(own.token.clone())));
    let mut variants = Vec::new();
    for era in [Era::Modern, Era::Legacy] {
        for (server, host, token) in &servers {
            let name = format!("{}/{server}", era.name());
            let target = calls::target(host, era, token.as_deref(), plan.connections()).await;
            let target = target.with_context(|| format!("`{name}`"))?;
            variants.push(Variant::new(name, target));
        }
    }
    let measures = race(plan, &variants).await?;
    RATIOS
        .into_iter()
        .try_fold(Report::new(measures), |report, (key, ours, theirs)| {
            report.ratio(key, ours, theirs)
        })
}
