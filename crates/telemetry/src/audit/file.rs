//! The file of an audit log.

use std::fs::File;
use std::path::Path;

use super::AuditError;

/// Opens a file to append to, or makes it.
pub(super) fn open(path: &Path) -> Result<File, AuditError> {
    let file = append(path)?;
    let fault = |source| AuditError::Open {
        path: path.to_owned(),
        source,
    };
    if !file.metadata().map_err(fault)?.is_file() {
        return Err(AuditError::NoFile {
            path: path.to_owned(),
        });
    }
    Ok(file)
}

#[cfg(unix)]
fn append(path: &Path) -> Result<File, AuditError> {
    use rustix::fs::{Mode, OFlags};

    // SECURITY: a link would lead the lines to a file that somebody else chose, and who reached what
    // is for its owner's eyes (CWE-59, CWE-732); sec_gw_25_the_file_is_the_owners_and_no_link
    let flags = OFlags::NOFOLLOW
        | OFlags::CREATE
        | OFlags::APPEND
        | OFlags::WRONLY
        | OFlags::CLOEXEC
        | OFlags::NONBLOCK;
    match rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(File::from(file)),
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::ISDIR | rustix::io::Errno::NXIO) => {
            Err(AuditError::NoFile {
                path: path.to_owned(),
            })
        }
        Err(error) => Err(AuditError::Open {
            path: path.to_owned(),
            source: error.into(),
        }),
    }
}

#[cfg(not(unix))]
fn append(path: &Path) -> Result<File, AuditError> {
    let mut options = std::fs::OpenOptions::new();
    let opened = options.create(true).append(true).open(path);
    opened.map_err(|source| AuditError::Open {
        path: path.to_owned(),
        source,
    })
}
