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

impl FileStamps {
    /// One more file.
    pub(crate) fn add(&mut self, file: &Metadata) {
        let time = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        self.bytes += file.len();
        self.sizes = stable_hash(self.sizes, &file.len().to_string());
        self.times = stable_hash(self.times, &time.unwrap_or_default().as_nanos().to_string());
    }

    /// Of one file; of none where it cannot be looked at.
    pub(crate) fn of(path: &Path) -> FileStamps {
        let mut stamps = FileStamps::default();
        if let Ok(file) = std::fs::metadata(path) {
            stamps.add(&file);
        }
        stamps
    }
}
