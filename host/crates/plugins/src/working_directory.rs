//! The working directory, where the run's relative paths start: it is the user's, not a plugin's.

use std::path::PathBuf;

use thaw_terminal::escape;

/// Where the process works before plugin code runs that is called once: when it is dropped, it works there
/// again.
///
/// Of hooks only `setup` is guarded so, as this asks the system: what is opened after others has an absolute
/// path.
pub(super) struct WorkingDirectory {
    folder: Option<PathBuf>,
    who: String,
}

impl WorkingDirectory {
    /// As it is before the code of `who` runs. One that was removed cannot be gone back to.
    pub(super) fn before(who: impl Into<String>) -> Self {
        Self { folder: std::env::current_dir().ok(), who: who.into() }
    }
}

impl Drop for WorkingDirectory {
    fn drop(&mut self) {
        let Some(folder) = &self.folder else { return };
        if std::env::current_dir().is_ok_and(|now| now == *folder) {
            return;
        }
        let (who, shown) = (&self.who, escape::path(folder));
        match std::env::set_current_dir(folder) {
            Ok(()) => tracing::warn!("{who} changed the working directory: it is {shown} again"),
            Err(error) => tracing::warn!("{who} changed the working directory from {shown}: {error}"),
        }
    }
}
