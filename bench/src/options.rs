//! What a benchmark is told on the command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::race::Plan;

/// `[--quick] [--json FILE] [--minutes N] [--node PROGRAM --modules FOLDER --scripts FOLDER [--python PROGRAM]]`
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) plan: Plan,
    /// Only to see that the benchmark works.
    pub(crate) is_quick: bool,
    /// Where the figures go as JSON.
    pub(crate) json: Option<PathBuf>,
    /// How long a soak takes.
    pub(crate) soak: Duration,
    /// What others wrote; without it, nobody is compared with.
    pub(crate) peers: Option<Peers>,
}

/// Packages of npm, a Node that runs them, and what is written for them here.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) node: PathBuf,
    /// `node_modules`.
    pub(crate) modules: PathBuf,
    /// Programs that make a server of a package.
    pub(crate) scripts: PathBuf,
    /// With packages of its own.
    pub(crate) python: Option<PathBuf>,
}

/// Longer than that, nobody waits for it.
const LONGEST_SOAK: u64 = 10;

impl Options {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut is_quick = false;
        let mut soak = Duration::from_secs(60);
        let (mut json, mut node, mut modules) = (None, None, None);
        let (mut scripts, mut python) = (None, None);
        while let Some(word) = words.next() {
            let mut path = || {
                let path = words.next().map(PathBuf::from);
                path.with_context(|| format!("`{word}` wants a value"))
            };
            match word.as_str() {
                "--quick" => is_quick = true,
                "--json" => json = Some(path()?),
                "--node" => node = Some(path()?),
                "--modules" => modules = Some(path()?),
                "--scripts" => scripts = Some(path()?),
                "--python" => python = Some(path()?),
                "--minutes" => soak = minutes(&path()?.to_string_lossy())?,
                other => bail!("`{other}` is not understood"),
            }
        }
        let peers = node.zip(modules).zip(scripts);
        Ok(Self {
            plan: if is_quick {
                Plan::quick()
            } else {
                Plan::thorough()
            },
            is_quick,
            json,
            soak,
            peers: peers.map(|((node, modules), scripts)| Peers {
                node,
                modules,
                scripts,
                python,
            }),
        })
    }
}

fn minutes(text: &str) -> Result<Duration> {
    match text.parse() {
        Ok(minutes @ 1..=LONGEST_SOAK) => Ok(Duration::from_secs(60 * minutes)),
        _ => bail!("`--minutes` wants a number from 1 to {LONGEST_SOAK}"),
    }
}
