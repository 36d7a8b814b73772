//! `cargo xtask conformance server`: the official MCP conformance suite against our server, twice.
//!
//! First openly: every scenario of a revision, those that its requirements do not score included,
//! without one failure or warning. Then with authorization on, through a proxy that adds the token
//! the suite cannot send: every verdict has to be the same. And without the token nothing may pass.

mod results;
mod suite;

use std::{
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use self::{
    results::{Counts, Results, differences},
    suite::Suite,
};
use crate::{Verdict, args::Args, process::Background, project::Project, test};

/// Revisions of the protocol that the suite knows and we serve.
const REVISIONS: &[&str] = &["2025-11-25", "2026-07-28"];

/// The fixture that the scenarios are written for, built from `conformance/`.
const SERVER: &str = "everything-server";

/// What the protected fixture accepts. It guards nothing, and lives as long as the run.
const TOKEN: &str = "conformance-2b7e151628aed2a6abf7158809cf4f3c";

/// A scenario that needs nothing but a server that answers.
const DOOR: &str = "tools-list";

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let leg = args.word("the leg (server)")?;
    let revisions = args.values("--rev")?;
    args.finish()?;
    if leg != "server" {
        bail!("`{leg}` is not a leg; there is `server`");
    }
    if !test::build()?.is_good() {
        return Ok(Verdict::Bad);
    }
    server(&revisions)
}

/// Runs the server leg against what `cargo xtask test --stage build` made; all revisions when none
/// is given. The last line printed is the counts.
pub(crate) fn server(revisions: &[String]) -> Result<Verdict> {
    let revisions: Vec<&str> = match revisions {
        [] => REVISIONS.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    if let Some(unknown) = revisions
        .iter()
        .find(|revision| !REVISIONS.contains(revision))
    {
        bail!(
            "`{unknown}` is not a revision we serve; there are {}",
            REVISIONS.join(", ")
        );
    }
    let project = Project::load()?;
    let leg = Leg {
        suite: Suite::install(&project.root)?,
        server: project.target.join("debug").join(SERVER),
        out: project.target.join("conformance").join("server"),
    };
    if leg.out.exists() {
        fs::remove_dir_all(&leg.out)?;
    }
    let mut sum = Tally::default();
    for revision in revisions {
        let tally = leg.run(revision)?;
        println!("{revision}: {tally}");
        sum.add(tally);
    }
    println!("{sum}");
    Ok(Verdict::good_if(sum.is_clean()))
}

/// What one revision, or all of them, came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    counts: Counts,
    faults: usize,
    differences: usize,
    passed_without_token: usize,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.faults += other.faults;
        self.differences += other.differences;
        self.passed_without_token += other.passed_without_token;
    }

    fn is_clean(&self) -> bool {
        self.faults + self.differences + self.passed_without_token == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            counts,
            faults,
            differences,
            passed_without_token,
        } = self;
        write!(
            f,
            "{counts}; {faults} faults, {differences} differences with authorization, \
             {passed_without_token} passed without a token"
        )
    }
}

struct Leg {
    suite: Suite,
    server: PathBuf,
    out: PathBuf,
}

impl Leg {
    /// One revision, openly, protected, and without the token.
    fn run(&self, revision: &str) -> Result<Tally> {
        let open = self.open(revision)?;
        let faults = open.faults(&self.suite.scenarios(revision)?);
        for fault in &faults {
            println!("FAIL  {revision} {fault}");
        }
        let differences = differences(&open, &self.protected(revision)?);
        for difference in &differences {
            println!("FAIL  {revision} with authorization: {difference}");
        }
        let shut = self.shut(revision)?;
        if !shut {
            println!("FAIL  {revision} without a token: `{DOOR}` did not fail");
        }
        Ok(Tally {
            counts: open.counts(),
            faults: faults.len(),
            differences: differences.len(),
            passed_without_token: usize::from(!shut),
        })
    }

    fn open(&self, revision: &str) -> Result<Results> {
        let out = self.folder("open", revision)?;
        let (_server, url) = self.start(&out, &[])?;
        self.suite.run_server(&url, revision, &out)?;
        Results::read(&out)
    }

    fn protected(&self, revision: &str) -> Result<Results> {
        let out = self.folder("protected", revision)?;
        let (_server, url) = self.start(&out, &["--token", TOKEN])?;
        let (_proxy, url) = self.suite.start_proxy(&url, TOKEN)?;
        self.suite.run_server(&url, revision, &out)?;
        Results::read(&out)
    }

    /// Without a token, a scenario that passes openly has to fail.
    fn shut(&self, revision: &str) -> Result<bool> {
        let out = self.folder("shut", revision)?;
        let (_server, url) = self.start(&out, &["--token", TOKEN])?;
        self.suite.run_scenario(&url, DOOR, revision, &out)?;
        Ok(Results::read(&out)?.failed(DOOR))
    }

    /// Starts the fixture; what it logs goes to `server.log` beside the results.
    fn start(&self, out: &Path, arguments: &[&str]) -> Result<(Background, String)> {
        let mut server = Command::new(&self.server);
        server
            .args(["--port", "0"])
            .args(arguments)
            .stderr(File::create(out.join("server.log"))?);
        let started = Background::start(&mut server, suite::url_in);
        started.with_context(|| format!("the fixture `{SERVER}` of conformance/ did not start"))
    }

    fn folder(&self, run: &str, revision: &str) -> Result<PathBuf> {
        let folder = self.out.join(revision).join(run);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}
