//! Folders and files that nobody else may touch.
//!
//! Nothing in here follows a link in the last part of a path, and what is looked at is what was
//! opened. The database itself is never opened here: closing it would let go of the locks that
//! SQLite holds for this process.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use portcullis_oauth::crypto::hex;
use portcullis_oauth::{Entropy, SecretString};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::StoreError;

const OWNER_ONLY: Mode = Mode::RUSR.union(Mode::WUSR);
/// Bytes of a file of keys at most.
const MAX_KEY_FILE: u64 = 64 * 1024;
/// Whoever is this can do everything.
pub(crate) const ROOT: u32 = 0;

/// A folder that was looked at.
pub(crate) struct Folder {
    /// Where it really is: no part of it is a link.
    path: PathBuf,
    folder: File,
}

impl Folder {
    /// A folder of ours alone, which is made if there is none.
    #[cfg(feature = "sqlite")]
    pub(crate) fn private(path: &Path) -> Result<Self, StoreError> {
        // `folder/` would follow a link that is `folder`.
        let path: &PathBuf = &path.components().collect();
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(path);
        let folder = made.and_then(|()| open(path, OFlags::DIRECTORY));
        let folder = folder.map_err(|error| {
            let what = format!("the folder `{}` cannot be used: {error}", path.display());
            let hint = "it must be a folder of this user, or be in one, and no link";
            StoreError::Place { what, hint }
        })?;
        let stat = stat(&folder, path)?;
        // SECURITY: whoever may write in the folder can put another key or database there, and
        // whoever may read takes a copy; sec_st_08_a_folder_that_others_reach_is_refused
        if stat.st_uid != this_user() {
            return Err(anothers(path));
        }
        if mode(&stat) & 0o077 != 0 {
            let what = format!("others can reach the folder `{}`", path.display());
            let hint = "make it yours alone: `chmod 700`";
            return Err(StoreError::Place { what, hint });
        }
        Self::opened(path, folder)
    }

    /// The folder of a file that is protected by itself. It is made if there is none, for this user
    /// alone.
    pub(crate) fn of(file: &Path) -> Result<Self, StoreError> {
        let path = parent(file);
        if !path.exists() {
            let mut builder = DirBuilder::new();
            let made = builder.recursive(true).mode(0o700).create(path);
            made.map_err(|error| StoreError::Place {
                what: format!("the folder `{}` cannot be made: {error}", path.display()),
                hint: "make it, or name another",
            })?;
        }
        // Links on the way there are the operator's own.
        let found = path.canonicalize();
        let opened = found.and_then(|path| Ok((open(&path, OFlags::DIRECTORY)?, path)));
        let (folder, path) = opened.map_err(|error| StoreError::Place {
            what: format!("the folder `{}` cannot be used: {error}", path.display()),
            hint: "make it, or name another",
        })?;
        let stat = stat(&folder, &path)?;
        // SECURITY: whose the folder is can take the files away, and put back what they once were;
        // where everybody may write, everybody can put another file in the place of one;
        // sec_st_08_a_folder_that_others_reach_is_refused
        if ![this_user(), ROOT].contains(&stat.st_uid) {
            return Err(anothers(&path));
        }
        if mode(&stat) & 0o002 != 0 {
            let what = format!("everybody can write in the folder `{}`", path.display());
            let hint = "take a folder of this user, or `chmod o-w` this one";
            return Err(StoreError::Place { what, hint });
        }
        Self::opened(&path, folder)
    }

    fn opened(path: &Path, folder: File) -> Result<Self, StoreError> {
        let path = path.canonicalize().map_err(StoreError::unavailable)?;
        Ok(Self { path, folder })
    }

    /// The path of a file that is in it, where nobody else can read it; an empty one is made if there
    /// is none.
    #[cfg(feature = "sqlite")]
    pub(crate) fn database(
        &self,
        name: &Path,
        entropy: &dyn Entropy,
    ) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        if !self.publish(name, b"", entropy)? {
            let stat = rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW);
            judge(&path, &stat.map_err(StoreError::unavailable)?)?;
        }
        Ok(path)
    }

    /// Makes a file with that content, whole and on the disk, unless there is something of that name.
    /// Whether it did.
    pub(crate) fn publish(
        &self,
        name: &Path,
        content: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<bool, StoreError> {
        if rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            return Ok(false);
        }
        let mut random = [0; 8];
        entropy.fill(&mut random)?;
        let draft = format!(".{}.new", hex::encode(random));
        let made = self.write(&draft, content).and_then(|()| {
            // SECURITY: a rename would put the key of a second process over that of the first, which
            // the store is sealed under; sec_st_10_of_many_that_begin_at_once_one_makes_the_key
            let (from, to) = (&self.folder, &self.folder);
            match rustix::fs::linkat(from, &draft, to, name, AtFlags::empty()) {
                Ok(()) => Ok(true),
                Err(Errno::EXIST) => Ok(false),
                Err(error) => Err(error.into()),
            }
        });
        let removed = rustix::fs::unlinkat(&self.folder, &draft, AtFlags::empty());
        let made = made.and_then(|made| {
            removed?;
            rustix::fs::fsync(&self.folder)?;
            Ok(made)
        });
        made.map_err(|error| StoreError::Place {
            what: format!("no file can be made in `{}`: {error}", self.path.display()),
            hint: "this user must be able to make and link files there",
        })
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, name, flags, OWNER_ONLY)?;
        let mut file = File::from(file);
        file.write_all(content)?;
        file.sync_all()
    }
}

