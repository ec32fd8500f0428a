//! The containers of `torch.save`: which one a file is, and the checksums of the zip archive.

use super::outline::Storage;
use crate::error::WeightsError;
use pytorch_reader::MAX_PICKLE_SIZE;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use zip::ZipArchive;
use zip::result::ZipError;

/// Where a file keeps its pickles.
pub(super) enum Container {
    /// An archive with `data.pkl` (PyTorch 1.6 and later).
    Zip(Archive),
    /// Pickles one after the other, then, of a legacy file, the storages.
    Stream {
        /// How many: five of a legacy file, one of a bare pickle.
        pickles: usize,
    },
    /// The archive of PyTorch before 0.1.10.
    Tar,
}

/// What is taken from a zip archive here.
pub(super) struct Archive {
    /// The contents of `data.pkl`.
    pub pickle: Vec<u8>,
    /// The directory all entries are in, with its slash.
    root: String,
    /// The sizes of the storages, unpacked, in bytes, by key.
    sizes: HashMap<String, u64>,
}

/// The number that a legacy file begins with, as protocol 2 and later write it.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
/// A protocol's opcodes before it take at most so many bytes.
const LEGACY_MAGIC_WITHIN: usize = 64;
/// What files of `torch.export.save` have: today's, and those of PyTorch before 2.8.
const EXPORTED: [&str; 2] = ["archive_format", "serialized_exported_program.json"];
const TAR_MAGIC_AT: usize = 257;

impl Container {
    pub fn open(path: &Path, bytes: &[u8]) -> Result<Self, WeightsError> {
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            return Archive::open(path, bytes).map(Self::Zip);
        }
        if bytes.get(TAR_MAGIC_AT..).is_some_and(|rest| rest.starts_with(b"ustar")) {
            return Ok(Self::Tar);
        }
        let head = &bytes[..bytes.len().min(LEGACY_MAGIC_WITHIN)];
        if head.windows(LEGACY_MAGIC.len()).any(|window| window == LEGACY_MAGIC) {
            return Ok(Self::Stream { pickles: 5 });
        }
        match bytes.first() {
            Some(0x80 | b'(' | b'}' | b']' | b'c') => Ok(Self::Stream { pickles: 1 }),
            _ => Err(WeightsError::UnknownFormat {
                path: path.to_owned(),
                found: "no file of tensors".to_owned(),
            }),
        }
    }

    /// What checks the storages of a zip archive; `None` for containers without checksums.
    pub fn checksums(&self, path: &Path) -> io::Result<Option<ZipChecksums>> {
        let Self::Zip(archive) = self else {
            return Ok(None);
        };
        let opened = ZipArchive::new(BufReader::new(File::open(path)?)).map_err(io::Error::other)?;
        Ok(Some(ZipChecksums { root: archive.root.clone(), state: Mutex::new((opened, HashSet::new())) }))
    }
}

impl Archive {
    fn open(path: &Path, bytes: &[u8]) -> Result<Self, WeightsError> {
        let damaged = |reason: String| WeightsError::Damaged { path: path.to_owned(), tensor: None, reason };
        let broken = |error: ZipError| match error {
            ZipError::InvalidArchive(_) => damaged(format!(
                "the zip archive is cut off or damaged ({error}); its list of contents is at its end"
            )),
            other => damaged(other.to_string()),
        };
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
        let names: Vec<String> = archive
            .file_names()
            .map(|name| name.map(|name| name.to_string()))
            .collect::<Result<_, _>>()
            .map_err(broken)?;
        let mut roots = names.iter().filter_map(|name| name.strip_suffix("data.pkl"));
        let mut roots = roots.by_ref().filter(|root| root.is_empty() || root.ends_with('/'));
        let Some(root) = roots.next().map(str::to_owned) else {
            if names.iter().any(|name| EXPORTED.iter().any(|entry| name.ends_with(entry))) {
                return Err(WeightsError::ExportedProgram { path: path.to_owned() });
            }
            let found = "a zip archive without the data.pkl of torch.save".to_owned();
            return Err(WeightsError::UnknownFormat { path: path.to_owned(), found });
        };
        // Two readers could each take another one.
        if roots.next().is_some() {
            return Err(damaged("the archive has more than one data.pkl".to_owned()));
        }
        if names.contains(&format!("{root}constants.pkl")) {
            return Err(WeightsError::TorchScript { path: path.to_owned() });
        }
        if let Some(name) = twice(&archive, bytes) {
            return Err(damaged(format!("the archive has two entries {name}")));
        }
        let sizes = storage_sizes(&mut archive, &root).map_err(broken)?;
        let entry = archive.by_name(&format!("{root}data.pkl")).map_err(broken)?;
        let mut pickle = Vec::new();
        entry
            .take(MAX_PICKLE_SIZE + 1)
            .read_to_end(&mut pickle)
            .map_err(|error| damaged(format!("{root}data.pkl: {error}: the file is damaged")))?;
        if pickle.len() as u64 > MAX_PICKLE_SIZE {
            return Err(damaged(format!("{root}data.pkl is larger than {MAX_PICKLE_SIZE} bytes")));
        }
        Ok(Self { pickle, root, sizes })
    }

