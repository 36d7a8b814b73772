//! Small repositories to try the rules on.

use crate::{
    finding::Finding,
    project::{File, Package, Project},
};

/// A repository of these files and no package.
pub(crate) fn project(files: &[(&str, &str)]) -> Project {
    let files = files
        .iter()
        .map(|(path, text)| File::new(*path, *text))
        .collect();
    Project {
        root: "/".into(),
        target: "/target".into(),
        packages: Vec::new(),
        files,
    }
}

/// A package of ours in `folder`, with one library and no dependency.
pub(crate) fn member(name: &str, folder: &str) -> Package {
    Package {
        name: name.to_owned(),
        version: "1.0.0".to_owned(),
        license: Some("MIT".to_owned()),
        rust_version: None,
        ours: true,
        manifest: format!("{folder}/Cargo.toml"),
        dependencies: Vec::new(),
        roots: vec![format!("{folder}/src/lib.rs")],
    }
}

/// Where the findings are: `path:line`.
pub(crate) fn shown(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(Finding::place).collect()
}
