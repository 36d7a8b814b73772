//! The head of the index that `SQLite` keeps of its log, in the file `-shm`: whether anybody has
//! committed anything, for the price of one small read.
//!
//! `SQLite` promises of it (its "WAL-mode File Format", section 2.1): every process that has the
//! database open maps this file, and its first 96 bytes are two copies of one head. A commit writes
//! the second copy and then the first, before it is answered, and no reader takes a head whose copies
//! differ. A head holds a count of commits, how far the log reaches, a checksum over all of that, and
//! a salt that is another one whenever the log starts over. So while the bytes are those that they
//! were, nothing was committed. They may differ without a commit, after a checkpoint or when the file
//! was made anew from the log: that is one needless look and nothing more. So is a head that is read
//! while it is written: as a whole it equals none that comes later.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};

/// Both copies, as they are in the file.
pub(super) type Head = [u8; 96];

/// Whether what one process maps and another one reads is the same memory. Elsewhere nobody says.
pub(super) const IS_COHERENT: bool = cfg!(any(
    target_os = "linux",
    target_os = "android",
    target_os = "freebsd",
    target_vendor = "apple"
));

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Of what is at a path now. A link there is not followed.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        std::fs::symlink_metadata(path).map(|found| Self::of(&found))
    }

    fn of(found: &Metadata) -> Self {
        Self {
            device: found.dev(),
            inode: found.ino(),
        }
    }
}

/// The file, open to be read.
pub(super) struct Index {
    id: FileId,
    /// None while it is dropped.
    file: Option<Arc<File>>,
}

/// All that this process has open, and how many use each.
///
/// The locks that `SQLite` holds belong to the process and the file: whoever closes any descriptor of
/// the file lets go of all of them. So each file is open once, and is closed when nobody in this
/// process uses its database any more.
static OPEN: Mutex<BTreeMap<FileId, (Arc<File>, usize)>> = Mutex::new(BTreeMap::new());

impl Index {
    /// Opens it, beside a connection that stays open for as long.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut all = open_files();
        let id = FileId::at(path)?;
        let file = match all.entry(id) {
            Entry::Occupied(mut entry) => {
                let (file, users) = entry.get_mut();
                *users += 1;
                Arc::clone(file)
            }
            Entry::Vacant(entry) => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
                let found = file.metadata().map(|found| FileId::of(&found));
                if !matches!(found, Ok(found) if found == id) {
                    // It may be one that is open here already, and must not be closed.
                    std::mem::forget(file);
                    return Err(io::ErrorKind::ResourceBusy.into());
                }
                let file = Arc::new(file);
                entry.insert((Arc::clone(&file), 1));
                file
            }
        };
        let file = Some(file);
        Ok(Self { id, file })
    }

    /// Which file it is.
    pub(super) const fn id(&self) -> FileId {
        self.id
    }

    /// The head, as of now.
    pub(super) fn head(&self) -> io::Result<Head> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let mut head = [0; size_of::<Head>()];
        file.read_exact_at(&mut head, 0)?;
        Ok(head)
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        // It is closed before anybody else opens it anew.
        let mut all = open_files();
        drop(self.file.take());
        if let Entry::Occupied(mut entry) = all.entry(self.id) {
            let (_, users) = entry.get_mut();
            *users -= 1;
            if *users == 0 {
                entry.remove();
            }
        }
    }
}

fn open_files() -> MutexGuard<'static, BTreeMap<FileId, (Arc<File>, usize)>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
