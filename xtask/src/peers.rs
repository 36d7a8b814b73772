//! `cargo xtask peers`: our servers, and our own login, among what others wrote: an identity provider,
//! servers, clients.
//!
//! The cases are in `peers/`; here are the pinned packages and the programs that they need.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{Verdict, args::Args, cache, process::status_watching, project::Project, test};

/// Lock files and scripts, from the root.
const FOLDER: &str = "peers";

/// The identity provider that Debian has, and its tools.
const GLEWLWYD: &[&str] = &["glewlwyd"];

/// The one that is too slow for every run.
const KEYCLOAK: &str = "org.keycloak:keycloak-quarkus-dist:26.7.3:zip";

/// Programs of this workspace, by the argument that names them: a server written with Portcullis,
/// the gateway, and rmcp as a client.
const PROGRAMS: [(&str, &str); 3] = [
    ("--server", "peer-server"),
    ("--gateway", "portcullis"),
    ("--rmcp", "peer-rmcp-client"),
];

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let mut choice = Vec::new();
    for name in ["--only", "--client"] {
        if let Some(value) = args.values(name)?.pop() {
            choice.extend([name.to_owned(), value]);
        }
    }
    args.finish()?;
    if !test::build()?.is_good() {
        return Ok(Verdict::Bad);
    }
    meet(&choice, |_| {})
}

/// Runs every case against what `cargo xtask test --stage build` made, and hands each line on. The last
/// one is the counts.
pub(crate) fn check(line: impl FnMut(&str)) -> Result<Verdict> {
    meet(&[], line)
}

/// Keycloak behind our proxy, and clients before it: `cargo xtask test keycloak`. Outside of every other run, for it
/// is large and slow to start.
pub(crate) fn keycloak() -> Result<Verdict> {
    if !test::build()?.is_good() {
        return Ok(Verdict::Bad);
    }
    let home = cache::maven(KEYCLOAK)?.display().to_string();
    let choice = ["--only", "keycloak", "--keycloak", &home].map(str::to_owned);
    meet(&choice, |_| {})
}

fn meet(choice: &[String], line: impl FnMut(&str)) -> Result<Verdict> {
    let project = Project::load()?;
    let folder = project.root.join(FOLDER);
    let packages = cache::npm(&folder)?;
    let python = cache::python(&folder.join("requirements.txt"))?;
    cache::debian(GLEWLWYD)?;
    let pictures = project.target.join(FOLDER);
    let mut cases = Command::new(cache::node(&packages.join("node_modules")));
    cases
        .arg("--import")
        .arg(folder.join("modules.mjs"))
        .arg(folder.join("run.mjs"))
        .arg("--python")
        .arg(python.join("bin/python"))
        .arg("--chromium")
        .arg(cache::chromium()?)
        .arg("--pictures")
        .arg(&pictures)
        .env("PEERS_PACKAGES", packages);
    for (name, program) in PROGRAMS {
        let program = project.target.join("debug").join(program);
        if !program.exists() {
            bail!("no {}: build the workspace first", program.display());
        }
        cases.arg(name).arg(program);
    }
    cases.args(choice);
    println!(
        "$ node {FOLDER}/run.mjs; pictures in {}",
        pictures.display()
    );
    match status_watching(&mut cases, line)?.code() {
        Some(0) => Ok(Verdict::Good),
        Some(1) => Ok(Verdict::Bad),
        _ => bail!("the peers did not meet; the messages above say why"),
    }
}
