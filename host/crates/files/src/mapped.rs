//! Files mapped into memory.
//!
//! A mapped file that somebody shortens takes its pages along: the next read of one ends the process with the
//! signal SIGBUS, which says nothing. Here it ends with a message that names the file, and exit code 1.

use memmap2::Mmap;
use std::fs::File;
use std::ops::Deref;
use std::path::Path;

#[cfg(unix)]
mod signal;

#[cfg(unix)]
pub use signal::before_exit;

/// The contents of a file, read as they are needed.
#[derive(Debug)]
pub struct MappedFile {
    // Dropped first: an address must not be looked for in a map that is gone.
    #[cfg(unix)]
    _range: signal::Range,
    map: Mmap,
}

impl MappedFile {
    /// Maps a file for reading. `path` names it in messages.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(path: &Path) -> std::io::Result<MappedFile> {
        Self::of(&File::open(path)?, path)
    }

    /// Maps an open file for reading.
    ///
    /// # Errors
    /// What the system says.
    pub fn of(file: &File, path: &Path) -> std::io::Result<MappedFile> {
        // SAFETY: the map is only read. Bytes that another program changes meanwhile are read as changed, as
        // any reader would; pages that it takes away end the process, with a message (see the module).
        let map = unsafe { Mmap::map(file) }?;
        Ok(MappedFile {
            #[cfg(unix)]
            _range: signal::Range::watch(map.as_ptr() as usize, map.len(), path),
            map,
        })
    }
}

impl Deref for MappedFile {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}
