//! A private copy of a plugin's file: what is opened is what was hashed.
//!
//! Between hashing a file and opening it by its path, somebody who may write to its folder can put another in
//! its place. So the bytes are copied once, hashed on the way, and the copy is opened, which nobody else can
//! change. On Linux it lies in memory, sealed; elsewhere in a folder that only this user may enter.
//!
//! A copy has a path of its own: a plugin that is built anew under its old path is another library to the
//! system's loader.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::trust::{self, Identity};
use super::{PluginError, dependencies, whole};
use thaw_files::sha256::Sha256Writer;

/// Where a private copy of a plugin lies, for this process and its children.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PluginFile {
    /// The plugin's own path, without symbolic links.
    pub path: PathBuf,
    /// What is opened.
    pub opened: PathBuf,
    /// SHA-256 of the copy, hexadecimal.
    pub sha256: String,
}

/// A private copy of a plugin; gone when this is dropped, but for what is mapped of it.
pub struct Snapshot {
    file: PluginFile,
    place: Place,
}

/// What keeps a copy there.
enum Place {
    /// A file in memory, opened through its number.
    #[cfg(target_os = "linux")]
    Memory(File),
    /// A folder of this user's own.
    Folder(#[expect(dead_code, reason = "removes the folder when it is dropped")] TempDir),
}

impl Snapshot {
    /// Copies and hashes a file; refuses it where `--strict-plugins` does.
    ///
    /// # Errors
    /// Others can change the file, it cannot be read, or it is being written.
    pub fn take(path: &Path) -> Result<Self, PluginError> {
        trust::check(path)?;
        let io = |source| PluginError::Io { path: path.to_path_buf(), source };
        let found = path.canonicalize().map_err(io)?;
        let mut original = File::open(&found).map_err(io)?;
        let identity = Identity::from(&original.metadata().map_err(io)?);
        let (opened, place, sha256) = private_copy(&found, &mut original).map_err(io)?;
        // The copy of a file that is being written is half old and half new.
        if Identity::from(&original.metadata().map_err(io)?) != identity {
            return Err(PluginError::Changed { path: path.to_path_buf() });
        }
        Ok(Self { file: PluginFile { path: found, opened, sha256 }, place })
    }

    /// Where it lies.
    pub fn file(&self) -> &PluginFile {
        &self.file
    }

    /// The same for child processes, as long as this one and the snapshot are there.
    pub fn for_children(&self) -> PluginFile {
        let mut file = self.file.clone();
        #[cfg(target_os = "linux")]
        if let Place::Memory(memory) = &self.place {
            use std::os::fd::AsRawFd as _;
            file.opened = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd()).into();
        }
        file
    }

    /// Leaves the copy where it is until this process ends: a library of it is mapped. The loader knows
    /// libraries by their path, so that its number may not be another file's.
    pub fn keep(self) {
        match self.place {
            #[cfg(target_os = "linux")]
            Place::Memory(memory) => std::mem::forget(memory),
            Place::Folder(_) => {}
        }
    }
}

impl PluginFile {
    /// Maps the library with all its symbols, where it is all there; errors name `shown`. It is never closed.
    ///
    /// # Errors
    /// The file cannot be read, or the system's loader refuses it.
    pub fn map(&self, shown: &Path) -> Result<(), PluginError> {
        let io = |source| PluginError::Io { path: shown.to_path_buf(), source };
        if let Some(reason) = whole::missing(&self.opened).map_err(io)? {
            return Err(PluginError::NoLibrary { path: shown.to_path_buf(), reason });
        }
        dependencies::open_those_beside(&self.path, &self.opened).map_err(io)?;
        super::open::open_now(shown, &self.opened)
    }
}

/// Copies `original`, an open file of this path; gives the copy's path, what keeps it there, and its SHA-256.
fn private_copy(path: &Path, original: &mut File) -> io::Result<(PathBuf, Place, String)> {
    #[cfg(target_os = "linux")]
    match in_memory(path, original) {
        Ok(copied) => return Ok(copied),
        Err(error) => {
            use std::io::Seek as _;
            tracing::debug!("{}: no copy in memory ({error}), takes a folder of its own", path.display());
            original.rewind()?;
        }
    }
    in_folder(path, original)
}

