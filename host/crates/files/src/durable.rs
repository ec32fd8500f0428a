//! Files and folders that appear whole under their names, and on disk, or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::{NamedTempFile, TempDir};

/// For a temporary file (`mode` 0o666) or folder (0o777) that is to last: readable by whom the user's mask
/// lets, where temporary ones are their owner's alone.
pub fn temporary<'b>(mode: u32) -> tempfile::Builder<'b, 'b> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    let _ = mode;
    builder
}

/// The folder that a file lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes a file; an earlier one of its name is replaced.
///
/// # Errors
/// The folder cannot be written, or the disk is full; the earlier file is as it was.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes)?;
    persist(file, path)
}

/// A temporary file that is to get the name `path` with [`persist`], with the permissions of one that is
/// there.
///
/// # Errors
/// The folder cannot be written.
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let file = temporary(0o666).tempfile_in(folder_of(path))?;
    if let Ok(before) = path.metadata() {
        file.as_file().set_permissions(before.permissions())?;
    }
    Ok(file)
}

/// Copies a file.
///
/// # Errors
/// As [`write()`], or it cannot be read.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut file = temporary(0o666).tempfile_in(folder_of(to))?;
    io::copy(&mut File::open(from)?, &mut file)?;
    persist(file, to)
}

/// Gives a temporary file of the same folder its name.
///
/// # Errors
/// As [`write()`].
pub fn persist(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    sync_folder(folder_of(path))
}

/// Gives a temporary folder beside `path` that name, in one step where the file system can, and removes the
/// folder that had it.
///
/// # Errors
/// The folder cannot be written; the earlier one is as it was.
pub fn replace_folder(fresh: TempDir, path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_err() {
        fs::rename(fresh.path(), path)?;
        // It has another name now: nothing is left to clean up.
        let _ = fresh.keep();
        return sync_folder(folder_of(path));
    }
    match exchange(fresh.path(), path) {
        // The old one is under the temporary name, and goes.
        Ok(()) => sync_folder(folder_of(path)).and_then(|()| fresh.close()),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            // Under a name of its own, which nobody cleans up, until the new one is there.
            let old = temporary(0o777).prefix(".replaced-").tempdir_in(folder_of(path))?.keep();
            fs::rename(path, &old)?;
            if let Err(error) = fs::rename(fresh.path(), path) {
                fs::rename(&old, path)?;
                return Err(error);
            }
            let _ = fresh.keep();
            sync_folder(folder_of(path)).and_then(|()| fs::remove_dir_all(&old))
        }
        Err(error) => Err(error),
    }
}

/// Removes a folder: its name first, so that no part of it is left there. Under the name that `temporary`
/// gives it meanwhile, its owner finds what a process that was killed left.
///
/// # Errors
/// It cannot be removed.
pub fn remove_folder(path: &Path, temporary: &tempfile::Builder<'_, '_>) -> io::Result<()> {
    let aside = temporary.tempdir_in(folder_of(path))?;
    // Over the empty folder.
    fs::rename(path, aside.path())?;
    aside.close()
}

/// A new name is only on disk when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Two files or folders take each other's names, at once.
fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).map_err(|error| match error {
            // What file systems say that cannot.
            Errno::INVAL | Errno::NOSYS | Errno::NOTSUP => io::ErrorKind::Unsupported.into(),
            other => other.into(),
        })
    }
    #[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
    {
        let _ = (one, other);
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(parent: &Path, text: &str) -> TempDir {
        let folder = temporary(0o777).prefix(".writing-").tempdir_in(parent).unwrap();
        fs::write(folder.path().join("file"), text).unwrap();
        folder
    }

    #[test]
    fn a_folder_takes_the_place_of_another_and_nothing_is_left() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("name");
        for text in ["first", "second"] {
            replace_folder(folder_with(parent.path(), text), &path).unwrap();
            assert_eq!(fs::read_to_string(path.join("file")).unwrap(), text);
            assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
        }
        remove_folder(&path, &temporary(0o777)).unwrap();
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_permissions() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        write(&path, b"one").unwrap();
        let mut permissions = path.metadata().unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        write(&path, b"two").unwrap();
        assert!(path.metadata().unwrap().permissions().readonly());
        assert_eq!(fs::read(&path).unwrap(), b"two");
    }
}
