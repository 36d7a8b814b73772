//! `cargo xtask conformance server`: a server written with our API, twice.
//!
//! First openly: every scenario of a revision, those that its requirements do not score included,
//! without one failure or warning. Then with authorization on, through a proxy that adds the token
//! the suite cannot send: every verdict has to be the same. And without the token nothing may pass.

use std::{fmt, path::Path};

use anyhow::Result;

use super::{
    ground::{DOOR, FIXTURE, Ground},
    results::{Counts, Results, differences},
};
use crate::{Verdict, process::Background};

/// What the protected fixture accepts. It guards nothing, and lives as long as the run.
const TOKEN: &str = "conformance-2b7e151628aed2a6abf7158809cf4f3c";

/// Runs the leg. The last line printed is the counts.
pub(super) fn check(revisions: &[&str]) -> Result<Verdict> {
    let leg = Leg(Ground::prepare("server")?);
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

struct Leg(Ground);

impl Leg {
    /// One revision, openly, protected, and without the token.
    fn run(&self, revision: &str) -> Result<Tally> {
        let open = self.open(revision)?;
        let faults = open.faults(&self.0.suite.scenarios(revision)?);
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
        let out = self.0.folder("open", revision)?;
        let (_server, url) = self.start(&out, &[])?;
        self.0.run(&url, revision, &out)
    }

    fn protected(&self, revision: &str) -> Result<Results> {
        let out = self.0.folder("protected", revision)?;
        let (_server, url) = self.start(&out, &["--token", TOKEN])?;
        let (_proxy, url) = self.0.suite.start_proxy(&url, TOKEN)?;
        self.0.run(&url, revision, &out)
    }

    fn shut(&self, revision: &str) -> Result<bool> {
        let out = self.0.folder("shut", revision)?;
        let (_server, url) = self.start(&out, &["--token", TOKEN])?;
        self.0.is_shut(&url, revision, &out)
    }

    fn start(&self, out: &Path, arguments: &[&str]) -> Result<(Background, String)> {
        let arguments = [&["--port", "0"], arguments].concat();
        self.0.start(FIXTURE, &arguments, out)
    }
}
