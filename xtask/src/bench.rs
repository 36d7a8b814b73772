//! `cargo xtask bench NAME`: builds the benchmarks for release and runs one.

use anyhow::{Result, bail};

use crate::{
    Verdict,
    args::Args,
    cache,
    process::{cargo, run},
    project::Project,
};

/// What the benchmarks compare with, from the root.
const PEERS: &str = "bench/peers";

/// The benchmarks that compare with it.
const WITH_PEERS: &[&str] = &["gateway", "login", "proxy"];

/// Those that compare with packages of Python too.
const WITH_PYTHON: &[&str] = &["login", "proxy"];

/// The packages, from the root.
const PYTHON: &str = "peers/requirements.txt";

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let quick = args.flag("--quick");
    let minutes = args.values("--minutes")?;
    let name = args.word("the benchmark's name")?;
    args.finish()?;
    let project = Project::load()?;
    let file = project.target.join("bench").join(format!("{name}.json"));
    let mut command = cargo(
        &project.root,
        [
            "run",
            "--locked",
            "--release",
            "--package",
            "portcullis-bench",
            "--",
        ],
    );
    command.arg(&name).arg("--json").arg(&file);
    if quick {
        command.arg("--quick");
    }
    match minutes.as_slice() {
        [] => {}
        [minutes] => drop(command.args(["--minutes", minutes])),
        _ => bail!("`--minutes` is said twice"),
    }
    if WITH_PEERS.contains(&name.as_str()) {
        let scripts = project.root.join(PEERS);
        let modules = cache::npm(&scripts)?.join("node_modules");
        command.arg("--node").arg(cache::node(&modules));
        command.arg("--modules").arg(modules);
        command.arg("--scripts").arg(scripts);
    }
    if WITH_PYTHON.contains(&name.as_str()) {
        let place = cache::python(&project.root.join(PYTHON))?;
        command.arg("--python").arg(place.join("bin/python"));
    }
    Ok(Verdict::good_if(run(&mut command)?))
}
