//! Who computes features: of several runs that need the same, one; the others wait for its file.
//!
//! A claim is a lock on a file beside the features, which the system gives back when its owner ends, however
//! it ends. The owner's number in the file is for people. Whoever lets a claim go removes its file while
//! holding it: one who waited for a file that is gone by then asks again.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const CLAIM: &str = ".computing-";

/// This process computes the features of a key, until this is dropped.
#[derive(Debug)]
pub struct Claim {
    /// None where the file system has no locks: then all compute.
    held: Option<(File, PathBuf)>,
}

/// What came of asking for a claim.
#[derive(Debug)]
pub enum Claimed {
    /// It is this process' own.
    Own(Claim),
    /// Another run computes the same: the process of this number, where it can be read.
    Elsewhere(Option<u32>),
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((file, path)) = self.held.take() {
            // Before the lock goes: another's file of the same name is never removed.
            let _ = fs::remove_file(path);
            drop(file);
        }
    }
}

/// Asks for the claim on a key, in a folder that is there.
pub(super) fn claim(folder: &Path, key: &str) -> Claimed {
    let path = folder.join(format!("{CLAIM}{key}"));
    loop {
        return match try_claim(&path) {
            Ok(Some(claimed)) => claimed,
            // Its owner has let it go meanwhile.
            Ok(None) => continue,
            Err(error) => {
                tracing::debug!("{}: {error}", path.display());
                Claimed::Own(Claim { held: None })
            }
        };
    }
}

fn try_claim(path: &Path) -> io::Result<Option<Claimed>> {
    let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            (&file).take(20).read_to_string(&mut owner)?;
            return Ok(Some(Claimed::Elsewhere(owner.trim().parse().ok())));
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    if !is_still(&file, path) {
        return Ok(None);
    }
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())?;
    Ok(Some(Claimed::Own(Claim { held: Some((file, path.to_path_buf())) })))
}

/// Whether a file still has this name.
#[cfg(not(unix))]
fn is_still(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Whether a file still has this name.
#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let place = |file: fs::Metadata| (file.dev(), file.ino());
    let (Ok(own), Ok(named)) = (file.metadata(), path.metadata()) else { return false };
    place(own) == place(named)
}

/// Removes files of claims that nobody holds: of processes that were killed.
pub(super) fn remove_abandoned(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_claim = entry.file_name().to_string_lossy().starts_with(CLAIM);
        if is_claim
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
            && is_still(&file, &path)
        {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_computes_and_the_next_one_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let Claimed::Own(first) = claim(folder.path(), "key") else { panic!("somebody has it") };
        let Claimed::Elsewhere(owner) = claim(folder.path(), "key") else { panic!("two have it") };
        assert_eq!(owner, Some(std::process::id()));
        assert!(matches!(claim(folder.path(), "other"), Claimed::Own(_)));
        drop(first);
        assert!(matches!(claim(folder.path(), "key"), Claimed::Own(_)));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_taken_over_and_swept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".computing-key"), "4194304\n").unwrap();
        fs::write(folder.path().join(".computing-other"), "4194304\n").unwrap();
        let Claimed::Own(_own) = claim(folder.path(), "key") else { panic!("a lock without owner") };
        remove_abandoned(folder.path());
        let left: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [".computing-key"]);
    }
}
