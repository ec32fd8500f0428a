//! Whether others can change a plugin's file (`--strict-plugins`), and whether it changed while it was
//! copied.

use std::fs::Metadata;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::PluginError;

/// For the whole process: a live run takes in plugins long after the command line was read.
static STRICT: AtomicBool = AtomicBool::new(false);

/// From now on plugins that others can change are refused.
pub fn be_strict() {
    STRICT.store(true, Ordering::Relaxed);
}

/// Refuses a file that others can change, where that was asked for.
///
/// As ssh does with its keys: the file, and every folder and symbolic link on the way to it, must belong to
/// this user or to root, and nobody else may write them. A folder with the sticky bit, such as `/tmp`, is no
/// danger to what lies in it: only owners rename or remove there.
///
/// # Errors
/// The first place that others can change.
pub fn check(path: &Path) -> Result<(), PluginError> {
    if STRICT.load(Ordering::Relaxed) { strict::check(path) } else { Ok(()) }
}

#[cfg(unix)]
mod strict {
    use std::collections::VecDeque;
    use std::ffi::OsString;
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::{Path, PathBuf};

    use super::PluginError;

    /// As many links as Linux follows.
    const MOST_LINKS: usize = 40;
    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;

    pub fn check(path: &Path) -> Result<(), PluginError> {
        let io = |path: &Path| {
            let path = path.to_path_buf();
            move |source| PluginError::Io { path, source }
        };
        let user = rustix::process::geteuid().as_raw();
        let absolute = std::path::absolute(path).map_err(io(path))?;
        let mut pending: VecDeque<OsString> = parts(&absolute);
        let (mut place, mut links) = (PathBuf::new(), 0);
        while let Some(part) = pending.pop_front() {
            if part == ".." {
                place.pop();
                continue;
            }
            let next = place.join(&part);
            let metadata = next.symlink_metadata().map_err(io(&next))?;
            if let Some(reason) = danger(&metadata, user) {
                return Err(PluginError::Untrusted { path: path.to_path_buf(), place: next, reason });
            }
            if !metadata.is_symlink() {
                place = next;
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(io(path)(std::io::Error::other("too many symbolic links")));
            }
            // A link that is absolute starts anew, since joining replaces the path.
            for part in parts(&next.read_link().map_err(io(&next))?).into_iter().rev() {
                pending.push_front(part);
            }
        }
        Ok(())
    }

    fn parts(path: &Path) -> VecDeque<OsString> {
        path.components().map(|part| part.as_os_str().to_owned()).filter(|part| part != ".").collect()
    }

    /// How somebody else than this user and root can change it.
    fn danger(metadata: &Metadata, user: u32) -> Option<String> {
        let (owner, mode) = (metadata.uid(), metadata.mode());
        if owner != 0 && owner != user {
            return Some(format!("belongs to another user ({owner}); take a copy of your own"));
        }
        let is_shielded = metadata.is_symlink() || metadata.is_dir() && mode & STICKY != 0;
        let is_open = mode & WRITABLE_BY_OTHERS != 0 && !is_shielded;
        is_open.then(|| format!("has mode {:04o}; take that right away with `chmod go-w`", mode & 0o7777))
    }

    #[cfg(test)]
    mod tests {
        use std::fs::{self, Permissions};
        use std::os::unix::fs::{PermissionsExt as _, symlink};

        use super::*;

        fn mode(path: &Path, mode: u32) {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }

        #[test]
        fn files_and_folders_that_others_can_write_are_refused() {
            let folder = tempfile::tempdir().unwrap();
            let inner = folder.path().join("inner");
            fs::create_dir(&inner).unwrap();
            let file = inner.join("plugin.so");
            fs::write(&file, "").unwrap();
            mode(&inner, 0o755);
            mode(&file, 0o644);
            check(&file).unwrap();
            for (path, bits) in [(&file, 0o666), (&file, 0o664), (&inner, 0o777), (&inner, 0o775)] {
                let before = path.metadata().unwrap().permissions();
                mode(path, bits);
                let error = check(&file).unwrap_err().to_string();
                assert!(
                    error.contains(&format!("{} has mode {bits:04o}", path.display()))
                        && error.contains("chmod go-w"),
                    "{error}"
                );
                fs::set_permissions(path, before).unwrap();
            }
            mode(&inner, 0o1777);
            check(&file).expect("nobody else renames what lies in a folder with the sticky bit");
        }

        #[test]
        fn every_folder_on_the_way_through_links_counts() {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            for name in ["safe", "open"] {
                fs::create_dir(at(name)).unwrap();
                mode(&at(name), 0o755);
            }
            fs::write(at("safe/plugin.so"), "").unwrap();
            mode(&at("safe/plugin.so"), 0o644);
            symlink("../safe/plugin.so", at("open/link.so")).unwrap();
            symlink(at("open/link.so"), at("first.so")).unwrap();
            check(&at("first.so")).unwrap();
            mode(&at("open"), 0o777);
            let error = check(&at("first.so")).unwrap_err().to_string();
            assert!(error.contains("open has mode 0777"), "{error}");
            symlink("round.so", at("round.so")).unwrap();
            assert!(check(&at("round.so")).unwrap_err().to_string().contains("too many symbolic links"));
        }
    }
}

#[cfg(not(unix))]
mod strict {
    use std::path::Path;

    use super::PluginError;

    pub fn check(path: &Path) -> Result<(), PluginError> {
        let reason = "cannot be checked: --strict-plugins knows the rights of Unix alone".to_owned();
        Err(PluginError::Untrusted { path: path.to_path_buf(), place: path.to_path_buf(), reason })
    }
}

/// A file as it was at a moment: one that is written to while it is copied is told by it.
#[derive(PartialEq, Eq)]
pub struct Identity(#[cfg(unix)] [i128; 7], #[cfg(not(unix))] (u64, Option<std::time::SystemTime>));

impl From<&Metadata> for Identity {
    #[cfg(unix)]
    fn from(file: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()].map(i128::from);
        let [mtime, mtime_nsec, ctime, ctime_nsec] = times;
        Self([file.dev().into(), file.ino().into(), file.size().into(), mtime, mtime_nsec, ctime, ctime_nsec])
    }

    #[cfg(not(unix))]
    fn from(file: &Metadata) -> Self {
        Self((file.len(), file.modified().ok()))
    }
}
