//! `cargo xtask pages`: the pages of the authorization server in a real browser.
//!
//! What is shown are the snapshots of the pages' tests, so nothing needs to be built. The browser is
//! the system's; pictures of every page are left in the target folder.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{Verdict, args::Args, cache, process::status_watching, project::Project};

/// Lock file and scripts, from the root.
const FOLDER: &str = "pages";

const SNAPSHOTS: &str = "crates/authorization-server/src/ui/tests/pages";
const SHEET: &str = "crates/authorization-server/src/ui/style.css";

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let only = args.values("--only")?.pop();
    args.finish()?;
    look(only.as_deref(), |_| {})
}

/// Looks at every page, and hands each line on. The last one is the counts.
pub(crate) fn check(line: impl FnMut(&str)) -> Result<Verdict> {
    look(None, line)
}

fn look(only: Option<&str>, line: impl FnMut(&str)) -> Result<Verdict> {
    let project = Project::load()?;
    let folder = project.root.join(FOLDER);
    let packages = cache::npm(&folder)?;
    let pictures = project.target.join("pages");
    let mut run = Command::new("node");
    run.arg(folder.join("run.mjs"))
        .arg("--browser")
        .arg(cache::chromium()?)
        .arg("--packages")
        .arg(packages)
        .arg("--pages")
        .arg(project.root.join(SNAPSHOTS))
        .arg("--sheet")
        .arg(project.root.join(SHEET))
        .arg("--pictures")
        .arg(&pictures);
    if let Some(part) = only {
        run.args(["--only", part]);
    }
    println!(
        "$ node {FOLDER}/run.mjs; pictures in {}",
        pictures.display()
    );
    match status_watching(&mut run, line)?.code() {
        Some(0) => Ok(Verdict::Good),
        Some(1) => Ok(Verdict::Bad),
        _ => bail!("the pages were not shown; the messages above say why"),
    }
}
