//! An event file: records as in `TFRecord` files, each with its length and checksums of both.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::crc32c::masked;
use super::event::Event;
use crate::LoggerError;
use crate::error::io as at;

/// An event file that grows.
pub(super) struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Makes a file with a name of its own; of files in a folder, readers take the later name as the later
    /// file.
    pub(super) fn create(folder: &Path, time: OffsetDateTime) -> Result<Self, LoggerError> {
        let (seconds, process) = (time.unix_timestamp(), std::process::id());
        let mut number = 0;
        loop {
            let path = folder.join(format!("events.out.tfevents.{seconds:010}.thaw.{process}.{number}"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { path, file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(at(&path)(error)),
            }
        }
    }

    /// Appends an event.
    pub(super) fn write(&mut self, event: &Event) -> Result<(), LoggerError> {
        self.write_all(std::slice::from_ref(event))
    }

    /// Appends events, at once.
    pub(super) fn write_all(&mut self, events: &[Event]) -> Result<(), LoggerError> {
        let mut bytes = Vec::new();
        events.iter().for_each(|event| frame(event.0.bytes(), &mut bytes));
        self.file.write_all(&bytes).map_err(at(&self.path))
    }
}

/// A record with its frame.
pub(super) fn frame(record: &[u8], bytes: &mut Vec<u8>) {
    let length = (record.len() as u64).to_le_bytes();
    bytes.extend(length);
    bytes.extend(masked(&length).to_le_bytes());
    bytes.extend(record);
    bytes.extend(masked(record).to_le_bytes());
}
