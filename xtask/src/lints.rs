//! `cargo xtask lints`: every entry of clippy.toml's lists still fires.
//!
//! An entry whose item was renamed by a new version of its crate is silently dead. So a small crate
//! outside the workspace breaks each entry once, and clippy has to see each.

use std::{collections::BTreeSet, fs};

use anyhow::{Context as _, Result};

use crate::{
    Verdict,
    args::Args,
    finding::{Finding, report},
    process::{cargo, read},
    project::{Project, parse, text},
};

const CONFIGURATION: &str = "clippy.toml";
const FIXTURE: &str = "xtask/lint-fixture";
const FIXTURE_SOURCE: &str = "xtask/lint-fixture/src/lib.rs";

/// Crates of entries that stand guard only: as long as no manifest of ours names the crate, none of
/// its items can be used. The day one does, the fixture has to break the entries.
const NOT_DEPENDENCIES: &[&str] = &[
    "axum_extra",
    "cookie",
    "getrandom",
    "jsonwebtoken",
    "rand",
    "uuid",
];

/// The lints that the lists of clippy.toml feed, and what clippy's message begins with.
const MESSAGES: &[&str] = &[
    "use of a disallowed method `",
    "use of a disallowed type `",
    "holding a disallowed type across an await point `",
];

pub(crate) fn command(args: Args) -> Result<Verdict> {
    args.finish()?;
    check()
}

pub(crate) fn check() -> Result<Verdict> {
    let project = Project::load()?;
    let configuration =
        fs::read_to_string(project.root.join(CONFIGURATION)).context("no clippy.toml")?;
    let fired = fired(&project)?;
    let direct: BTreeSet<String> = project
        .members()
        .flat_map(|member| &member.dependencies)
        .map(|dependency| dependency.name.replace('-', "_"))
        .collect();
    let entries = entries(&configuration);
    println!("{} entries, {} fire", entries.len(), fired.len());
    Ok(report("lints", &silent(&entries, &fired, &direct)))
}

/// The items that clippy complains about in the fixture.
fn fired(project: &Project) -> Result<BTreeSet<String>> {
    let folder = project.root.join(FIXTURE);
    // The versions of the workspace: their builds are shared, and it is their names that count.
    fs::copy(project.root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    let mut clippy = cargo(&folder, ["clippy", "--quiet", "--message-format", "json"]);
    clippy
        .env("CLIPPY_CONF_DIR", &project.root)
        .env("CARGO_TARGET_DIR", &project.target);
    let output = read(&mut clippy)?;
    let mut items = BTreeSet::new();
    for line in output.lines() {
        let line = parse(line)?;
        let message = line
            .get("message")
            .map(|message| text(message, "message"))
            .unwrap_or_default();
        items.extend(item(message).map(str::to_owned));
    }
    Ok(items)
}

/// The item that a message of clippy is about.
fn item(message: &str) -> Option<&str> {
    let rest = MESSAGES
        .iter()
        .find_map(|begin| message.strip_prefix(begin))?;
    rest.split_once('`').map(|(item, _)| item)
}

/// The paths of all lists, with their lines.
fn entries(configuration: &str) -> Vec<(usize, &str)> {
    let lines = configuration
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with('#'));
    lines
        .filter_map(|(at, line)| path_of(line).map(|path| (at + 1, path)))
        .collect()
}

fn path_of(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("path = \"")?;
    rest.split_once('"').map(|(path, _)| path)
}

fn silent(
    entries: &[(usize, &str)],
    fired: &BTreeSet<String>,
    direct: &BTreeSet<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, entry) in entries {
        let krate = entry.split("::").next().unwrap_or_default();
        if fired.contains(*entry) || NOT_DEPENDENCIES.contains(&krate) && !direct.contains(krate) {
            continue;
        }
        let mend = format!(
            "break it in {FIXTURE_SOURCE}; if it is broken there already, its crate has renamed the item"
        );
        findings.push(Finding::at(
            CONFIGURATION,
            *line,
            format!("`{entry}` does not fire"),
            mend,
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{entries, item, silent};

    #[test]
    fn an_entry_that_does_not_fire_is_found() {
        let configuration = "disallowed-methods = [\n  { path = \"a::x\", reason = \"r\" },\n  # { path = \"a::no\" },\n  { path = \"a::y\" },\n  { path = \"rand::rng\" },\n]\n";
        let entries = entries(configuration);
        assert_eq!(entries, [(2, "a::x"), (4, "a::y"), (5, "rand::rng")]);
        let fired = ["a::x".to_owned()].into();
        assert_eq!(silent(&entries, &fired, &[].into()).len(), 1);
        assert_eq!(
            silent(&entries, &fired, &["rand".to_owned()].into()).len(),
            2
        );
    }

    #[test]
    fn messages_of_all_three_lists_are_read() {
        assert_eq!(
            item("use of a disallowed method `url::Url::parse`"),
            Some("url::Url::parse")
        );
        assert_eq!(
            item("use of a disallowed type `axum::Json`"),
            Some("axum::Json")
        );
        assert_eq!(item("unused import: `x`"), None);
    }
}
