//! `cargo xtask conformance LEG`: the official MCP conformance suite against what we serve.
//!
//! | leg | what |
//! |---|---|
//! | `server` | a server written with our API: no failure, no warning, and authorization changes nothing |
//! | `gateway` | the same server behind the gateway, over HTTP and on stdio: the gateway changes nothing |

mod gateway;
mod ground;
mod inapplicable;
mod results;
mod server;
mod suite;

use anyhow::{Result, bail};

use crate::{Verdict, args::Args, test};

/// Revisions of the protocol that the suite knows and we serve.
const REVISIONS: &[&str] = &["2025-11-25", "2026-07-28"];

/// A way to run one leg at some revisions.
type Leg = fn(&[&str]) -> Result<Verdict>;

const LEGS: &[(&str, Leg)] = &[("server", server::check), ("gateway", gateway::check)];

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let name = args.word("the leg (server or gateway)")?;
    let revisions = args.values("--rev")?;
    args.finish()?;
    let Some((_, leg)) = LEGS.iter().find(|(known, _)| *known == name) else {
        bail!("`{name}` is not a leg; there are `server` and `gateway`");
    };
    let revisions = chosen(&revisions)?;
    if !test::build()?.is_good() {
        return Ok(Verdict::Bad);
    }
    leg(&revisions)
}

/// Every leg at every revision, against what `cargo xtask test --stage build` made.
pub(crate) fn check() -> Result<Verdict> {
    let mut verdict = Verdict::Good;
    for (name, leg) in LEGS {
        println!("-- {name}");
        verdict = verdict.and(leg(REVISIONS)?);
    }
    Ok(verdict)
}

/// The revisions that are asked for; all when none is.
fn chosen(revisions: &[String]) -> Result<Vec<&str>> {
    if revisions.is_empty() {
        return Ok(REVISIONS.to_vec());
    }
    let revisions: Vec<&str> = revisions.iter().map(String::as_str).collect();
    match revisions.iter().find(|name| !REVISIONS.contains(name)) {
        Some(unknown) => bail!(
            "`{unknown}` is not a revision we serve; there are {}",
            REVISIONS.join(", ")
        ),
        None => Ok(revisions),
    }
}
