//! What every leg needs: the suite, the programs under test, and a folder for what they say.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    results::Results,
    suite::{self, Suite},
};
use crate::{process::Background, project::Project};

/// The fixture that the scenarios are written for, built from `conformance/`.
pub(super) const FIXTURE: &str = "everything-server";

/// A scenario that needs nothing but a server that answers.
pub(super) const DOOR: &str = "tools-list";

#[derive(Debug)]
pub(super) struct Ground {
    pub(super) suite: Suite,
    programs: PathBuf,
    out: PathBuf,
}

impl Ground {
    /// Installs the suite and empties the leg's folder.
    pub(super) fn prepare(leg: &str) -> Result<Self> {
        let project = Project::load()?;
        let out = project.target.join("conformance").join(leg);
        if out.exists() {
            fs::remove_dir_all(&out)?;
        }
        Ok(Self {
            suite: Suite::install(&project.root)?,
            programs: project.target.join("debug"),
            out,
        })
    }

    /// The folder of one run.
    pub(super) fn folder(&self, run: &str, revision: &str) -> Result<PathBuf> {
        let folder = self.out.join(revision).join(run);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// A program that the stage `build` made.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Starts a program that prints its URL. What it logs goes to `NAME.log` beside the results.
    pub(super) fn start(
        &self,
        name: &str,
        arguments: &[&str],
        out: &Path,
    ) -> Result<(Background, String)> {
        let mut program = Command::new(self.program(name));
        program
            .args(arguments)
            .stderr(File::create(out.join(format!("{name}.log")))?);
        let started = Background::start(&mut program, suite::url_in);
        started.with_context(|| format!("`{name}` did not start"))
    }

    /// The whole suite.
    pub(super) fn run(&self, url: &str, revision: &str, out: &Path) -> Result<Results> {
        self.suite.run_server(url, revision, out)?;
        Results::read(out)
    }

    /// Whether a scenario that passes openly fails, as without a token it has to.
    pub(super) fn is_shut(&self, url: &str, revision: &str, out: &Path) -> Result<bool> {
        self.suite.run_scenario(url, DOOR, revision, out)?;
        Ok(Results::read(out)?.failed(DOOR))
    }
}
