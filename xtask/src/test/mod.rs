//! `cargo xtask test`: every check a change must pass, cheap ones first.
//!
//! The stages share one target folder and, where they can, one set of features, so that nothing is
//! built twice: `build` makes exactly what `test` and `conformance` run.

mod counts;

use std::time::Duration;

use anyhow::{Result, bail};

use self::counts::Counts;
use crate::{
    Verdict,
    args::Args,
    conformance, coverage,
    environment::{self, Stopwatch},
    lints, pages, peers,
    process::{cargo, run, run_watching},
    project::{Project, root},
    rules, sizes,
};

/// More than this, all stages together, is a failure of its own in CI, and a warning elsewhere.
const BUDGET: Duration = Duration::from_secs(60 * 60);

/// A part of the run. A new one is a line in [`STAGES`], at the place its duration gives it.
struct Stage {
    name: &'static str,
    what: &'static str,
    /// It runs programs that the stage `build` makes.
    needs_build: bool,
    run: fn(&mut Counts) -> Result<Verdict>,
}

const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        what: "cargo fmt --check",
        needs_build: false,
        run: |_| steps(&[FMT]),
    },
    Stage {
        name: "rules",
        what: "dependency rules, licences, comments",
        needs_build: false,
        run: |_| rules::check(),
    },
    Stage {
        name: "sizes",
        what: "bounds of files",
        needs_build: false,
        run: |_| Ok(sizes::check(&Project::load()?)),
    },
    Stage {
        name: "coverage",
        what: "security checklist",
        needs_build: false,
        run: |_| coverage::check(false),
    },
    Stage {
        name: "clippy",
        what: "all targets, all features",
        needs_build: false,
        run: |_| steps(&[CLIPPY]),
    },
    Stage {
        name: "features",
        what: "each crate alone, feature sets of the facade",
        needs_build: false,
        run: |_| features(),
    },
    Stage {
        name: BUILD_STAGE,
        what: "everything that the next stages run",
        needs_build: false,
        run: |_| build(),
    },
    Stage {
        name: "test",
        what: "cargo test, all features",
        needs_build: false,
        run: test,
    },
    Stage {
        name: "doc",
        what: "rustdoc without a warning",
        needs_build: false,
        run: |_| doc(),
    },
    Stage {
        name: "lints",
        what: "each disallowed item fires",
        needs_build: false,
        run: |_| lints::check(),
    },
    Stage {
        name: "pages",
        what: "the pages in a real browser",
        needs_build: false,
        run: |counts| pages::check(|line| counts.read(line)),
    },
    Stage {
        name: "peers",
        what: "an identity provider, clients and servers that others wrote",
        needs_build: true,
        run: |counts| peers::check(|line| counts.read(line)),
    },
    Stage {
        name: "conformance",
        what: "MCP conformance suite: a server, the same behind the gateway, our own login",
        needs_build: true,
        run: |_| conformance::check(),
    },
];

/// The stage that makes what others run.
const BUILD_STAGE: &str = "build";

const FMT: &[&str] = &["fmt", "--all", "--check"];
const CLIPPY: &[&str] = &[
    "clippy",
    "--locked",
    "--keep-going",
    "--workspace",
    "--all-targets",
    "--all-features",
    "--",
    "-D",
    "warnings",
];
/// The build that `test` and `conformance` share: with tests, so that features are the same.
const BUILD: &[&str] = &[
    "build",
    "--locked",
    "--workspace",
    "--all-targets",
    "--all-features",
];
const TEST: &[&str] = &[
    "test",
    "--locked",
    "--workspace",
    "--all-features",
    "--no-fail-fast",
];
const DOC: &[&str] = &[
    "doc",
    "--locked",
    "--workspace",
    "--no-deps",
    "--all-features",
];

/// Runs the stages in order and ends at the first that fails, or with `--keep-going` at the last.
pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let wanted = args.values("--stage")?;
    let list = args.flag("--list");
    let keep_going = args.flag("--keep-going");
    let keycloak = args.flag("keycloak");
    args.finish()?;
    if keycloak {
        return peers::keycloak();
    }
    if list {
        for stage in STAGES {
            println!("{:<12} {}", stage.name, stage.what);
        }
        return Ok(Verdict::Good);
    }
    if let Some(unknown) = wanted
        .iter()
        .find(|name| STAGES.iter().all(|stage| stage.name != **name))
    {
        bail!("`{unknown}` is not a stage; see --list");
    }
    let mut counts = Counts::default();
    let mut done = Vec::new();
    let mut verdict = Verdict::Good;
    for stage in chosen(&wanted) {
        println!("\n== {}: {}", stage.name, stage.what);
        let watch = Stopwatch::start();
        // A broken stage is reported with the others' times, like one that failed.
        let judged = (stage.run)(&mut counts).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Verdict::Bad
        });
        let taken = watch.elapsed();
        println!(
            "== {} {} in {:.1} s",
            stage.name,
            word(judged),
            taken.as_secs_f64()
        );
        done.push((stage.name, taken, judged));
        verdict = verdict.and(judged);
        if !verdict.is_good() && !keep_going {
            break;
        }
    }
    let in_time = summary(&done);
    if counts.any() {
        println!("{counts}");
    }
    Ok(verdict.and(in_time))
}

