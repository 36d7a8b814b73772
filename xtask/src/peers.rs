//! `cargo xtask peers`: our server between an identity provider and MCP clients that others wrote.
//!
//! The cases are in `peers/`; here are the pinned packages and the server that they need.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{Verdict, args::Args, cache, project::Project, test};

/// Lock files and scripts, from the root.
const FOLDER: &str = "peers";

/// The server under test, built from `peers/server`.
const SERVER: &str = "peer-server";

pub(crate) fn command(args: Args) -> Result<Verdict> {
    args.finish()?;
    if !test::build()?.is_good() {
        return Ok(Verdict::Bad);
    }
    check()
}

/// Runs every case against what `cargo xtask test --stage build` made. The last line printed is the
/// counts.
pub(crate) fn check() -> Result<Verdict> {
    let project = Project::load()?;
    let server = project.target.join("debug").join(SERVER);
    if !server.exists() {
        bail!("no {}: build the workspace first", server.display());
    }
    let folder = project.root.join(FOLDER);
    let packages = cache::npm(&folder)?;
    let python = cache::python(&folder.join("requirements.txt"))?;
    let mut cases = Command::new(cache::node(&packages.join("node_modules")));
    cases
        .arg("--import")
        .arg(folder.join("modules.mjs"))
        .arg(folder.join("run.mjs"))
        .arg("--server")
        .arg(server)
        .arg("--python")
        .arg(python.join("bin/python"))
        .env("PEERS_PACKAGES", packages);
    println!("$ node {FOLDER}/run.mjs");
    match cases.status().context("cannot start node")?.code() {
        Some(0) => Ok(Verdict::Good),
        Some(1) => Ok(Verdict::Bad),
        _ => bail!("the peers did not meet; the messages above say why"),
    }
}
