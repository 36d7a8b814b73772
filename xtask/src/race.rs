//! `cargo xtask race`: what can be used once is used once, thousands of times over.
//!
//! The same tests run with every other, a few rounds of them. Here they run for as long as it takes to
//! meet orders of events that are rare.

use anyhow::{Context as _, Result, bail};

use crate::{
    Verdict,
    args::Args,
    process::{cargo, run},
    project::Project,
};

/// Rounds of each kind, and kills, unless said otherwise.
const ROUNDS: u32 = 2000;
const KILLS: u32 = 1000;

/// Before what is for the tests, and not for what runs them.
const MARK: &str = "::single-use::";

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let rounds = number(&mut args, "--rounds", ROUNDS)?;
    let kills = number(&mut args, "--kills", KILLS)?;
    args.finish()?;
    let project = Project::load()?;
    let mut command = cargo(
        &project.root,
        [
            "test",
            "--locked",
            "--package",
            "portcullis-authorization-server",
            "--features",
            "sqlite",
            "--test",
            "it",
            "--",
            "--nocapture",
            "single_use",
        ],
    );
    command.arg(format!("{MARK}rounds={rounds}"));
    command.arg(format!("{MARK}kills={kills}"));
    Ok(Verdict::good_if(run(&mut command)?))
}

fn number(args: &mut Args, name: &str, usual: u32) -> Result<u32> {
    match args.values(name)?.as_slice() {
        [] => Ok(usual),
        [text] => text
            .parse()
            .with_context(|| format!("`{name}` wants a number")),
        _ => bail!("`{name}` is said twice"),
    }
}
