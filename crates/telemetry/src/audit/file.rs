//! The file of an audit log.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::AuditError;

/// Opens a file to append to, or makes it.
pub(super) fn open(path: &Path) -> Result<File, AuditError> {
    let mut file = append(path)?;
    let fault = |source| AuditError::Open {
        path: path.to_owned(),
        source,
    };
    if !file.metadata().map_err(fault)?.is_file() {
        return Err(AuditError::NoFile {
            path: path.to_owned(),
        });
    }
    end_line(&mut file).map_err(fault)?;
    Ok(file)
}

/// Whoever wrote to the file before may have been killed within a line, or the disk was full.
fn end_line(file: &mut File) -> io::Result<()> {
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last != *b"\n" {
        file.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(unix)]
fn append(path: &Path) -> Result<File, AuditError> {
    use rustix::fs::{Mode, OFlags};

    // SECURITY: a link would lead the lines to a file that somebody else chose, and who reached what
    // is for its owner's eyes (CWE-59, CWE-732); sec_gw_25_the_file_is_the_owners_and_no_link
    let flags = OFlags::NOFOLLOW
        | OFlags::CREATE
        | OFlags::APPEND
        | OFlags::RDWR
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
    let opened = options.create(true).read(true).append(true).open(path);
    opened.map_err(|source| AuditError::Open {
        path: path.to_owned(),
        source,
    })
}
