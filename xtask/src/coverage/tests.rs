use super::{OPEN, Outcome, Proofs, Table, id, shows_tests, updated};

const PAGE: Table = Table {
    path: "docs/a.md",
    rows: "rows",
};
const TEXT: &str = "\
| id | severity | attack | proof |
|---|---|---|---|
| JWT-02 | critical | a | open |
| JWT-03 | critical | b | `sec_jwt_03_gone` |
| JWT-04 | high | c | it does not apply |
| JWT-05 | high | d |  |
";

fn proofs(names: &[&str]) -> Proofs {
    let mut proofs = Proofs::new();
    for name in names {
        for id in id::of_test(name) {
            proofs.entry(id).or_default().push((*name).to_owned());
        }
    }
    proofs
}

fn judge(names: &[&str], strict: bool) -> Outcome {
    PAGE.judge(TEXT, &proofs(names), strict)
}

#[test]
fn a_row_without_test_or_reason_is_found() {
    let outcome = judge(&["sec_jwt_02_x"], false);
    assert_eq!((outcome.tested, outcome.reasoned, outcome.open), (1, 1, 0));
    assert_eq!(outcome.findings.len(), 2);
}

#[test]
fn open_rows_fail_a_strict_run_only() {
    let names = ["sec_jwt_03_x", "sec_jwt_05_x"];
    assert_eq!(judge(&names, false).findings.len(), 0);
    assert_eq!(judge(&names, true).findings.len(), 1);
}

#[test]
fn a_test_with_an_unknown_id_is_found_in_a_listed_section() {
    let all = ["sec_jwt_03_x", "sec_jwt_05_x"];
    let with = |name| judge(&[all.as_slice(), &[name]].concat(), false);
    assert_eq!(with("sec_jwt_99_x").findings.len(), 1);
    assert_eq!(with("sec_cd_02_x").findings.len(), 0);
    assert_eq!(with("r1_x").findings.len(), 0);
}

#[test]
fn rows_of_clients_are_rows_too() {
    let text = "| R1 | a | open |\n| R2 | b | `r2_gone` |\n";
    let outcome = PAGE.judge(text, &proofs(&["sec_ru_21_r1_x", "sec_ru_99_x"]), false);
    assert_eq!((outcome.tested, outcome.open), (1, 0));
    assert_eq!(outcome.findings.len(), 1, "R2 has lost its test");
    let unknown = PAGE.judge(text, &proofs(&["r1_x", "r2_x", "r3_x"]), false);
    assert_eq!(unknown.findings.len(), 1);
}

#[test]
fn a_cell_shows_tests_or_a_reason() {
    for (cell, is_test) in [
        ("`sec_jwt_02_x`, `sec_jwt_02_y`", true),
        ("`a5_x`", true),
        ("`resource` is never sent", false),
        ("there is `sec_jwt_02_x`", false),
        (OPEN, false),
        ("", false),
    ] {
        assert_eq!(shows_tests(cell), is_test, "{cell}");
    }
}

#[test]
fn the_table_takes_tests_in_and_drops_those_that_are_gone() {
    let text = updated(TEXT, &proofs(&["sec_jwt_02_x"]));
    for line in [
        "| JWT-02 | critical | a | `sec_jwt_02_x` |\n",
        "| JWT-03 | critical | b | open |\n",
        "| JWT-04 | high | c | it does not apply |\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert_eq!(updated(&text, &proofs(&["sec_jwt_02_x"])), text);
}