/// The stages to run, in their order: all, or those that are wanted and the build that they need.
fn chosen(wanted: &[String]) -> impl Iterator<Item = &'static Stage> {
    let is_wanted = |stage: &Stage| wanted.iter().any(|name| name == stage.name);
    let build = STAGES
        .iter()
        .any(|stage| stage.needs_build && is_wanted(stage));
    STAGES.iter().filter(move |stage| {
        wanted.is_empty() || is_wanted(stage) || (build && stage.name == BUILD_STAGE)
    })
}

/// The builds of this workspace that other stages run programs of.
pub(crate) fn build() -> Result<Verdict> {
    steps(&[BUILD])
}

fn test(counts: &mut Counts) -> Result<Verdict> {
    let ended_well = run_watching(&mut cargo(&root()?, TEST.iter().copied()), |line| {
        println!("{line}");
        counts.read(line);
    })?;
    println!("{counts}");
    Ok(Verdict::good_if(ended_well && counts.are_good()))
}

fn doc() -> Result<Verdict> {
    let mut command = cargo(&root()?, DOC.iter().copied());
    Ok(Verdict::good_if(run(
        command.env("RUSTDOCFLAGS", "-D warnings")
    )?))
}

/// What `--all-features` hides: each library as a stranger's program gets it, with its default
/// features and nothing that another crate turned on, and the facade with none.
fn features() -> Result<Verdict> {
    let project = Project::load()?;
    let mut verdict = check_alone("portcullis", &["--no-default-features"])?;
    for member in project
        .members()
        .filter(|member| member.manifest.starts_with("crates/"))
    {
        if !verdict.is_good() {
            break;
        }
        verdict = check_alone(&member.name, &[])?;
    }
    Ok(verdict)
}

fn check_alone(package: &str, features: &[&str]) -> Result<Verdict> {
    let head = ["clippy", "--locked", "--package", package];
    let words = head
        .iter()
        .chain(features)
        .chain(&["--", "-D", "warnings"])
        .copied();
    Ok(Verdict::good_if(run(&mut cargo(&root()?, words))?))
}

fn steps(commands: &[&[&str]]) -> Result<Verdict> {
    for command in commands {
        if !run(&mut cargo(&root()?, command.iter().copied()))? {
            return Ok(Verdict::Bad);
        }
    }
    Ok(Verdict::Good)
}

/// Prints the seconds of each stage; bad when the sum is over the budget in CI.
fn summary(done: &[(&str, Duration, Verdict)]) -> Verdict {
    println!("\n{:<12} {:>8}", "stage", "seconds");
    for (name, taken, verdict) in done {
        println!(
            "{name:<12} {:>8.1}  {}",
            taken.as_secs_f64(),
            word(*verdict)
        );
    }
    let total: Duration = done.iter().map(|(_, taken, _)| *taken).sum();
    println!("{:<12} {:>8.1}", "sum", total.as_secs_f64());
    let verdict = in_time(total, environment::variable("CI").is_some());
    if total > BUDGET {
        let word = if verdict.is_good() { "WARN" } else { "FAIL" };
        let minutes = BUDGET.as_secs() / 60;
        println!("{word}  the stages took more than {minutes} minutes");
    }
    verdict
}

/// The budget is for machines that do nothing else.
fn in_time(total: Duration, in_ci: bool) -> Verdict {
    Verdict::good_if(total <= BUDGET || !in_ci)
}

fn word(verdict: Verdict) -> &'static str {
    if verdict.is_good() { "ok" } else { "FAILED" }
}

#[cfg(test)]
mod tests_of_test {
    use super::*;

    fn names(wanted: &[&str]) -> Vec<&'static str> {
        let wanted: Vec<String> = wanted.iter().map(|name| (*name).to_owned()).collect();
        chosen(&wanted).map(|stage| stage.name).collect()
    }

    #[test]
    fn a_stage_brings_the_build_that_it_needs() {
        assert_eq!(names(&["peers"]), ["build", "peers"]);
        assert_eq!(names(&["conformance"]), ["build", "conformance"]);
        assert_eq!(names(&["fmt"]), ["fmt"]);
        assert_eq!(names(&[]).len(), STAGES.len());
    }

    #[test]
    fn the_budget_fails_in_ci_alone() {
        let long = BUDGET + Duration::from_secs(1);
        assert!(!in_time(long, true).is_good());
        assert!(in_time(long, false).is_good());
        assert!(in_time(BUDGET, true).is_good());
    }
}