    /// The first storage whose size is not what the pickle declares, and both sizes. A reader that takes what
    /// it finds would read values that are shifted or cut off.
    pub fn of_another_size<'o>(&self, storages: impl Iterator<Item = &'o Storage>) -> Option<Misfit<'o>> {
        let mut misfits = storages.filter_map(|storage| {
            let (declared, found) = (storage.bytes?, *self.sizes.get(&*storage.key)?);
            (declared != found).then_some(Misfit { key: &storage.key, declared, found })
        });
        misfits.next()
    }
}

/// A storage that has not the size that the pickle declares, in bytes.
pub(super) struct Misfit<'o> {
    pub key: &'o str,
    pub declared: u64,
    pub found: u64,
}

/// The unpacked size of each entry below `data/`, by what its name is there.
fn storage_sizes<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    root: &str,
) -> Result<HashMap<String, u64>, ZipError> {
    let folder = format!("{root}data/");
    let mut sizes = HashMap::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        if let Some(key) = entry.name()?.strip_prefix(&folder) {
            sizes.insert(key.to_owned(), entry.size());
        }
    }
    Ok(sizes)
}

/// A name that two entries of the list of contents have: readers differ in which of them they take.
fn twice<R: Read + Seek>(archive: &ZipArchive<R>, bytes: &[u8]) -> Option<String> {
    const HEADER: usize = 46;
    let mut rest = bytes.get(usize::try_from(archive.central_directory_start()).ok()?..)?;
    let mut names = HashSet::new();
    while rest.starts_with(b"PK\x01\x02") && rest.len() >= HEADER {
        let length = |at: usize| usize::from(u16::from_le_bytes([rest[at], rest[at + 1]]));
        let name = rest.get(HEADER..HEADER + length(28))?;
        if !names.insert(name) {
            return Some(String::from_utf8_lossy(name).into_owned());
        }
        rest = rest.get(HEADER + length(28) + length(30) + length(32)..)?;
    }
    None
}

/// The CRC-32 of each storage in a zip archive, checked once, for tensors that are views of a larger storage.
pub(crate) struct ZipChecksums {
    root: String,
    state: Mutex<(ZipArchive<BufReader<File>>, HashSet<String>)>,
}

impl ZipChecksums {
    /// Checks the storage that `tensor_bytes` are read from, unless they are all of it: then the reader
    /// checks it itself.
    pub fn check(&self, storage: &str, tensor_bytes: usize) -> Result<(), String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (archive, checked) = &mut *state;
        if checked.contains(storage) {
            return Ok(());
        }
        let name = format!("{}data/{storage}", self.root);
        let fault =
            |error: &dyn std::fmt::Display| format!("its storage {name}: {error}: the file is damaged");
        let mut entry = archive.by_name(&name).map_err(|error| fault(&error))?;
        // A checksum of 0 stands for none: torch.save writes it when told not to compute them.
        if entry.size() != tensor_bytes as u64 && entry.crc32() != 0 {
            io::copy(&mut entry, &mut io::sink()).map_err(|error| fault(&error))?;
        }
        drop(entry);
        checked.insert(storage.to_owned());
        Ok(())
    }
}
