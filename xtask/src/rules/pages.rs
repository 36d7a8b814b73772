//! What pages in Markdown claim: that there is something behind a link, and a test behind a name.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::comments;
use crate::{
    finding::Finding,
    project::{File, Project},
};

pub(crate) fn claims(project: &Project) -> Vec<Finding> {
    let tests: BTreeSet<&str> = project
        .rust_files()
        .flat_map(comments::tests)
        .map(|(_, name)| name)
        .collect();
    let pages = project.files.iter().filter(|file| {
        Path::new(&file.path)
            .extension()
            .is_some_and(|ending| ending == "md")
    });
    pages
        .flat_map(|page| {
            let mut findings = unproven(page, &tests);
            findings.extend(dead_links(project, page));
            findings
        })
        .collect()
}

/// Names in backticks that begin as those of attack tests do.
fn unproven(page: &File, tests: &BTreeSet<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in page.text.lines().enumerate() {
        let quoted = line.split('`').skip(1).step_by(2);
        let names = quoted.filter(|name| name.starts_with("sec_") && !name.ends_with(".."));
        for name in names.filter(|name| !tests.contains(name)) {
            let what = format!("`{name}` is no test");
            findings.push(Finding::at(&page.path, at + 1, what, "name one that is"));
        }
    }
    findings
}

/// Links to files of this repository, and to headings in them.
fn dead_links(project: &Project, page: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in page.text.lines().enumerate() {
        for link in line.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            if !leads_somewhere(project, page, link) {
                let what = format!("`{link}` leads nowhere");
                findings.push(Finding::at(&page.path, at + 1, what, "mend the link"));
            }
        }
    }
    findings
}

fn leads_somewhere(project: &Project, page: &File, link: &str) -> bool {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        page.path.clone()
    } else {
        let folder = Path::new(&page.path).parent().unwrap_or(Path::new(""));
        normal(&folder.join(path)).display().to_string()
    };
    let Some(file) = project.file(&target) else {
        return heading.is_empty() && project.root.join(&target).exists();
    };
    let mut headings = file.text.lines().filter(|line| line.starts_with('#'));
    heading.is_empty() || headings.any(|line| anchor(line) == heading)
}

/// Without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            part => normal.push(part),
        }
    }
    normal
}

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::claims;
    use crate::rules::sample::{project, shown};

    #[test]
    fn a_proof_that_is_none_is_found() {
        let project = project(&[
            ("a.rs", "#[test]\nfn sec_x_01_it_holds() {}\n"),
            (
                "docs/a.md",
                "`sec_x_01_it_holds`\n`sec_x_02_it_does_not`\n`sec_x_..`\n",
            ),
        ]);
        assert_eq!(shown(&claims(&project)), ["docs/a.md:2"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let project = project(&[
            (
                "docs/a.md",
                "[b](b.md#the-way-there) [b](b.md) [top](../README.md)\n[b](b.md#elsewhere)\n\
                 [c](c.md)\n[self](#here) [web](https://c.example/x)\n# Here\n",
            ),
            ("docs/b.md", "## The way, there\n"),
            ("README.md", ""),
        ]);
        assert_eq!(shown(&claims(&project)), ["docs/a.md:2", "docs/a.md:3"]);
    }
}
