//! `cargo xtask coverage`: the table of attacks in `docs/security/coverage.md` against the tests.
//!
//! A test that repels an attack carries its id: `sec_jwt_07_crit_is_refused` proves `JWT-07`. A row
//! without such a test holds the reason why it does not apply, or the word `open`.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, Result};

use crate::{
    Verdict,
    args::Args,
    finding::{Finding, report},
    project::Project,
    rules::comments::tests,
};

const TABLE: &str = "docs/security/coverage.md";
const OPEN: &str = "open";

pub(crate) fn command(mut args: Args) -> Result<Verdict> {
    let (write, strict) = (args.flag("--write"), args.flag("--strict"));
    args.finish()?;
    if write {
        let project = Project::load()?;
        let table = read_table(&project)?;
        fs::write(project.root.join(TABLE), updated(table, &proofs(&project)))?;
    }
    check(strict)
}

/// Bad when a row has neither a test nor a reason, or a test carries an unknown id. `strict` does
/// not accept `open` either, nor a table that does not show the tests there are.
pub(crate) fn check(strict: bool) -> Result<Verdict> {
    let project = Project::load()?;
    let table = read_table(&project)?;
    let proofs = proofs(&project);
    let outcome = judge(table, &proofs, strict);
    let behind = updated(table, &proofs) != table;
    println!("{outcome}");
    if behind {
        println!("the table is behind the tests: `cargo xtask coverage --write`");
    }
    let verdict = report("coverage", &outcome.findings);
    Ok(verdict.and(Verdict::good_if(!(strict && behind))))
}

fn read_table(project: &Project) -> Result<&str> {
    project
        .file(TABLE)
        .map(|file| file.text.as_str())
        .with_context(|| format!("there is no {TABLE}"))
}

/// Tests by the id they carry, such as `JWT-07`.
type Proofs = BTreeMap<String, Vec<String>>;

fn proofs(project: &Project) -> Proofs {
    let mut proofs = Proofs::new();
    for (_, name) in project.rust_files().flat_map(tests) {
        if let Some(id) = id_of(name) {
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

/// `sec_jwt_07_crit_is_refused` -> `JWT-07`
fn id_of(test: &str) -> Option<String> {
    let mut parts = test.strip_prefix("sec_")?.split('_');
    let (section, number) = (parts.next()?, parts.next()?);
    number.parse::<u8>().ok()?;
    Some(format!("{}-{number}", section.to_uppercase()))
}

/// A row `| id | severity | attack | proof |`.
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
    let (section, number) = id.split_once('-')?;
    let is_id = section.chars().all(|c| c.is_ascii_uppercase()) && number.parse::<u8>().is_ok();
    is_id.then(|| Row {
        line: at + 1,
        id,
        head: head.trim_end(),
        proof: proof.trim(),
    })
}

/// Does the cell show tests, rather than a reason?
fn shows_tests(proof: &str) -> bool {
    proof.starts_with("`sec_")
}

#[derive(Debug, Default)]
struct Outcome {
    tested: usize,
    reasoned: usize,
    open: usize,
    findings: Vec<Finding>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            tested,
            reasoned,
            open,
            ..
        } = self;
        write!(
            f,
            "{} attacks: {tested} tested, {reasoned} with a reason, {open} open",
            tested + reasoned + open
        )
    }
}

fn judge(table: &str, proofs: &Proofs, strict: bool) -> Outcome {
    let mut outcome = Outcome::default();
    let mut known = BTreeMap::new();
    for row in table
        .lines()
        .enumerate()
        .filter_map(|(at, line)| row(at, line))
    {
        let mut find = |what: String, mend: &str| {
            outcome
                .findings
                .push(Finding::at(TABLE, row.line, what, mend));
        };
        if known.insert(row.id, row.line).is_some() {
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
    // A section with no row is none of this table's business.
    let section = |id: &str| id.split('-').next().unwrap_or_default().to_owned();
    let sections: Vec<String> = known.keys().map(|id| section(id)).collect();
    for (id, names) in proofs
        .iter()
        .filter(|(id, _)| !known.contains_key(id.as_str()))
    {
        if sections.contains(&section(id)) {
            let what = format!("`{}` carries the unknown id `{id}`", names.join("`, `"));
            outcome
                .findings
                .push(Finding::of(TABLE, what, "correct the name, or add the row"));
        }
    }
    outcome
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
mod tests_of_coverage {
    use super::{Proofs, id_of, judge, updated};

    const TABLE: &str = "\
| id | severity | attack | proof |
|---|---|---|---|
| JWT-02 | critical | a | open |
| JWT-03 | critical | b | `sec_jwt_03_gone` |
| JWT-04 | high | c | it does not apply |
| JWT-05 | high | d |  |
";

    fn proofs(names: &[&str]) -> Proofs {
        names
            .iter()
            .map(|name| (id_of(name).unwrap(), vec![(*name).to_owned()]))
            .collect()
    }

    #[test]
    fn ids_come_from_names() {
        assert_eq!(id_of("sec_jwt_07_crit").as_deref(), Some("JWT-07"));
        assert_eq!(id_of("sec_ru_22").as_deref(), Some("RU-22"));
        assert_eq!(id_of("section_7"), None);
        assert_eq!(id_of("sec_jwt_crit"), None);
    }

    #[test]
    fn a_row_without_test_or_reason_is_found() {
        let outcome = judge(TABLE, &proofs(&["sec_jwt_02_x"]), false);
        assert_eq!((outcome.tested, outcome.reasoned, outcome.open), (1, 1, 0));
        assert_eq!(outcome.findings.len(), 2);
    }

    #[test]
    fn open_rows_fail_a_strict_run_only() {
        let proofs = proofs(&["sec_jwt_03_x", "sec_jwt_05_x"]);
        assert_eq!(judge(TABLE, &proofs, false).findings.len(), 0);
        assert_eq!(judge(TABLE, &proofs, true).findings.len(), 1);
    }

    #[test]
    fn a_test_with_an_unknown_id_is_found_in_a_listed_section() {
        let all = ["sec_jwt_03_x", "sec_jwt_05_x"];
        let unknown = [all.as_slice(), &["sec_jwt_99_x"]].concat();
        assert_eq!(judge(TABLE, &proofs(&unknown), false).findings.len(), 1);
        let foreign = [all.as_slice(), &["sec_cd_02_x"]].concat();
        assert_eq!(judge(TABLE, &proofs(&foreign), false).findings.len(), 0);
    }

    #[test]
    fn the_table_takes_tests_in_and_drops_those_that_are_gone() {
        let text = updated(TABLE, &proofs(&["sec_jwt_02_x"]));
        assert!(
            text.contains("| JWT-02 | critical | a | `sec_jwt_02_x` |\n"),
            "{text}"
        );
        assert!(
            text.contains("| JWT-03 | critical | b | open |\n"),
            "{text}"
        );
        assert!(
            text.contains("| JWT-04 | high | c | it does not apply |\n"),
            "{text}"
        );
        assert_eq!(updated(&text, &proofs(&["sec_jwt_02_x"])), text);
    }
}