/// The folder of a file, by its name alone.
pub(crate) fn parent(file: &Path) -> &Path {
    let parent = file.parent().filter(|parent| *parent != Path::new(""));
    parent.unwrap_or(Path::new("."))
}

/// The secrets in a file of keys, one a line; nothing if there is no file.
pub(crate) fn read_secrets(path: &Path) -> Result<Option<Vec<SecretString>>, StoreError> {
    // Not held up by a pipe that nobody writes to.
    let file = match open(path, OFlags::NONBLOCK | OFlags::NOCTTY) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let what = format!("the key file `{}` cannot be read: {error}", path.display());
            let hint = "it must be a file that this user can read, and no link";
            return Err(StoreError::Place { what, hint });
        }
    };
    judge_key(path, &stat(&file, path)?)?;
    let mut text = Zeroizing::new(String::with_capacity(4096));
    let read = file.take(MAX_KEY_FILE + 1).read_to_string(&mut text);
    let read = read.map_err(|error| StoreError::Place {
        what: format!("the key file `{}` cannot be read: {error}", path.display()),
        hint: "put the key back from where it was saved",
    })?;
    // SECURITY: half of a key is a key that opens nothing, and may seal everything;
    // sec_st_05_a_key_file_that_is_too_long_is_refused
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_KEY_FILE {
        let what = format!("the key file `{}` has more than 64 KiB", path.display());
        let hint = "a key is a line of text; name the file that holds it";
        return Err(StoreError::Place { what, hint });
    }
    let lines = text.lines().map(str::trim);
    let secrets = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(Some(secrets.map(SecretString::from).collect()))
}

/// A file must be a regular one, of this user, and readable to nobody else.
#[cfg(feature = "sqlite")]
fn judge(path: &Path, stat: &Stat) -> Result<(), StoreError> {
    judge_kind(path, stat)?;
    // SECURITY: what others read is no secret, and what others write is not ours;
    // sec_st_08_a_file_that_others_reach_is_refused
    if stat.st_uid != this_user() {
        return Err(anothers(path));
    }
    if mode(stat) & 0o077 != 0 {
        let what = format!("others can reach `{}`", path.display());
        let hint = "make it yours alone: `chmod 600`";
        return Err(StoreError::Place { what, hint });
    }
    Ok(())
}

/// A file of keys may also be one of root's that its group reads, as a secret that a system mounts
/// for a service is. `PostgreSQL` takes the same ones.
fn judge_key(path: &Path, stat: &Stat) -> Result<(), StoreError> {
    judge_kind(path, stat)?;
    // SECURITY: what others read is no secret, and what others write is not ours;
    // sec_st_08_a_file_that_others_reach_is_refused
    if is_private(stat.st_uid, mode(stat), this_user()) {
        return Ok(());
    }
    if ![this_user(), ROOT].contains(&stat.st_uid) {
        return Err(anothers(path));
    }
    Err(StoreError::Place {
        what: format!("others can reach `{}`", path.display()),
        hint: "make it this user's alone: `chmod 600`; one of root's may have `chmod 640`",
    })
}

fn anothers(path: &Path) -> StoreError {
    StoreError::Place {
        what: format!("`{}` belongs to another user", path.display()),
        hint: "run this as that user, as in `sudo -u portcullis portcullis ..`",
    }
}

fn is_private(owner: u32, mode: u32, this_user: u32) -> bool {
    let too_much = match owner {
        owner if owner == this_user => 0o077,
        ROOT => 0o037,
        _ => return false,
    };
    mode & too_much == 0
}

fn judge_kind(path: &Path, stat: &Stat) -> Result<(), StoreError> {
    // SECURITY: a link, a pipe or a device leads elsewhere (CWE-59);
    // sec_st_08_links_in_the_place_of_a_file_are_refused
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        let what = format!("`{}` is no regular file", path.display());
        let hint = "put the file itself there, no link to it";
        return Err(StoreError::Place { what, hint });
    }
    Ok(())
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn stat(file: &File, path: &Path) -> Result<Stat, StoreError> {
    rustix::fs::fstat(file).map_err(|error| StoreError::Place {
        what: format!("`{}` cannot be looked at: {error}", path.display()),
        hint: "name another place",
    })
}

pub(crate) fn mode(stat: &Stat) -> u32 {
    Mode::from_raw_mode(stat.st_mode).bits()
}

pub(crate) fn this_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_st_08_a_file_that_others_reach_is_refused() {
        const ME: u32 = 1000;
        for (owner, mode, is_fine) in [
            (ME, 0o600, true),
            (ME, 0o400, true),
            (ME, 0o640, false),
            (ME, 0o604, false),
            (ROOT, 0o440, true),
            (ROOT, 0o640, true),
            (ROOT, 0o644, false),
            (ROOT, 0o660, false),
            (ROOT, 0o450, false),
            (1001, 0o600, false),
            (1001, 0o440, false),
        ] {
            assert_eq!(is_private(owner, mode, ME), is_fine, "{owner} {mode:o}");
        }
        assert!(
            !is_private(ROOT, 0o640, ROOT),
            "root's own are as anybody's"
        );
    }
}
