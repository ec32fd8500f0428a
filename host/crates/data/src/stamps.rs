//! Sizes and times of files, in a few numbers.

use super::random::stable_hash;
use serde::{Deserialize, Serialize};
use std::fs::Metadata;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Sizes and times of the files behind some samples, in their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamps {
    /// Number of bytes.
    pub(super) bytes: u64,
    /// Hash of the sizes.
    pub(super) sizes: u64,
    /// Hash of the times at which the files were last written.
    pub(super) times: u64,
}

/// Size and time of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileStamp {
    pub(crate) bytes: u64,
    /// Nanoseconds since 1970.
    time: u64,
}

impl From<&Metadata> for FileStamp {
    fn from(file: &Metadata) -> FileStamp {
        let time = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let time = time.and_then(|time| u64::try_from(time.as_nanos()).ok()).unwrap_or_default();
        FileStamp { bytes: file.len(), time }
    }
}

impl FileStamps {
    /// One more file.
    pub(crate) fn add(&mut self, file: FileStamp) {
        self.bytes += file.bytes;
        self.sizes = stable_hash(self.sizes, &file.bytes.to_string());
        self.times = stable_hash(self.times, &file.time.to_string());
    }

    /// Of one file; of none where it cannot be looked at.
    pub(crate) fn of(path: &Path) -> FileStamps {
        let mut stamps = FileStamps::default();
        if let Ok(file) = std::fs::metadata(path) {
            stamps.add(FileStamp::from(&file));
        }
        stamps
    }
}
