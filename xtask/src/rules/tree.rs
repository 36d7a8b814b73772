//! What the resolved dependency tree must not hold.

use anyhow::Result;

use crate::{
    finding::Finding,
    process::{cargo, read},
    project::Project,
};

/// The vocabulary crate decides and does nothing: none of these can be below it.
const NOT_BELOW_OAUTH: &[&str] = &[
    "tokio",
    "axum",
    "hyper",
    "reqwest",
    "rmcp",
    "getrandom",
    "rand",
];

/// One crypto library, one TLS library.
const BANNED: &[(&str, &str)] = &[
    (
        "ring",
        "turn on the `aws-lc-rs` feature of whoever pulls it in, and its default features off",
    ),
    ("rsa", "use `portcullis_oauth::crypto`"),
    (
        "openssl",
        "turn on the `rustls` feature of whoever pulls it in",
    ),
    (
        "openssl-sys",
        "turn on the `rustls` feature of whoever pulls it in",
    ),
    (
        "native-tls",
        "turn on the `rustls` feature of whoever pulls it in",
    ),
    ("jsonwebtoken", "use `portcullis_oauth::jose`"),
];

pub(crate) fn oauth(project: &Project) -> Result<Vec<Finding>> {
    let tree = tree(
        project,
        &[
            "--package",
            "portcullis-oauth",
            "--edges",
            "normal",
            "--all-features",
        ],
    )?;
    let below = NOT_BELOW_OAUTH
        .iter()
        .filter(|name| packages(&tree).any(|package| package == **name));
    let finding = |name: &&str| {
        Finding::of(
            "crates/oauth/Cargo.toml",
            format!("`{name}` is below `portcullis-oauth`"),
            format!(
                "`cargo tree --package portcullis-oauth --all-features --invert {name}` shows who brings it"
            ),
        )
    };
    Ok(below.map(finding).collect())
}

pub(crate) fn resource_server(project: &Project) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for features in [&[] as &[&str], &["--all-features"]] {
        let mut arguments = vec![
            "--package",
            "portcullis-resource-server",
            "--edges",
            "features,no-dev",
        ];
        arguments.extend(features);
        findings.extend(signers(&tree(project, &arguments)?));
    }
    findings.dedup();
    Ok(findings)
}

pub(crate) fn banned(project: &Project) -> Result<Vec<Finding>> {
    let tree = tree(project, &["--workspace", "--all-features"])?;
    Ok(banned_in(&tree))
}

fn signers(tree: &str) -> Vec<Finding> {
    let manifest = "crates/resource-server/Cargo.toml";
    let mut findings = Vec::new();
    if tree
        .lines()
        .any(|line| line.starts_with("portcullis-oauth feature \"sign\""))
    {
        findings.push(Finding::of(
            manifest,
            "the feature `portcullis-oauth/sign` is on",
            "turn it on in the crate that signs, or in dev-dependencies",
        ));
    }
    if packages(tree).any(|package| package == "portcullis-authorization-server") {
        findings.push(Finding::of(
            manifest,
            "`portcullis-authorization-server` is below it",
            "move what both need into `portcullis-resource-server`",
        ));
    }
    findings
}

fn banned_in(tree: &str) -> Vec<Finding> {
    let found = BANNED
        .iter()
        .filter(|(name, _)| packages(tree).any(|package| package == *name));
    let finding = |(name, mend): &(&str, &str)| {
        let mend = format!(
            "{mend}; `cargo tree --workspace --all-features --target all --invert {name}` shows who brings it"
        );
        Finding::of("Cargo.lock", format!("`{name}` is in the tree"), mend)
    };
    found.map(finding).collect()
}

/// `cargo tree` for all platforms, one package a line, without drawing.
fn tree(project: &Project, arguments: &[&str]) -> Result<String> {
    let head = ["tree", "--locked", "--target", "all", "--prefix", "none"];
    read(&mut cargo(
        &project.root,
        head.iter().chain(arguments).copied(),
    ))
}

/// The packages named in a tree.
fn packages(tree: &str) -> impl Iterator<Item = &str> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::{banned_in, signers};

    #[test]
    fn sec_op_11_a_second_crypto_library_is_found() {
        assert_eq!(
            banned_in("a v1.0.0\nring v0.17.0\nringbuf v1.0.0\nrsa v0.9.0 (*)\n").len(),
            2
        );
        assert!(banned_in("ringbuf v1.0.0\nopenssl-probe v0.1.0\n").is_empty());
    }

    #[test]
    fn a_verifier_that_can_sign_is_found() {
        let tree = "portcullis-resource-server v0.1.0\nportcullis-oauth feature \"default\"\n";
        assert!(signers(tree).is_empty());
        assert_eq!(
            signers(&format!("{tree}portcullis-oauth feature \"sign\"\n")).len(),
            1
        );
        assert_eq!(
            signers(&format!("{tree}portcullis-authorization-server v0.1.0\n")).len(),
            1
        );
    }
}
