//! Files that are no Rust: npm's lock files and the table of dependencies.

use std::collections::BTreeSet;

use crate::{finding::Finding, project::Project};

const ARCHITECTURE: &str = "ARCHITECTURE.md";

/// The table begins below this line and ends at the next heading.
const DEPENDENCIES: &str = "## Dependencies";

/// A lock file with addresses installs from one registry only, and tells which one its author used.
pub(crate) fn npm_locks(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in project
        .files
        .iter()
        .filter(|file| file.path.ends_with("package-lock.json"))
    {
        for (at, _) in file
            .text
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains("\"resolved\""))
        {
            let mend =
                "write it with `npm install --package-lock-only --omit-lockfile-registry-resolved`";
            findings.push(Finding::at(&file.path, at + 1, "a download address", mend));
        }
    }
    findings
}

/// The table of dependencies and the manifests name the same crates.
pub(crate) fn dependencies(project: &Project) -> Vec<Finding> {
    let Some(file) = project.file(ARCHITECTURE) else {
        return vec![Finding::of(ARCHITECTURE, "the file is missing", "write it")];
    };
    let used: BTreeSet<&str> = project
        .members()
        .flat_map(|member| &member.dependencies)
        .filter(|dependency| !dependency.ours)
        .map(|dependency| dependency.name.as_str())
        .collect();
    let rows = table(&file.text);
    let named: BTreeSet<&str> = rows.iter().map(|(_, name)| *name).collect();
    let missing = used.difference(&named).map(|name| {
        Finding::of(
            ARCHITECTURE,
            format!("`{name}` is a dependency without a reason"),
            "add a row to its table of dependencies",
        )
    });
    let stale = rows
        .iter()
        .filter(|(_, name)| !used.contains(name))
        .map(|(line, name)| {
            Finding::at(
                ARCHITECTURE,
                *line,
                format!("`{name}` is no dependency of ours"),
                "remove the name",
            )
        });
    missing.chain(stale).collect()
}

/// The names in backticks of the first column, with their lines.
fn table(text: &str) -> Vec<(usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .skip_while(|(_, line)| *line != DEPENDENCIES)
        .skip(1);
    let rows = lines
        .take_while(|(_, line)| !line.starts_with("## "))
        .filter(|(_, line)| line.starts_with("| "));
    let mut names = Vec::new();
    for (at, row) in rows {
        let cell = row.split('|').nth(1).unwrap_or_default();
        names.extend(
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(|name| (at + 1, name)),
        );
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{dependencies, npm_locks};
    use crate::{
        project::{Dependency, Kind},
        rules::sample::{member, project, shown},
    };

    #[test]
    fn an_address_in_a_lock_file_is_found() {
        let project = project(&[
            ("a/package-lock.json", "{\n\"resolved\": \"https://x\"\n}"),
            ("b.json", "\"resolved\""),
        ]);
        assert_eq!(shown(&npm_locks(&project)), ["a/package-lock.json:2"]);
    }

    #[test]
    fn a_missing_and_a_stale_row_are_found() {
        let mut project = project(&[(
            "ARCHITECTURE.md",
            "# A\n\n## Dependencies\n\n| crate | why |\n|---|---|\n| `url`, `old` | `x` |\n\n## More\n\n| `y` | |\n",
        )]);
        let mut package = member("a", "crates/a");
        package.dependencies = ["url", "http"]
            .map(|name| Dependency {
                name: name.to_owned(),
                kind: Kind::Dev,
                optional: false,
                ours: false,
            })
            .to_vec();
        project.packages = vec![package];
        assert_eq!(
            shown(&dependencies(&project)),
            ["ARCHITECTURE.md:1", "ARCHITECTURE.md:7"]
        );
    }
}
