//! `cargo xtask pages`: the pages of the authorization server in a real browser.
//!
//! What is shown are the snapshots of the pages' tests, so nothing needs to be built. The browser is
//! the system's; pictures of every page are left in the target folder.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{Verdict, args::Args, cache, process::is_installed, project::Project};

/// Lock file and scripts, from the root.
const FOLDER: &str = "pages";

const SNAPSHOTS: &str = "crates/authorization-server/src/ui/tests/pages";
const SHEET: &str = "crates/authorization-server/src/ui/style.css";

/// What Chromium is called where.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let only = args.values("--only")?.pop();
    args.finish()?;
    look(only.as_deref())
}

/// Looks at every page. The last line printed is the counts.
pub(crate) fn check() -> Result<Verdict> {
    look(None)
}

fn look(only: Option<&str>) -> Result<Verdict> {
    let project = Project::load()?;
    let folder = project.root.join(FOLDER);
    let packages = cache::npm(&folder)?;
    let pictures = project.target.join("pages");
    let mut run = Command::new("node");
    run.arg(folder.join("run.mjs"))
        .args(["--browser", browser()?])
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
    println!("$ node {FOLDER}/run.mjs");
    let status = run.status().context("cannot start node")?;
    println!("pictures: {}", pictures.display());
    match status.code() {
        Some(0) => Ok(Verdict::Good),
        Some(1) => Ok(Verdict::Bad),
        _ => bail!("the pages were not shown; the messages above say why"),
    }
}

/// A Chromium, from Debian when there is none and we may install it.
fn browser() -> Result<&'static str> {
    if let Some(there) = BROWSERS.into_iter().find(|name| is_installed(name)) {
        return Ok(there);
    }
    cache::debian(&["chromium"]).context("the pages need Chromium")?;
    Ok("chromium")
}
