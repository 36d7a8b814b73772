//! Words that mean something on one machine or in one tracker, and nothing to a reader.

use crate::{
    finding::Finding,
    project::{File, Project},
    source::is_word,
};

/// Beginnings of paths on somebody's machine. `/tmp` is none of a program's business either: tests
/// ask for a folder of their own.
const PATHS: &[&str] = &["/work/", "/root/", "/home/", "/tmp/", "/Users/"];

/// Words of a plan or a tracker, in lower case. A `#` stands for a number.
const WORDS: &[&str] = &[
    "issue #",
    "ticket #",
    "phase #",
    "sprint #",
    "milestone #",
    "subagent",
    "developer session",
    "session notes",
    "../shared",
    "fixme",
    "to do:",
    "todo:",
];

/// The one file that must name them.
const THIS_FILE: &str = "xtask/src/rules/words.rs";

pub(crate) fn foreign(project: &Project) -> Vec<Finding> {
    project
        .files
        .iter()
        .filter(|file| file.path != THIS_FILE)
        .flat_map(foreign_in)
        .collect()
}

fn foreign_in(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        for path in PATHS.iter().filter(|path| begins_a_path(line, path)) {
            let mend = "use a path from the root of the repository, or a made one such as /srv";
            findings.push(Finding::at(
                &file.path,
                at + 1,
                format!("`{path}` is a path on somebody's machine"),
                mend,
            ));
        }
        let lower = line.to_lowercase();
        for word in WORDS.iter().filter(|word| says(&lower, word)) {
            let mend = "say what is so, not when or why it was planned";
            findings.push(Finding::at(
                &file.path,
                at + 1,
                format!("`{word}` belongs into a tracker"),
                mend,
            ));
        }
    }
    findings
}

/// Not the middle of a longer path or of a URL.
fn begins_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line
            .get(at + path.len()..)
            .and_then(|after| after.chars().next());
        !before.is_some_and(|c| is_word(c) || matches!(c, '.' | '-' | '/' | '}' | ']'))
            && after.is_some_and(is_word)
    })
}

fn says(line: &str, word: &str) -> bool {
    let (word, wants_number) = match word.strip_suffix('#') {
        Some(word) => (word, true),
        None => (word, false),
    };
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let after = line
            .get(at + word.len()..)
            .unwrap_or_default()
            .trim_start_matches('#');
        !before.is_some_and(is_word)
            && (!wants_number || after.starts_with(|c: char| c.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::foreign;
    use crate::rules::sample::{project, shown};

    #[test]
    fn paths_and_tracker_words_are_found() {
        let text = "\
cd /home/ann/portcullis
https://example.com/home/ann
<https://example.com>/tmp/x is a path of a URL only there
see issue 2, or Issue #3
the tissue 2 and an issue of tokens
TODO: later
${dir}/tmp/x
";
        let project = project(&[("docs/a.md", text)]);
        assert_eq!(
            shown(&foreign(&project)),
            ["docs/a.md:1", "docs/a.md:3", "docs/a.md:4", "docs/a.md:6"]
        );
    }
}
