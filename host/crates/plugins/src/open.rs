//! Opening a library, whose constructors run.

use std::path::Path;

use libloading::Library;

use super::working_directory::WorkingDirectory;
use super::{PluginError, calls};

/// Whose doing it is where the process finds itself in another folder.
pub(super) fn opened_text(shown: &Path) -> String {
    format!("plugin {}, when it was opened,", thaw_terminal::escape::path(shown))
}

/// Opens the library with all its symbols resolved now, so that a missing one fails here and not in a hook,
/// and never closes it.
pub(super) fn open_now(path: &Path, file: &Path) -> Result<(), PluginError> {
    let _directory = WorkingDirectory::before(opened_text(path));
    let _entered = calls::enter_opening(path);
    #[cfg(unix)]
    let opened = {
        use libloading::os::unix::{Library as UnixLibrary, RTLD_LOCAL, RTLD_NOW};
        // SAFETY: the library's constructors run; the user asked for this file, and plugins are native code
        // with the program's rights, as the README says.
        unsafe { UnixLibrary::open(Some(file), RTLD_NOW | RTLD_LOCAL) }.map(Library::from)
    };
    #[cfg(not(unix))]
    // SAFETY: as above.
    let opened = unsafe { Library::new(file) };
    let library = opened.map_err(|error| {
        let reason = error.to_string().replace('\n', " ");
        let reason = reason.strip_prefix(&format!("{}: ", file.display())).unwrap_or(&reason);
        PluginError::NoLibrary { path: path.to_path_buf(), reason: reason.to_owned() }
    })?;
    std::mem::forget(library);
    Ok(())
}
