//! `cargo xtask sizes`: files that hold more than one thought, by their length.
//!
//! Lines are counted up to the test module at the foot; test files do not count. Functions and
//! arguments are bounded by clippy.

use anyhow::Result;

use crate::{
    Verdict,
    args::Args,
    finding::{Finding, report},
    project::{File, Project},
};

/// What a file should stay under.
const AIM: usize = 400;

/// What no file may pass.
const END: usize = 500;

/// A provider is data: a file of one of these folders holds nothing else.
const DATA_FOLDERS: &[&str] = &["/src/presets/", "/src/upstream/preset/"];
const DATA_END: usize = 80;

/// A file that is only a table or one `match` says so, with a reason, and is listed.
const EXCUSE: &str = "// SIZE: ";

pub(crate) fn command(args: Args) -> Result<Verdict> {
    args.finish()?;
    Ok(check(&Project::load()?))
}

pub(crate) fn check(project: &Project) -> Verdict {
    let files: Vec<Sized<'_>> = project
        .rust_files()
        .filter(|file| !file.is_test())
        .map(Sized::of)
        .collect();
    table(&files);
    for file in &files {
        if let Some(reason) = file.excuse {
            println!("excused  {:>4} {}: {reason}", file.lines, file.path);
        } else if file.lines > AIM {
            println!("long     {:>4} {}", file.lines, file.path);
        }
    }
    report("sizes", &too_long(&files))
}

struct Sized<'a> {
    path: &'a str,
    lines: usize,
    excuse: Option<&'a str>,
}

impl<'a> Sized<'a> {
    fn of(file: &'a File) -> Self {
        Self {
            path: &file.path,
            lines: file.code_lines().count(),
            excuse: file
                .text
                .lines()
                .find_map(|line| line.trim_start().strip_prefix(EXCUSE)),
        }
    }

    fn end(&self) -> usize {
        let is_data = DATA_FOLDERS.iter().any(|folder| self.path.contains(folder))
            && !self.path.ends_with("/mod.rs");
        if is_data { DATA_END } else { END }
    }
}

fn too_long(files: &[Sized<'_>]) -> Vec<Finding> {
    let long = files
        .iter()
        .filter(|file| file.excuse.is_none() && file.lines > file.end());
    let finding = |file: &Sized<'_>| {
        let what = format!("{} lines, {} are the end", file.lines, file.end());
        Finding::of(file.path, what, "cut it where a second subject begins")
    };
    long.map(finding).collect()
}

/// Prints, for each package folder, how many files there are and how long they are.
fn table(files: &[Sized<'_>]) {
    let mut folders: Vec<&str> = files.iter().map(|file| folder(file.path)).collect();
    folders.dedup();
    println!(
        "{:<32} {:>5} {:>6} {:>5} {:>5} {:>5}",
        "", "files", "lines", "p50", "p90", "max"
    );
    for folder_name in folders.iter().copied().chain([""]) {
        let part = files
            .iter()
            .filter(|file| folder_name.is_empty() || folder(file.path) == folder_name);
        let mut lengths: Vec<usize> = part.map(|file| file.lines).collect();
        lengths.sort_unstable();
        println!(
            "{:<32} {:>5} {:>6} {:>5} {:>5} {:>5}",
            if folder_name.is_empty() {
                "all"
            } else {
                folder_name
            },
            lengths.len(),
            lengths.iter().sum::<usize>(),
            percentile(&lengths, 50),
            percentile(&lengths, 90),
            percentile(&lengths, 100),
        );
    }
}

/// `crates/oauth/src/scope.rs` -> `crates/oauth`, `xtask/src/main.rs` -> `xtask`.
fn folder(path: &str) -> &str {
    path.split_once("/src/").map_or(path, |(folder, _)| folder)
}

/// The smallest value that `percent` of the sorted values do not pass; 0 without values.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Sized, percentile, too_long};
    use crate::project::File;

    fn findings(path: &str, text: &str) -> usize {
        too_long(&[Sized::of(&File::new(path, text))]).len()
    }

    #[test]
    fn only_code_before_the_tests_counts() {
        let code = "x();\n".repeat(500);
        assert_eq!(findings("crates/a/src/a.rs", &code), 0);
        assert_eq!(findings("crates/a/src/a.rs", &format!("{code}x();\n")), 1);
        let tail = format!("{code}#[cfg(test)]\nmod tests {{\n{code}}}\n");
        assert_eq!(findings("crates/a/src/a.rs", &tail), 0);
    }

    #[test]
    fn a_reason_excuses_and_a_provider_is_short() {
        let code = "x();\n".repeat(600);
        assert_eq!(
            findings("crates/a/src/a.rs", &format!("// SIZE: one table\n{code}")),
            0
        );
        let preset = "x();\n".repeat(81);
        assert_eq!(findings("crates/a/src/presets/auth0.rs", &preset), 1);
        assert_eq!(findings("crates/a/src/presets/mod.rs", &preset), 0);
    }

    #[test]
    fn percentiles_are_values_that_occur() {
        assert_eq!(percentile(&[], 50), 0);
        assert_eq!(percentile(&[1, 2, 3, 4], 50), 2);
        assert_eq!(percentile(&[1, 2, 3, 4], 90), 4);
    }
}
