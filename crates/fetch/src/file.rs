//! Files that are read without a wait for somebody who writes.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The bytes of a file, which may be behind a link.
///
/// # Errors
///
/// Whatever the operating system says; [`io::ErrorKind::InvalidInput`] where it is a pipe, a device
/// or a folder, and [`io::ErrorKind::FileTooLarge`] where there are more than `most` bytes.
pub fn read(path: impl AsRef<Path>, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path.as_ref())?;
    // SECURITY: a pipe in a file's place would hold its reader until somebody writes, and a device
    // has no end (CWE-400); sec_op_09_what_is_no_file_is_not_read
    if !file.metadata()?.is_file() {
        let fault = "it is no regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, fault));
    }
    let mut bytes = Vec::new();
    let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(read).is_ok_and(|read| read <= most) {
        return Ok(bytes);
    }
    let fault = format!("it is longer than {most} bytes");
    Err(io::Error::new(io::ErrorKind::FileTooLarge, fault))
}

/// Opens a file without a wait, even where it is a pipe that nobody writes to.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use rustix::fs::{Mode, OFlags};

    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// What reading gives, unless it waits for somebody who never comes.
    fn read_soon(path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let (say, said) = mpsc::channel();
        let path = path.to_owned();
        std::thread::spawn(move || say.send(read(path, most)));
        said.recv_timeout(Duration::from_secs(10)).unwrap()
    }

    #[test]
    fn sec_op_09_what_is_no_file_is_not_read() {
        let folder = std::env::temp_dir().join(format!("portcullis-file-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let pipe = folder.join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [pipe.as_path(), Path::new("/dev/zero"), &folder] {
            let error = read_soon(path, 10).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
        let (file, link) = (folder.join("file"), folder.join("link"));
        std::fs::write(&file, "0123456789").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read(&link, 10).unwrap(), b"0123456789");
        let error = read(&link, 9).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
