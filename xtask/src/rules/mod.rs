//! `cargo xtask rules`: what the compiler cannot see and a reviewer would forget.
//!
//! A rule is a function from the repository to its faults, and a line in [`RULES`]. Each says
//! where, what is wrong, and how to mend it.

pub(crate) mod comments;
mod documents;
mod imports;
pub(crate) mod licence;
mod manifests;
pub(crate) mod packages;
mod pages;
#[cfg(test)]
pub(crate) mod sample;
mod tree;
mod words;

use anyhow::Result;

use crate::{
    Verdict,
    args::Args,
    finding::{Finding, report},
    project::Project,
};

struct Rule {
    name: &'static str,
    what: &'static str,
    check: fn(&Project) -> Result<Vec<Finding>>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "imports",
        what: "crypto, HTTP clients, TLS and MCP each have one home",
        check: |project| Ok(imports::crates(project)),
    },
    Rule {
        name: "url-parse",
        what: "URLs are parsed by portcullis-oauth alone",
        check: |project| Ok(imports::urls(project)),
    },
    Rule {
        name: "arrows",
        what: "crates depend in one direction",
        check: |project| Ok(manifests::arrows(project)),
    },
    Rule {
        name: "forbid-unsafe",
        what: "every crate forbids unsafe code and takes the workspace's lints",
        check: |project| Ok(manifests::lints(project)),
    },
    Rule {
        name: "oauth-is-pure",
        what: "portcullis-oauth knows no runtime, no HTTP and no MCP crate",
        check: tree::oauth,
    },
    Rule {
        name: "no-signing",
        what: "portcullis-resource-server, built alone, cannot mint a token",
        check: tree::resource_server,
    },
    Rule {
        name: "one-crypto-stack",
        what: "no second TLS or crypto library anywhere",
        check: tree::banned,
    },
    Rule {
        name: "compiler",
        what: "no locked package wants a newer compiler than we promise",
        check: |project| Ok(packages::compiler(project)),
    },
    Rule {
        name: "licences",
        what: "every locked package may be used with ours",
        check: |project| Ok(packages::licences(project)),
    },
    Rule {
        name: "npm-locks",
        what: "npm lock files name no download address",
        check: |project| Ok(documents::npm_locks(project)),
    },
    Rule {
        name: "architecture",
        what: "ARCHITECTURE.md gives the reason for every dependency",
        check: |project| Ok(documents::dependencies(project)),
    },
    Rule {
        name: "security-comments",
        what: "each SECURITY comment names a test that exists",
        check: |project| Ok(comments::security(project)),
    },
    Rule {
        name: "pages",
        what: "links of pages lead somewhere, and tests that they name exist",
        check: |project| Ok(pages::claims(project)),
    },
    Rule {
        name: "nothing-skipped",
        what: "no skipped test, no untested example, nothing left to do",
        check: |project| Ok(comments::skipped(project)),
    },
    Rule {
        name: "own-words",
        what: "no path of somebody's machine, no word of a tracker",
        check: |project| Ok(words::foreign(project)),
    },
];

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let list = args.flag("--list");
    args.finish()?;
    if list {
        for rule in RULES {
            println!("{:<18} {}", rule.name, rule.what);
        }
        return Ok(Verdict::Good);
    }
    check()
}

/// Holds every rule against the repository.
pub(crate) fn check() -> Result<Verdict> {
    let project = Project::load()?;
    let mut verdict = Verdict::Good;
    for rule in RULES {
        verdict = verdict.and(report(rule.name, &(rule.check)(&project)?));
    }
    Ok(verdict)
}
