//! `cargo xtask coverage`: tables of what has to be tested, against the tests.
//!
//! | page | a row is |
//! |---|---|
//! | `docs/security/coverage.md` | an attack: `sec_jwt_07_crit_is_refused` proves `JWT-07` |
//! | `docs/interop.md` | what a client does: `r1_cursor_registers_three_uris` proves `R1` |
//!
//! The name of a test begins with the ids that it proves ([`id`]). A row without a test holds the reason
//! why it does not apply, or the word `open`.

mod id;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use anyhow::{Context as _, Result};

use crate::{
    Verdict,
    args::Args,
    finding::{Finding, report},
    project::Project,
    rules::comments,
};

/// The pages, and what a row of each is.
const TABLES: [Table; 2] = [
    Table {
        path: "docs/security/coverage.md",
        rows: "attacks",
    },
    Table {
        path: "docs/interop.md",
        rows: "habits of clients",
    },
];
const OPEN: &str = "open";

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let (write, strict) = (args.flag("--write"), args.flag("--strict"));
    args.finish()?;
    if write {
        let project = Project::load()?;
        let proofs = proofs(&project);
        for table in TABLES {
            let text = table.read(&project)?;
            fs::write(project.root.join(table.path), updated(text, &proofs))?;
        }
    }
    check(strict)
}

/// Bad when a row has neither a test nor a reason, or a test carries an unknown id. `strict` does
/// not accept `open` either, nor a table that does not show the tests there are.
pub(crate) fn check(strict: bool) -> Result<Verdict> {
    let project = Project::load()?;
    let proofs = proofs(&project);
    let mut findings = Vec::new();
    let mut behind = false;
    for table in TABLES {
        let text = table.read(&project)?;
        let outcome = table.judge(text, &proofs, strict);
        println!("{outcome}");
        if updated(text, &proofs) != text {
            println!(
                "{} is behind the tests: `cargo xtask coverage --write`",
                table.path
            );
            behind = true;
        }
        findings.extend(outcome.findings);
    }
    let verdict = report("coverage", &findings);
    Ok(verdict.and(Verdict::good_if(!(strict && behind))))
}

/// Tests by the id they carry, such as `JWT-07`.
type Proofs = BTreeMap<String, Vec<String>>;

fn proofs(project: &Project) -> Proofs {
    let mut proofs = Proofs::new();
    for (_, name) in project.rust_files().flat_map(comments::tests) {
        for id in id::of_test(name) {
            proofs.entry(id).or_default().push(name.to_owned());
        }
    }
    for names in proofs.values_mut() {
        names.sort_unstable();
        // Two crates may each have a test of one name.
        names.dedup();
    }
    proofs
}

/// A row `| id | .. | proof |`.
struct Row<'a> {
    line: usize,
    id: &'a str,
    head: &'a str,
    proof: &'a str,
}

fn row(at: usize, line: &str) -> Option<Row<'_>> {
    let inner = line.strip_prefix("| ")?.strip_suffix('|')?;
    let (head, proof) = inner.rsplit_once('|')?;
    let id = head.split('|').next()?.trim();
    id::is_one(id).then(|| Row {
        line: at + 1,
        id,
        head: head.trim_end(),
        proof: proof.trim(),
    })
}

fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    text.lines()
        .enumerate()
        .filter_map(|(at, line)| row(at, line))
}

/// Does the cell show tests, rather than a reason?
fn shows_tests(proof: &str) -> bool {
    let first = proof.split('`').nth(1).unwrap_or_default();
    proof.starts_with('`') && !id::of_test(first).is_empty()
}

/// A page with a table.
#[derive(Clone, Copy)]
struct Table {
    path: &'static str,
    rows: &'static str,
}

#[derive(Debug)]
struct Outcome {
    rows: &'static str,
    tested: usize,
    reasoned: usize,
    open: usize,
    findings: Vec<Finding>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            rows,
            tested,
            reasoned,
            open,
            ..
        } = self;
        write!(
            f,
            "{} {rows}: {tested} tested, {reasoned} with a reason, {open} open",
            tested + reasoned + open
        )
    }
}

impl Table {
    fn read(self, project: &Project) -> Result<&str> {
        project
            .file(self.path)
            .map(|file| file.text.as_str())
            .with_context(|| format!("there is no {}", self.path))
    }

    fn judge(self, text: &str, proofs: &Proofs, strict: bool) -> Outcome {
        let mut outcome = Outcome {
            rows: self.rows,
            tested: 0,
            reasoned: 0,
            open: 0,
            findings: Vec::new(),
        };
        let mut known = BTreeSet::new();
        for row in rows(text) {
            let mut find = |what: String, mend: &str| {
                let finding = Finding::at(self.path, row.line, what, mend);
                outcome.findings.push(finding);
            };
            if !known.insert(row.id) {
                find(format!("`{}` stands here twice", row.id), "remove one row");
            }
            if proofs.contains_key(row.id) {
                outcome.tested += 1;
            } else if row.proof == OPEN {
                if strict {
                    find(
                        format!("`{}` is open", row.id),
                        "write the test, or the reason why it does not apply",
                    );
                }
                outcome.open += 1;
            } else if row.proof.is_empty() || shows_tests(row.proof) {
                find(
                    format!("`{}` has neither a test nor a reason", row.id),
                    "write the test, the reason, or `open`",
                );
            } else {
                outcome.reasoned += 1;
            }
        }
        outcome.findings.extend(self.strangers(&known, proofs));
        outcome
    }

    /// Tests that carry an id which has no row. A section with no row is none of a table's business.
    fn strangers(self, known: &BTreeSet<&str>, proofs: &Proofs) -> Vec<Finding> {
        let sections: BTreeSet<&str> = known.iter().copied().map(id::section).collect();
        let unknown = proofs
            .iter()
            .filter(|(id, _)| !known.contains(id.as_str()) && sections.contains(id::section(id)));
        unknown
            .map(|(id, names)| {
                let what = format!("`{}` carries the unknown id `{id}`", names.join("`, `"));
                Finding::of(self.path, what, "correct the name, or add the row")
            })
            .collect()
    }
}

/// The table with the tests there are; reasons and `open` stay.
fn updated(table: &str, proofs: &Proofs) -> String {
    let mut text = String::with_capacity(table.len());
    for (at, line) in table.lines().enumerate() {
        match row(at, line) {
            Some(row) if proofs.contains_key(row.id) || shows_tests(row.proof) => {
                let names = proofs.get(row.id).map(Vec::as_slice).unwrap_or_default();
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                let proof = if names.is_empty() {
                    OPEN.to_owned()
                } else {
                    names.join(", ")
                };
                text.extend(["| ", row.head, " | ", &proof, " |"]);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests;
