//! `cargo xtask conformance LEG`: the official MCP conformance suite against what we serve.
//!
//! | leg | what |
//! |---|---|
//! | `server` | a server written with our API: no failure, no warning, and authorization changes nothing |
//! | `gateway` | the same server behind the gateway, over HTTP and on stdio: the gateway changes nothing |
//! | `as` | the program's own authorization server: a client registers, a person signs in and consents |

mod authorization;
mod gateway;
mod ground;
mod inapplicable;
mod results;
mod server;
mod suite;

use anyhow::{Result, bail};

use crate::{Verdict, args::Args, test};

/// Revisions of the protocol that the suite knows and our servers speak.
const REVISIONS: &[&str] = &["2025-11-25", "2026-07-28"];

struct Leg {
    name: &'static str,
    revisions: &'static [&'static str],
    /// Runs it at some of its revisions.
    run: fn(&[&str]) -> Result<Verdict>,
}

const LEGS: &[Leg] = &[
    Leg {
        name: "server",
        revisions: REVISIONS,
        run: server::check,
    },
    Leg {
        name: "gateway",
        revisions: REVISIONS,
        run: gateway::check,
    },
    Leg {
        name: "as",
        revisions: authorization::REVISIONS,
        run: authorization::check,
    },
];

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let name = args.word("the leg (server, gateway or as)")?;
    let revisions = args.values("--rev")?;
    args.finish()?;
    let Some(leg) = LEGS.iter().find(|leg| leg.name == name) else {
        bail!("`{name}` is not a leg; there are `server`, `gateway` and `as`");
    };
    let revisions = leg.chosen(&revisions)?;
    if !test::build()?.is_good() {
        return Ok(Verdict::Bad);
    }
    (leg.run)(&revisions)
}

/// Every leg at every revision, against what `cargo xtask test --stage build` made.
pub(crate) fn check() -> Result<Verdict> {
    let mut verdict = Verdict::Good;
    for leg in LEGS {
        println!("-- {}", leg.name);
        verdict = verdict.and((leg.run)(leg.revisions)?);
    }
    Ok(verdict)
}

impl Leg {
    /// The revisions that are asked for; all when none is.
    fn chosen<'a>(&self, revisions: &'a [String]) -> Result<Vec<&'a str>> {
        if revisions.is_empty() {
            return Ok(self.revisions.to_vec());
        }
        let revisions: Vec<&str> = revisions.iter().map(String::as_str).collect();
        match revisions.iter().find(|name| !self.revisions.contains(name)) {
            Some(unknown) => bail!(
                "`{unknown}` is not a revision of this leg; there are {}",
                self.revisions.join(", ")
            ),
            None => Ok(revisions),
        }
    }
}
