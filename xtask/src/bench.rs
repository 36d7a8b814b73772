//! `cargo xtask bench NAME`: builds the benchmarks for release and runs one.

use anyhow::Result;

use crate::{
    Verdict,
    args::Args,
    process::{cargo, run},
    project::Project,
};

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let quick = args.flag("--quick");
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
    Ok(Verdict::good_if(run(&mut command)?))
}