#[cfg(target_os = "linux")]
fn in_memory(path: &Path, original: &mut File) -> io::Result<(PathBuf, Place, String)> {
    use std::os::fd::AsRawFd as _;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // Debuggers and /proc/PID/maps show the name; the system takes 249 bytes of it.
    let name: String = name.chars().filter(|character| *character != '\0').take(60).collect();
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Older kernels do not know the flag, and take files in memory for executable.
    let memory = memfd_create(&name, flags | MemfdFlags::EXEC).or_else(|_| memfd_create(&name, flags))?;
    let mut memory = File::from(memory);
    let lifted = FileSizeLimit::lift();
    let sha256 = copy(original, &mut memory);
    drop(lifted);
    let sha256 = sha256?;
    fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL)?;
    let opened = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    // Without /proc, or where its links may not be followed.
    File::open(&opened)?;
    Ok((opened, Place::Memory(memory), sha256))
}

/// The limit on the size of files that this process writes (`ulimit -f`), lifted as far as the system lets it
/// while this lives. A file in memory counts like one on a disk, which the limit is meant for.
#[cfg(target_os = "linux")]
struct FileSizeLimit(rustix::process::Rlimit);

#[cfg(target_os = "linux")]
impl FileSizeLimit {
    fn lift() -> Self {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Fsize);
        // Where it cannot be, copying fails with an error that says so.
        let _ = setrlimit(Resource::Fsize, Rlimit { current: before.maximum, maximum: before.maximum });
        Self(before)
    }
}

#[cfg(target_os = "linux")]
impl Drop for FileSizeLimit {
    fn drop(&mut self) {
        let _ = rustix::process::setrlimit(rustix::process::Resource::Fsize, self.0);
    }
}

/// A folder that only this user may enter.
fn in_folder(path: &Path, original: &mut File) -> io::Result<(PathBuf, Place, String)> {
    let mut folder = tempfile::Builder::new();
    folder.prefix("thaw-plugin-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Whatever the umask says.
        folder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    let folder = folder.tempdir()?;
    let opened = folder.path().join(path.file_name().unwrap_or_default());
    let mut file = File::create_new(&opened)?;
    let sha256 = copy(original, &mut file)?;
    Ok((opened, Place::Folder(folder), sha256))
}

fn copy(from: &mut File, to: &mut File) -> io::Result<String> {
    let mut to = Sha256Writer::new(io::BufWriter::with_capacity(1 << 20, to));
    io::copy(&mut io::BufReader::with_capacity(1 << 20, from), &mut to)?;
    to.flush()?;
    Ok(to.finish()?.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use thaw_files::sha256::sha256_file;

    #[test]
    fn a_file_that_is_exchanged_after_it_was_hashed_is_not_what_is_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libmine.so");
        std::fs::write(&path, "mine").unwrap();
        let snapshot = Snapshot::take(&path).unwrap();
        assert_eq!(snapshot.file().sha256, sha256_file(&path).unwrap());
        std::fs::write(&path, "another's").unwrap();
        for file in [snapshot.file().clone(), snapshot.for_children()] {
            assert_eq!(std::fs::read(&file.opened).unwrap(), b"mine");
            assert!(std::fs::write(&file.opened, "x").is_err() || cfg!(not(target_os = "linux")));
        }
        assert_ne!(Snapshot::take(&path).unwrap().file().opened, snapshot.file().opened);
    }

    #[test]
    fn where_no_copy_in_memory_can_be_had_a_private_folder_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libmine.so");
        std::fs::write(&path, "mine").unwrap();
        let (opened, place, sha256) = in_folder(&path, &mut File::open(&path).unwrap()).unwrap();
        assert_eq!(sha256, sha256_file(&path).unwrap());
        assert_eq!(std::fs::read(&opened).unwrap(), b"mine");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = opened.parent().unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "nobody else may enter it");
        }
        drop(place);
        assert!(!opened.exists());
    }
}
