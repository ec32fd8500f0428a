//! Features as a file: rows, then what they are, then a checksum of both.
//!
//! The rows come first, so that a file which memory has no room for is mapped as it was written. The end of
//! the file is 48 bytes: SHA-256 of all before, length of the description, a mark.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thaw_files::mapped::MappedFile;
use thaw_files::sha256::Sha256Bytes;
use thaw_torch::buffers::Buffers;

use super::columns::{Columns, SavedColumns};
use super::rows::{Place, Rows};
use super::{FeatureRoom, Features};
use crate::dataset::Dataset;

const MARK: &[u8; 8] = b"THAWFEA1";
const TAIL: usize = 32 + 8 + 8;
/// A description is some hundred bytes; what claims more is none.
const LONGEST: u64 = 1 << 20;

/// What people are told of features that are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// The model's id.
    pub model: String,
    /// The last stage that was computed.
    pub after: String,
    /// Of which samples: kind and split.
    pub of: String,
    /// How many samples.
    pub samples: usize,
}

/// What a file says of its rows.
#[derive(Serialize, Deserialize)]
struct Description {
    /// What they were computed of, and how.
    key: String,
    about: About,
    rows: usize,
    columns: SavedColumns,
}

impl Features {
    /// Description and checksum of these rows; None where they cannot be kept: samples are missing, or a
    /// type has no name.
    pub(super) fn tail(&self, key: &str, about: &About) -> Option<Vec<u8>> {
        if !self.present.iter().all(|present| *present) {
            return None;
        }
        let columns = self.columns.saved()?;
        let (key, about, rows) = (key.to_owned(), about.clone(), self.present.len());
        let mut tail = serde_json::to_vec(&Description { key, about, rows, columns }).ok()?;
        let length = tail.len() as u64;
        let mut digest = Sha256Bytes::default();
        digest.take(self.rows.bytes());
        digest.take(&tail);
        tail.extend(digest.finish());
        tail.extend(length.to_le_bytes());
        tail.extend(MARK);
        Some(tail)
    }

    /// The file as a whole.
    pub(super) fn write_to(&self, to: &mut impl Write, tail: &[u8]) -> io::Result<()> {
        to.write_all(self.rows.bytes())?;
        to.write_all(tail)
    }

    /// Reads a file: into memory where there is room, else mapped.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub(super) fn read(
        path: &Path,
        key: &str,
        of: Arc<dyn Dataset>,
        room: &FeatureRoom,
    ) -> Result<Features, String> {
        let told = |error: io::Error| error.to_string();
        let mut file = File::open(path).map_err(told)?;
        let (description, text, digest) = describe(&mut file)?;
        if description.key != key || description.rows != of.len() {
            return Err("it is of something else".to_owned());
        }
        let length = file.metadata().map_err(told)?.len() - text.len() as u64 - TAIL as u64;
        let columns = Columns::of_saved(&description.columns).ok_or("its columns make no sense")?;
        let width = columns.row_bytes();
        if width.checked_mul(description.rows).map(|bytes| bytes as u64) != Some(length) {
            return Err("it has another length than it says".to_owned());
        }
        let place = place(&mut file, path, length, room).map_err(told)?;
        let rows = Rows::of(place, width, usize::try_from(length).map_err(|error| error.to_string())?);
        let mut found = Sha256Bytes::default();
        found.take(rows.bytes());
        found.take(&text);
        if found.finish() != digest {
            return Err("its checksum is another".to_owned());
        }
        let (present, buffers) = (vec![true; description.rows], Buffers::default());
        Ok(Features { of, columns, rows, present, buffers, writing: None })
    }
}

fn place(file: &mut File, path: &Path, length: u64, room: &FeatureRoom) -> io::Result<Place> {
    if length > room.memory {
        return MappedFile::of(file, path).map(Place::File);
    }
    let mut memory = Vec::new();
    let bytes = usize::try_from(length).map_err(io::Error::other)?;
    if memory.try_reserve_exact(bytes).is_err() {
        return MappedFile::of(file, path).map(Place::File);
    }
    file.seek(SeekFrom::Start(0))?;
    file.take(length).read_to_end(&mut memory)?;
    if memory.len() != bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Place::Memory(memory))
}

/// What a file says of itself, by its end alone.
pub(super) fn about(path: &Path) -> Option<(String, About)> {
    let (description, ..) = describe(&mut File::open(path).ok()?).ok()?;
    Some((description.key, description.about))
}

/// The description, its text, and the checksum.
fn describe(file: &mut File) -> Result<(Description, Vec<u8>, [u8; 32]), String> {
    let told = |error: io::Error| error.to_string();
    let size = file.metadata().map_err(told)?.len();
    let torn = || "it is torn, or no file of features".to_owned();
    let end = size.checked_sub(TAIL as u64).ok_or_else(torn)?;
    let mut tail = [0; TAIL];
    file.seek(SeekFrom::Start(end)).and_then(|_| file.read_exact(&mut tail)).map_err(told)?;
    let (digest, rest) = tail.split_at(32);
    let (length, mark) = rest.split_at(8);
    let length = u64::from_le_bytes(length.try_into().map_err(|_| torn())?);
    if mark != MARK || length > LONGEST || length > end {
        return Err(torn());
    }
    let mut text = vec![0; length as usize];
    file.seek(SeekFrom::Start(end - length)).and_then(|_| file.read_exact(&mut text)).map_err(told)?;
    let description = serde_json::from_slice(&text).map_err(|_| torn())?;
    Ok((description, text, digest.try_into().map_err(|_| torn())?))
}
