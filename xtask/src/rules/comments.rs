//! Comments and attributes that promise or hide something.

use std::collections::BTreeSet;

use crate::{
    finding::Finding,
    project::{File, Project},
    source::is_word,
};

const MARK: &str = "// SECURITY:";

/// `// SECURITY: why; test_name`: each name behind the last semicolon is a test of this repository.
pub(crate) fn security(project: &Project) -> Vec<Finding> {
    let tests: BTreeSet<&str> = project
        .rust_files()
        .flat_map(tests)
        .map(|(_, name)| name)
        .collect();
    project
        .rust_files()
        .flat_map(|file| unproven(file, &tests))
        .collect()
}

/// Nothing is skipped: no ignored test, no example that is not compiled, nothing left to do.
pub(crate) fn skipped(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &project.files {
        for (at, line) in file.text.lines().enumerate() {
            if is_skipped_example(file, line) {
                let mend = "compile it: `no_run` at most; `text` when it is no Rust";
                findings.push(Finding::at(
                    &file.path,
                    at + 1,
                    "an example that nobody compiles",
                    mend,
                ));
            }
        }
        for (at, line) in file.code.lines().enumerate() {
            if let Some(what) = unfinished(line) {
                findings.push(Finding::at(
                    &file.path,
                    at + 1,
                    format!("`{what}`"),
                    "finish it, or remove it",
                ));
            }
        }
    }
    findings
}

/// The names of all test functions of a file, with their lines.
pub(crate) fn tests(file: &File) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut attribute = false;
    for (at, line) in file.code.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("#[") {
            // `#[test]`, `#[tokio::test(..)]`
            attribute |= line.contains("test]") || line.contains("test(");
        } else if let Some(name) = function(line) {
            if attribute {
                found.push((at + 1, name));
            }
            attribute = false;
        } else if line.ends_with(['}', ';']) {
            attribute = false;
        }
    }
    found
}

/// The name of the function that this line begins.
fn function(line: &str) -> Option<&str> {
    let (before, rest) = line.split_once("fn ")?;
    if before.ends_with(is_word) {
        return None;
    }
    let end = rest.find(|c| !is_word(c))?;
    rest.get(..end).filter(|name| !name.is_empty())
}

fn unproven(file: &File, tests: &BTreeSet<&str>) -> Vec<Finding> {
    let lines: Vec<&str> = file.text.lines().map(str::trim).collect();
    let mut findings = Vec::new();
    // A line that is blank without its comments: not one inside a string.
    let comments = file
        .code
        .lines()
        .enumerate()
        .filter(|(_, code)| code.trim().is_empty());
    for (at, _) in comments {
        let Some(first) = lines.get(at).and_then(|line| line.strip_prefix(MARK)) else {
            continue;
        };
        let rest = lines
            .iter()
            .skip(at + 1)
            .map_while(|line| line.strip_prefix("// "));
        let text = std::iter::once(first)
            .chain(rest.take_while(|line| !line.starts_with("SECURITY:")))
            .collect::<Vec<_>>()
            .join(" ");
        let Some((_, names)) = text.rsplit_once(';') else {
            findings.push(Finding::at(
                &file.path,
                at + 1,
                "no test is named",
                "end the comment with `; name_of_the_test`",
            ));
            continue;
        };
        for name in names.split([',', ' ']).filter(|name| !name.is_empty()) {
            if !tests.contains(name) {
                let mend = "name a test that fails when the next line is deleted";
                findings.push(Finding::at(
                    &file.path,
                    at + 1,
                    format!("`{name}` is no test"),
                    mend,
                ));
            }
        }
    }
    findings
}

/// A fence that says `ignore`, in a doc comment or in Markdown.
fn is_skipped_example(file: &File, line: &str) -> bool {
    let text = line.trim_start();
    let text = if file.is_rust() {
        let Some(comment) = text
            .strip_prefix("///")
            .or_else(|| text.strip_prefix("//!"))
        else {
            return false;
        };
        comment.trim_start()
    } else if file.path.to_lowercase().ends_with(".md") {
        text
    } else {
        return false;
    };
    text.strip_prefix("```").is_some_and(|info| {
        info.split(',')
            .any(|word| word.trim().starts_with("ignore"))
    })
}

fn unfinished(line: &str) -> Option<&'static str> {
    let dense: String = line.split_whitespace().collect();
    let macros = ["todo!", "unimplemented!"].into_iter().find(|name| {
        dense.match_indices(name).any(|(at, _)| {
            !dense
                .get(..at)
                .is_some_and(|before| before.ends_with(is_word))
        })
    });
    macros.or_else(|| {
        ["#[ignore", ",ignore)]", ",ignore="]
            .into_iter()
            .find(|mark| dense.contains(mark))
            .map(|_| "ignore")
    })
}

#[cfg(test)]
mod tests_of_comments {
    use super::{security, skipped, tests};
    use crate::{
        project::File,
        rules::sample::{project, shown},
    };

    const TESTS: &str = "#[test]\nfn sec_a_01_x() {\n}\n#[tokio::test(flavor = \"x\")]\n#[cfg(unix)]\nasync fn b() {\n}\nfn helper() {\n}\n";

    #[test]
    fn tests_are_functions_with_the_attribute() {
        assert_eq!(
            tests(&File::new("a.rs", TESTS)),
            [(2, "sec_a_01_x"), (6, "b")]
        );
    }

    #[test]
    fn a_comment_must_name_tests_that_exist() {
        let text = "\
// SECURITY: one winner (RFC 6749 s4.1.2); sec_a_01_x
x();
// SECURITY: over two lines; and more
// of it; b, sec_a_01_x
// SECURITY: no test
// SECURITY: a helper is none; helper
let s = \"// SECURITY: text\";
";
        let project = project(&[
            ("crates/a/src/tests.rs", TESTS),
            ("crates/a/src/lib.rs", text),
        ]);
        assert_eq!(
            shown(&security(&project)),
            ["crates/a/src/lib.rs:5", "crates/a/src/lib.rs:6"]
        );
    }

    #[test]
    fn what_is_skipped_or_unfinished_is_found() {
        let fence = "`".repeat(3);
        let rust = format!(
            "/// {fence}ignore\n/// {fence}\n//! {fence}rust,ignore\nlet s = \"{fence}ignore\";\ntodo!();\nmy_todo!();\n#[ignore = \"slow\"]\n#[cfg_attr(x, ignore)]\n"
        );
        let project = project(&[
            ("a.rs", &rust),
            ("a.md", &format!("{fence}rust, ignore\n{fence}toml\n")),
        ]);
        assert_eq!(
            shown(&skipped(&project)),
            ["a.rs:1", "a.rs:3", "a.rs:5", "a.rs:7", "a.rs:8", "a.md:1"]
        );
    }
}
