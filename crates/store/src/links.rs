//! The way to a file of keys that an operator named.
//!
//! A secret that a system mounts is often a link: in Kubernetes `portcullis.key` leads to
//! `..data/portcullis.key`, and `..data` to a folder that is exchanged as a whole. Such a link is
//! followed, because nobody else can have put it there.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::StoreError;
use crate::files::{ROOT, mode, parent, this_user};

/// More links one behind the other lead nowhere.
const MOST: usize = 8;

/// Where the file really is; as it was named, if there is nothing.
pub(crate) fn follow(named: &Path) -> Result<PathBuf, StoreError> {
    let mut path = named.to_owned();
    for followed in 0..MOST {
        let Some(name) = path.file_name() else {
            return Ok(path);
        };
        // Links on the way there are the operator's own.
        let Ok(folder) = parent(&path).canonicalize() else {
            return missing(named, followed);
        };
        let opened = open_folder(&folder).map_err(StoreError::unavailable)?;
        let link = match rustix::fs::statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_link(&stat) => stat,
            Ok(_) => return Ok(folder.join(name)),
            Err(Errno::NOENT) => return missing(named, followed),
            Err(error) => return Err(StoreError::unavailable(error)),
        };
        let place = rustix::fs::fstat(&opened).map_err(StoreError::unavailable)?;
        // SECURITY: whoever can put a link there chooses what is read as a key (CWE-59);
        // sec_st_08_a_link_to_a_key_that_others_could_put_there_is_refused
        if !is_steady(&link, &place, this_user()) {
            let what = format!(
                "others can change where the link `{}` leads",
                path.display()
            );
            let hint = "the link and its folder must be this user's or root's, and nobody else may \
                        write in the folder";
            return Err(StoreError::Place { what, hint });
        }
        let to = rustix::fs::readlinkat(&opened, name, Vec::new());
        let to = to.map_err(StoreError::unavailable)?;
        path = folder.join(as_path(to.to_bytes()));
    }
    missing(named, MOST)
}

fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

/// Whether nobody but this user and root can have put a link in that folder, or put another in its
/// place. In a sticky folder each keeps what is theirs.
fn is_steady(link: &Stat, folder: &Stat, this_user: u32) -> bool {
    let is_ours = |stat: &Stat| [this_user, ROOT].contains(&stat.st_uid);
    let is_closed = mode(folder) & 0o022 == 0 || mode(folder) & 0o1000 != 0;
    is_ours(link) && is_ours(folder) && is_closed
}

fn missing(named: &Path, followed: usize) -> Result<PathBuf, StoreError> {
    if followed == 0 {
        return Ok(named.to_owned());
    }
    Err(StoreError::Place {
        what: format!("the link `{}` leads to no key file", named.display()),
        hint: "put the key where the link leads, or name another file",
    })
}

fn as_path(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;

    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}
