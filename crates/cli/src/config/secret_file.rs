//! Files that hold secrets.

use std::path::Path;

use crate::report::Problem;

/// What to say of a file with a secret that every user of this machine can read.
pub(crate) fn warning(path: &Path) -> Option<Problem> {
    let shown = path.display();
    // SECURITY: what everybody can read is no secret (CWE-732);
    // sec_op_09_a_configuration_with_a_secret_that_others_can_read_warns
    is_open_to_others(path).then(|| {
        Problem::new(format!("`{shown}` can be read by every user"))
            .hint(format!("chmod 600 {shown}"))
    })
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    let metadata = std::fs::metadata(path);
    metadata.is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

/// Other systems have other ways to say so.
#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}
