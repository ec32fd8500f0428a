//! The zip archive of a TorchScript file. libtorch looks at no checksum: a flipped bit in the weights would
//! go unseen.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use zip::ZipArchive;

use super::LoadError;

/// What every TorchScript file has, and no file of `torch.save`.
const CONSTANTS: &str = "/constants.pkl";

/// What files of `torch.export.save` have: today's, and those of PyTorch before 2.8.
const EXPORTED: [&str; 2] = ["archive_format", "serialized_exported_program.json"];

/// Checks that a file is a whole archive of TorchScript.
///
/// # Errors
/// It is missing, cut off, changed, or something else.
pub fn check(path: &Path) -> Result<(), LoadError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => LoadError::Missing(path.to_owned()),
        _ => LoadError::Unreadable(path.to_owned(), error.to_string()),
    };
    let file = File::open(path).map_err(unreadable)?;
    if !file.metadata().map_err(unreadable)?.is_file() {
        return Err(LoadError::Unreadable(path.to_owned(), "it is no file".to_owned()));
    }
    let mut archive =
        ZipArchive::new(BufReader::new(file)).map_err(|_| LoadError::NoArchive(path.to_owned()))?;
    let damaged = |name: &str, error: &dyn std::fmt::Display| {
        LoadError::Damaged(path.to_owned(), format!("its entry {name}: {error}"))
    };
    let (mut has_constants, mut is_exported) = (false, false);
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| damaged(&index.to_string(), &error))?;
        let name =
            entry.name().map(|name| name.to_string()).map_err(|error| damaged(&index.to_string(), &error))?;
        has_constants |= name.ends_with(CONSTANTS);
        is_exported |= EXPORTED.iter().any(|entry| name.ends_with(entry));
        // A checksum of 0 stands for none.
        if entry.crc32() != 0 {
            io::copy(&mut entry, &mut io::sink()).map_err(|error| damaged(&name, &error))?;
        }
    }
    match has_constants {
        true => Ok(()),
        false if is_exported => Err(LoadError::Exported(path.to_owned())),
        false => Err(LoadError::NoCode(path.to_owned())),
    }
}
