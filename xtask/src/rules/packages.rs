//! What every package of the lock file must fulfil.

use super::licence;
use crate::{
    finding::Finding,
    project::{Package, Project},
};

/// The compiler we promise to work with, as in `[workspace.package]`.
const COMPILER: (u32, u32) = (1, 88);

/// Packages whose licence is none of ours to weigh, with the reason.
pub(crate) const TOLERATED: &[(&str, &str)] = &[
    // Mozilla's list of root certificates under the licence for data; only Android compiles it.
    ("webpki-root-certs", "CDLA-Permissive-2.0"),
];

pub(crate) fn compiler(project: &Project) -> Vec<Finding> {
    let newer = project.packages.iter().filter(|package| {
        package
            .rust_version
            .as_deref()
            .and_then(version)
            .is_some_and(|wanted| wanted > COMPILER)
    });
    let finding = |package: &Package| {
        let Package {
            name,
            version,
            rust_version,
            ..
        } = package;
        let wanted = rust_version.as_deref().unwrap_or_default();
        Finding::of(
            "Cargo.lock",
            format!("`{name}` {version} wants Rust {wanted}"),
            format!("`cargo update --package {name} --precise` an older version, or do without it"),
        )
    };
    newer.map(finding).collect()
}

pub(crate) fn licences(project: &Project) -> Vec<Finding> {
    let refused = project.packages.iter().filter(|package| {
        let expression = package.license.as_deref().unwrap_or_default();
        !TOLERATED.contains(&(package.name.as_str(), expression))
            && !licence::is_allowed(expression)
    });
    let finding = |package: &Package| {
        let licence = package.license.as_deref().unwrap_or("no licence");
        Finding::of(
            "Cargo.lock",
            format!("`{}` {} is under {licence}", package.name, package.version),
            "choose another crate; the licences we take are in xtask/src/rules/licence.rs",
        )
    };
    refused.map(finding).collect()
}

/// `1.88` or `1.88.0`; the patch level does not matter.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
    Some((parts.next()??, parts.next().flatten().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::{compiler, licences, version};
    use crate::rules::sample::{member, project};

    #[test]
    fn a_newer_compiler_is_found() {
        let mut project = project(&[]);
        let mut packages = ["1.88.0", "1.89", "2.0", "1.9"].map(|version| {
            let mut package = member("a", "crates/a");
            package.rust_version = Some(version.to_owned());
            package
        });
        packages[3].rust_version = None;
        project.packages = packages.to_vec();
        assert_eq!(compiler(&project).len(), 2);
        assert_eq!(version("1"), Some((1, 0)));
    }

    #[test]
    fn sec_op_11_a_licence_outside_the_list_is_found() {
        let mut project = project(&[]);
        let licences_seen = [
            Some("MIT"),
            Some("GPL-3.0-only"),
            None,
            Some("CDLA-Permissive-2.0"),
        ];
        project.packages = licences_seen
            .map(|licence| {
                let mut package = member("webpki-root-certs", "crates/a");
                package.license = licence.map(str::to_owned);
                package
            })
            .to_vec();
        assert_eq!(licences(&project).len(), 2);
    }
}
