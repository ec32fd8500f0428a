//! The zip archive that `torch.export.save` writes: entries below one root folder, whatever its name.
//!
//! Entries are read with their checksum. What the archive says of sizes is compared with what comes. Pickles
//! (`sample_inputs`, custom objects) and machine code (`aotinductor`) are in none of the entries that are
//! read.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};
use zip::result::ZipError;

use crate::error::Fault;

/// The largest program that is read: a large language model has a few MB.
const LARGEST_JSON: u64 = 1 << 28;

/// An open archive.
pub struct Archive {
    zip: ZipArchive<BufReader<File>>,
    root: String,
    names: Vec<String>,
}

impl Archive {
    /// Opens a file and looks what it is.
    ///
    /// # Errors
    /// It is missing, cut off, or something else.
    pub fn open(path: &Path) -> Result<Self, Fault> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => Fault::Missing,
            _ => Fault::Unreadable(error.to_string()),
        };
        let file = File::open(path).map_err(unreadable)?;
        if !file.metadata().map_err(unreadable)?.is_file() {
            return Err(Fault::Unreadable("it is no file".to_owned()));
        }
        let zip = ZipArchive::with_config(from_the_start(), BufReader::new(file));
        let zip = zip.map_err(|_| Fault::NoArchive)?;
        let names: Vec<String> = zip.file_names().flatten().map(|name| name.into_owned()).collect();
        let root = names.iter().find_map(|name| name.strip_suffix("archive_format")).map(str::to_owned);
        let Some(root) = root else { return Err(something_else(&names)) };
        let mut archive = Self { zip, root, names };
        archive.require("archive_format", "pt2")?;
        archive.require("byteorder", "little")?;
        Ok(archive)
    }

    /// The programs in it, by name.
    ///
    /// # Errors
    /// There is none.
    pub fn programs(&self) -> Result<Vec<String>, Fault> {
        let below = format!("{}models/", self.root);
        let program = |name: &String| {
            let name = name.strip_prefix(below.as_str())?.strip_suffix(".json")?;
            Some(name.to_owned())
        };
        let mut names: Vec<String> = self.names.iter().filter_map(program).collect();
        names.sort_unstable();
        if !names.is_empty() {
            return Ok(names);
        }
        let is_compiled = self.names.iter().any(|name| name.contains("/aotinductor/"));
        Err(if is_compiled {
            Fault::Another {
                found: "machine code for inference (AOTInductor)",
                help: "export the module itself with `torch.export`: compiled code cannot train",
            }
        } else {
            Fault::entry("models/", "there is no program")
        })
    }

    /// Reads an entry of text or JSON.
    ///
    /// # Errors
    /// It is missing, changed, or larger than any program.
    pub fn text(&mut self, name: &str) -> Result<Vec<u8>, Fault> {
        self.read(name, LARGEST_JSON)
    }

    /// Reads an entry whole.
    ///
    /// # Errors
    /// It is missing, changed, or larger than `limit` bytes.
    pub fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Fault> {
        let fault = |reason: &dyn std::fmt::Display| Fault::entry(name, reason);
        let index = self.zip.index_for_name(&format!("{}{name}", self.root));
        let index = index.ok_or_else(|| fault(&"it is missing"))?;
        let readable = |error: ZipError| fault(&error);
        let (size, is_checked) = {
            let entry = self.zip.by_index_raw(index).map_err(readable)?;
            (entry.size(), entry.crc32() != 0)
        };
        if size > limit {
            return Err(fault(&format_args!("it has {size} bytes, expected at most {limit}")));
        }
        let mut bytes = Vec::new();
        // A checksum of 0 stands for none.
        let entry = if is_checked { self.zip.by_index(index) } else { self.zip.by_index_raw(index) };
        entry.map_err(readable)?.take(limit + 1).read_to_end(&mut bytes).map_err(|error| fault(&error))?;
        if bytes.len() as u64 != size {
            return Err(fault(&format_args!("it has {} bytes, the archive says {size}", bytes.len())));
        }
        Ok(bytes)
    }

    /// Bytes of an entry, as the archive says; none where it is missing.
    pub fn size(&mut self, name: &str) -> Option<u64> {
        let index = self.zip.index_for_name(&format!("{}{name}", self.root))?;
        self.zip.by_index_raw(index).ok().map(|entry| entry.size())
    }

    fn require(&mut self, name: &str, expected: &str) -> Result<(), Fault> {
        let found = self.read(name, 64)?;
        let found = String::from_utf8_lossy(&found);
        if found.trim() == expected {
            return Ok(());
        }
        Err(Fault::entry(
            name,
            format_args!("found `{}`, expected `{expected}`", found.trim().escape_debug()),
        ))
    }
}

/// PyTorch's archives begin where their files do. Left to itself, the search for another beginning takes some
/// of them for damaged.
fn from_the_start() -> Config {
    Config { archive_offset: ArchiveOffset::Known(0) }
}

fn something_else(names: &[String]) -> Fault {
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    let (found, help) = if has("/constants.pkl") {
        ("TorchScript", "use the model `torchscript` for it, or export the module with `torch.export`")
    } else if has("/data.pkl") {
        (
            "weights without a program (a state_dict, or a pickled module)",
            "name it as `weights`, and the module's exported program as `path`",
        )
    } else if has("serialized_exported_program.json") {
        ("a program of an old format", "export it again with PyTorch 2.9 or newer")
    } else {
        ("an archive of another kind", "write it with `torch.export.save`")
    };
    Fault::Another { found, help }
}
