//! A file of records that grows while the run lives, and is cut where a checkpoint goes on.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write as _};
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::RecordsError;
use crate::fit::events::ObserverError;

/// Records are written when so many bytes wait, and at the end of each epoch.
const WAITING: usize = 8 << 10;

/// A file of records. What cannot be written is lost, and the run goes on.
pub(super) struct RecordFile {
    path: PathBuf,
    file: File,
    /// Length of the file in whole records.
    length: u64,
    /// Records that are not in the file yet.
    waiting: Vec<u8>,
    /// Where the checkpoint ends that the run is to go on from.
    resumed: Option<u64>,
    /// Records that were lost while a checkpoint was written, which needs the length all the same.
    untold: Option<ObserverError>,
}

impl RecordFile {
    /// Opens a file to write on at its end.
    pub(super) fn open(path: PathBuf) -> Result<Self, RecordsError> {
        let opened = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
        let opened = opened.and_then(|mut file| Ok((file.seek(SeekFrom::End(0))?, file)));
        match opened {
            Ok((length, file)) => {
                Ok(Self { path, file, length, waiting: Vec::new(), resumed: None, untold: None })
            }
            Err(source) => Err(RecordsError::File { path, source }),
        }
    }

    /// Appends a record.
    pub(super) fn append(&mut self, record: Map<String, Value>) -> Result<(), ObserverError> {
        self.waiting.extend_from_slice(Value::Object(record).to_string().as_bytes());
        self.waiting.push(b'\n');
        if self.waiting.len() >= WAITING { self.flush() } else { Ok(()) }
    }

    /// Writes what waits.
    pub(super) fn flush(&mut self) -> Result<(), ObserverError> {
        let written = self.write();
        match self.untold.take() {
            Some(error) => Err(error),
            None => written,
        }
    }

    fn write(&mut self) -> Result<(), ObserverError> {
        let written = self.file.write_all(&self.waiting);
        let length = self.waiting.len() as u64;
        self.waiting.clear();
        match written {
            Ok(()) => {
                self.length += length;
                self.check_there()
            }
            Err(source) => {
                // What was written of them would be half a record.
                if let Err(error) = self.cut_at(self.length) {
                    tracing::debug!("{}: {error}", self.path.display());
                }
                Err(ObserverError::Lost(RecordsError::Lost { path: self.path.clone(), source }.into()))
            }
        }
    }

    /// Whether what is written can be read: the system writes on into a file that somebody removed.
    fn check_there(&self) -> Result<(), ObserverError> {
        let gone = |_| ObserverError::Lost(RecordsError::Removed { path: self.path.clone() }.into());
        self.path.symlink_metadata().map(drop).map_err(gone)
    }

    /// Waits until everything is on disk; gives the length, which a checkpoint keeps.
    pub(super) fn save(&mut self) -> Result<Value, ObserverError> {
        if let Err(lost) = self.flush() {
            self.untold = Some(lost);
        }
        if let Err(error) = self.file.sync_data() {
            tracing::warn!("{}: {error}", self.path.display());
        }
        Ok(json!(self.length))
    }

    /// Whether there is all that a checkpoint counts on; or nothing, where somebody took the file away.
    pub(super) fn resume(&mut self, saved: &Value) -> Result<(), ObserverError> {
        let path = || self.path.clone();
        let Some(expected) = saved.as_u64() else {
            return Err(RecordsError::Saved { path: path(), found: saved.clone() }.ends_run());
        };
        if self.length == 0 && expected > 0 {
            tracing::warn!("{}: the records from before the checkpoint are not there", self.path.display());
        } else if self.length < expected {
            return Err(RecordsError::Short { path: path(), found: self.length, expected }.ends_run());
        }
        self.resumed = Some(expected);
        Ok(())
    }

    /// Takes off what came after the checkpoint.
    pub(super) fn go_back(&mut self) -> Result<(), ObserverError> {
        let Some(length) = self.resumed.take() else { return Ok(()) };
        let length = self.length.min(length);
        self.cut_at(length)
            .map_err(|source| RecordsError::File { path: self.path.clone(), source }.ends_run())?;
        self.length = length;
        Ok(())
    }

    /// Takes off a last record that is not whole: the process that wrote it was killed.
    pub(super) fn take_off_half(&mut self) -> Result<(), ObserverError> {
        let path = self.path.clone();
        let lost = |source| ObserverError::Lost(RecordsError::File { path: path.clone(), source }.into());
        let text = std::fs::read(&self.path).map_err(lost)?;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place as u64 + 1);
        if whole < self.length {
            self.cut_at(whole).map_err(lost)?;
            self.length = whole;
        }
        Ok(())
    }

    fn cut_at(&mut self, length: u64) -> std::io::Result<()> {
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length)).map(drop)
    }
}

impl Drop for RecordFile {
    fn drop(&mut self) {
        if let Err(error) = self.flush() {
            tracing::error!("{error}");
        }
    }
}
