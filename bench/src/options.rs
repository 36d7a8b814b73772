//! What a benchmark is told on the command line.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, bail};

use crate::race::Plan;

/// `[--quick] [--json FILE] [--minutes N] [--node PROGRAM --modules FOLDER]`
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) plan: Plan,
    /// Where the figures go as JSON.
    pub(crate) json: Option<PathBuf>,
    /// How long a soak takes.
    pub(crate) soak: Duration,
    /// What others wrote; without it, nobody is compared with.
    pub(crate) peers: Option<Peers>,
}

/// Packages of npm, and a Node that runs them.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) node: PathBuf,
    /// `node_modules`.
    pub(crate) modules: PathBuf,
}

/// Longer than that, nobody waits for it.
const LONGEST_SOAK: u64 = 10;

impl Options {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let mut plan = Plan::thorough();
        let mut soak = Duration::from_secs(60);
        let (mut json, mut node, mut modules) = (None, None, None);
        while let Some(word) = words.next() {
            let mut path = || {
                let path = words.next().map(PathBuf::from);
                path.with_context(|| format!("`{word}` wants a value"))
            };
            match word.as_str() {
                "--quick" => plan = Plan::quick(),
                "--json" => json = Some(path()?),
                "--node" => node = Some(path()?),
                "--modules" => modules = Some(path()?),
                "--minutes" => soak = minutes(&path()?.to_string_lossy())?,
                other => bail!("`{other}` is not understood"),
            }
        }
        let peers = node.zip(modules);
        Ok(Self {
            plan,
            json,
            soak,
            peers: peers.map(|(node, modules)| Peers { node, modules }),
        })
    }
}

fn minutes(text: &str) -> Result<Duration> {
    match text.parse() {
        Ok(minutes @ 1..=LONGEST_SOAK) => Ok(Duration::from_secs(60 * minutes)),
        _ => bail!("`--minutes` wants a number from 1 to {LONGEST_SOAK}"),
    }
}
