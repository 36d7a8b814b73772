//! Our own crates: who depends on whom, and what each must say.

use crate::{
    finding::Finding,
    project::{Kind, Package, Project},
};

/// A crate may depend on those named here and on whatever they may depend on.
const ARROWS: &[(&str, &[&str])] = &[
    ("portcullis-oauth", &[]),
    ("portcullis-fetch", &["portcullis-oauth"]),
    ("portcullis-store", &["portcullis-fetch"]),
    ("portcullis-resource-server", &["portcullis-fetch"]),
    ("portcullis-client", &["portcullis-fetch"]),
    (
        "portcullis-authorization-server",
        &["portcullis-resource-server", "portcullis-store"],
    ),
    (
        "portcullis",
        &["portcullis-authorization-server", "portcullis-client"],
    ),
    ("portcullis-gateway", &["portcullis-authorization-server"]),
    ("portcullis-telemetry", &["portcullis-resource-server"]),
    (
        "portcullis-cli",
        &["portcullis-gateway", "portcullis", "portcullis-telemetry"],
    ),
    (TESTKIT, &["portcullis-fetch", "portcullis-store"]),
];

const TESTKIT: &str = "portcullis-testkit";

/// Optional in the facade: who verifies tokens compiles neither.
const OPTIONAL_IN_FACADE: &[&str] = &["portcullis-authorization-server", "portcullis-client"];

/// `anyhow` throws the kind of an error away: for programs, never for a library.
const MAY_USE_ANYHOW: &[&str] = &["portcullis-cli"];

/// Every dependency between our crates follows an arrow.
pub(crate) fn arrows(project: &Project) -> Vec<Finding> {
    project
        .members()
        .filter(|member| is_product(member))
        .flat_map(wrong_arrows)
        .collect()
}

/// Every crate forbids unsafe code at its root and takes the workspace's lints.
pub(crate) fn lints(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in project.members() {
        let manifest = project
            .file(&member.manifest)
            .map(|file| file.text.as_str())
            .unwrap_or_default();
        let lines: Vec<&str> = manifest.lines().map(str::trim).collect();
        let takes_lints = lines
            .windows(2)
            .any(|pair| pair == ["[lints]", "workspace = true"]);
        if !takes_lints {
            findings.push(Finding::of(
                &member.manifest,
                "the workspace's lints do not apply",
                "add `[lints]` with `workspace = true`",
            ));
        }
        for root in &member.roots {
            let forbids = project
                .file(root)
                .is_some_and(|file| file.code.contains("#![forbid(unsafe_code)]"));
            if !forbids {
                findings.push(Finding::of(
                    root,
                    "this root does not forbid unsafe code",
                    "begin it with `#![forbid(unsafe_code)]`",
                ));
            }
        }
    }
    findings
}

fn is_product(package: &Package) -> bool {
    package.manifest.starts_with("crates/")
}

fn wrong_arrows(package: &Package) -> Vec<Finding> {
    let name = package.name.as_str();
    let finding = |what: String, mend: &str| Finding::of(&package.manifest, what, mend);
    let mut findings = Vec::new();
    if ARROWS.iter().all(|(from, _)| *from != name) {
        return vec![finding(
            format!("`{name}` has no place among the crates"),
            "add it to `ARROWS` in xtask/src/rules/manifests.rs and to ARCHITECTURE.md",
        )];
    }
    for dependency in &package.dependencies {
        let to = dependency.name.as_str();
        if to == "anyhow" && !MAY_USE_ANYHOW.contains(&name) {
            findings.push(finding(
                format!("`{name}` uses `anyhow`"),
                "give the module an error enum of its own",
            ));
        }
        // A dev-dependency on the testkit or on a crate's own testing features turns no arrow.
        if !dependency.ours || dependency.kind == Kind::Dev {
            continue;
        }
        if to == TESTKIT {
            findings.push(finding(
                format!("`{name}` ships the testkit"),
                "make it a dev-dependency",
            ));
        } else if !reaches(name, to) {
            findings.push(finding(
                format!("`{name}` must not depend on `{to}`"),
                "move what both need into a crate below them",
            ));
        } else if name == "portcullis" && OPTIONAL_IN_FACADE.contains(&to) && !dependency.optional {
            findings.push(finding(
                format!("`{to}` is always compiled into the facade"),
                "make it `optional`, behind a feature",
            ));
        }
    }
    findings
}

fn reaches(from: &str, to: &str) -> bool {
    let below = ARROWS
        .iter()
        .find(|(name, _)| *name == from)
        .map(|(_, below)| *below);
    below
        .unwrap_or_default()
        .iter()
        .any(|next| *next == to || reaches(next, to))
}

#[cfg(test)]
mod tests {
    use super::{arrows, lints, reaches};
    use crate::{
        project::{Dependency, Kind},
        rules::sample::{member, project, shown},
    };

    fn on(name: &str, kind: Kind) -> Dependency {
        Dependency {
            name: name.to_owned(),
            kind,
            optional: false,
            ours: name != "anyhow",
        }
    }

    #[test]
    fn arrows_reach_down_and_never_up() {
        assert!(reaches("portcullis-cli", "portcullis-oauth"));
        assert!(!reaches(
            "portcullis-resource-server",
            "portcullis-authorization-server"
        ));
        assert!(!reaches("portcullis-oauth", "portcullis-oauth"));
    }

    #[test]
    fn a_wrong_arrow_is_found() {
        let mut project = project(&[]);
        let mut fetch = member("portcullis-fetch", "crates/fetch");
        fetch.dependencies = vec![
            on("portcullis-oauth", Kind::Normal),
            on("portcullis-store", Kind::Normal),
            on("portcullis-testkit", Kind::Dev),
            on("anyhow", Kind::Normal),
        ];
        let mut store = member("portcullis-store", "crates/store");
        store.dependencies = vec![on("portcullis-testkit", Kind::Normal)];
        let mut facade = member("portcullis", "crates/portcullis");
        facade.dependencies = vec![on("portcullis-client", Kind::Normal)];
        project.packages = vec![
            fetch,
            store,
            facade,
            member("portcullis-extra", "crates/extra"),
        ];
        assert_eq!(
            shown(&arrows(&project)),
            [
                "crates/fetch/Cargo.toml:1",
                "crates/fetch/Cargo.toml:1",
                "crates/store/Cargo.toml:1",
                "crates/portcullis/Cargo.toml:1",
                "crates/extra/Cargo.toml:1"
            ]
        );
    }

    #[test]
    fn sec_op_11_a_crate_that_may_be_unsafe_is_found() {
        let mut project = project(&[
            ("crates/a/Cargo.toml", "[lints]\nworkspace = true\n"),
            ("crates/a/src/lib.rs", "#![forbid(unsafe_code)]\n"),
            ("crates/b/Cargo.toml", "[lints]\nworkspace = false\n"),
            ("crates/b/src/lib.rs", "// #![forbid(unsafe_code)]\n"),
        ]);
        project.packages = vec![member("a", "crates/a"), member("b", "crates/b")];
        assert_eq!(
            shown(&lints(&project)),
            ["crates/b/Cargo.toml:1", "crates/b/src/lib.rs:1"]
        );
    }
}
