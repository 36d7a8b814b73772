//! `cargo xtask advisories`: the locked packages against the advisories of today.
//!
//! `cargo xtask test` leaves it out: what it says changes without a change here, and it needs the
//! network. A workflow runs it every day and on every change of the lock file.

use anyhow::{Result, bail};

use crate::{Verdict, args::Args, cache, process::run, project::root};

const TOOL: &str = "cargo-deny";
const VERSION: &str = "0.20.2";

/// Brings the database of advisories (`RustSec`) up to date.
const FETCH: &[&str] = &["--locked", "fetch", "db"];

/// Keeps to the database and the packages that are there.
const OFFLINE: &[&str] = &["--offline"];

/// Everything that `deny.toml` speaks of.
const CHECK: &[&str] = &[
    "--locked",
    "--all-features",
    "check",
    "advisories",
    "bans",
    "licenses",
    "sources",
];

/// Bad when a package has an advisory or breaks another line of `deny.toml`. That nothing could be
/// judged is an error of its own, and never good.
pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let offline = args.flag("--offline");
    args.finish()?;
    let tool = cache::program(TOOL, VERSION)?;
    let deny = |words: &[&str]| {
        let mut command = std::process::Command::new(&tool);
        run(command.current_dir(root()?).args(words))
    };
    if !offline && !deny(FETCH)? {
        bail!(
            "the database of advisories cannot be fetched, so nothing was judged. \
             With a network it comes from https://github.com/RustSec/advisory-db; \
             without one, `cargo xtask advisories --offline` judges by the copy of the last run"
        );
    }
    let check = [if offline { OFFLINE } else { &[] }, CHECK].concat();
    let verdict = Verdict::good_if(deny(&check)?);
    if !verdict.is_good() {
        println!(
            "\nTo mend an advisory: `cargo update --package NAME` to a version that is not affected. \
             Where there is none, and the fault cannot be reached here, an entry of `ignore` in \
             deny.toml says why."
        );
    }
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::{CHECK, FETCH, TOOL};
    use crate::rules::{licence::ALLOWED, packages::TOLERATED};

    const CONFIGURATION: &str = include_str!("../../deny.toml");
    const WORKFLOW: &str = include_str!("../../.github/workflows/advisories.yml");

    /// The lines of a document without comments and indentation.
    fn lines(text: &str) -> Vec<&str> {
        let lines = text.lines().map(str::trim);
        lines.filter(|line| !line.starts_with('#')).collect()
    }

    /// The texts in quotes between two marks.
    fn quoted<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
        let (_, rest) = text.split_once(from).unwrap();
        let (list, _) = rest.split_once(to).unwrap();
        list.split('"').skip(1).step_by(2).collect()
    }

    #[test]
    fn sec_op_12_a_workflow_asks_every_day_and_for_every_lock_file() {
        let lines = lines(WORKFLOW);
        let daily = |line: &&str| {
            let cron = line.strip_prefix("- cron: \"");
            cron.is_some_and(|time| time.ends_with(" * * *\"") && !time.contains('/'))
        };
        assert_eq!(lines.iter().filter(|line| daily(line)).count(), 1);
        for event in ["push:", "pull_request:"] {
            let at = lines.iter().position(|line| *line == event).unwrap();
            let paths = lines
                .iter()
                .skip(at)
                .position(|line| line.contains("Cargo.lock"));
            assert!(paths.is_some_and(|below| below <= 2), "{event}");
        }
        assert!(lines.contains(&"- run: cargo xtask advisories"));
        assert!(!WORKFLOW.contains("continue-on-error"));
    }

    #[test]
    fn sec_op_12_actions_are_pinned_and_may_only_read() {
        let uses = WORKFLOW
            .lines()
            .filter_map(|line| line.split_once("uses: "));
        for (_, action) in uses {
            let (_, version) = action.trim().split_once("@v").unwrap();
            assert_eq!(version.split('.').count(), 3, "{action}");
        }
        assert!(WORKFLOW.contains("permissions:\n  contents: read\n"));
        assert!(!WORKFLOW.contains(": write"));
    }

    #[test]
    fn sec_op_12_an_advisory_fails_the_run() {
        let lines = lines(CONFIGURATION);
        for line in [
            "unsound = \"all\"",
            "yanked = \"deny\"",
            "ignore = []",
            "unknown-registry = \"deny\"",
            "unknown-git = \"deny\"",
        ] {
            assert!(lines.contains(&line), "{line}");
        }
        assert_eq!(FETCH, ["--locked", "fetch", "db"]);
        assert!(CHECK.contains(&"advisories") && !CHECK.contains(&"--allow"));
        assert_eq!(TOOL, "cargo-deny");
    }

    #[test]
    fn both_lists_of_licences_are_one() {
        assert_eq!(quoted(CONFIGURATION, "\nallow = [", "]\n"), ALLOWED);
        let exceptions = quoted(CONFIGURATION, "\nexceptions = [{", "}]\n");
        let tolerated: Vec<&str> = TOLERATED
            .iter()
            .flat_map(|(name, licence)| [*name, *licence])
            .collect();
        assert_eq!(exceptions, tolerated);
    }
}
