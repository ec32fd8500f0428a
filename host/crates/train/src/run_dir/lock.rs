//! Who writes into a run directory: a lock that ends with its process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::RunDirError;
use super::error::at;

/// The locked file; it holds the number of the process.
pub(super) const LOCK: &str = "run.lock";

/// Held as long as a run writes into its directory.
pub struct RunLock {
    _file: File,
}

/// Whether a run is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process trains there.
    Live {
        /// Its number, as it wrote it.
        process: String,
    },
    /// No process does.
    Nobody,
    /// No run ever wrote there.
    NoRun,
}

impl RunLock {
    /// Locks a run directory. A file system without locks is told, and goes without: its runs cannot be asked
    /// to swap.
    ///
    /// # Errors
    /// Another process trains there, or the directory cannot be written.
    pub fn take(run_dir: &Path) -> Result<Self, RunDirError> {
        let path = run_dir.join(LOCK);
        let mut file =
            OpenOptions::new().create(true).write(true).truncate(false).open(&path).map_err(at(&path))?;
        let mut locked = file.try_lock();
        for _ in 0..3 {
            // Whoever looks whether the run is live holds the lock for a moment.
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = std::fs::read_to_string(&path).unwrap_or_default();
                let process = process.trim().to_owned();
                return Err(RunDirError::Live { path: run_dir.to_owned(), process });
            }
            Err(TryLockError::Error(error)) => {
                tracing::warn!("{}: {error}; this run cannot be found by `host swap`", path.display())
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(at(&path))?;
        Ok(Self { _file: file })
    }
}

/// Looks whether a run is live.
///
/// # Errors
/// The lock cannot be read.
pub fn holder(run_dir: &Path) -> io::Result<Holder> {
    let path = run_dir.join(LOCK);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Holder::NoRun),
        file => file?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Holder::Nobody),
        Err(TryLockError::WouldBlock) => {
            Ok(Holder::Live { process: std::fs::read_to_string(&path)?.trim().to_owned() })
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_live_while_it_holds_its_lock_and_no_longer() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(folder.path()).unwrap(), Holder::NoRun);
        let lock = RunLock::take(folder.path()).unwrap();
        assert_eq!(holder(folder.path()).unwrap(), Holder::Live { process: std::process::id().to_string() });
        drop(lock);
        assert_eq!(holder(folder.path()).unwrap(), Holder::Nobody);
    }

    #[test]
    fn two_runs_do_not_write_into_one_directory() {
        let folder = tempfile::tempdir().unwrap();
        let _lock = RunLock::take(folder.path()).unwrap();
        let error = RunLock::take(folder.path()).err().unwrap().to_string();
        assert!(
            error.contains("another run is live") && error.contains(&std::process::id().to_string()),
            "{error}"
        );
    }
}
