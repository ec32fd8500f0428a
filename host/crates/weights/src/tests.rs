//! Held against files that PyTorch, safetensors and Lightning wrote, and what they read from them.

mod config;
mod fitting;
mod formats;
mod hub;
mod pickles;
mod sizes_and_names;
mod sources;
mod writing;

use super::{StateDict, WeightsError, read};
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};
use thaw_test_references::check_tensors;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fixtures/models")
}

/// A file of the reference set.
fn file(name: &str) -> PathBuf {
    fixtures().join("files").join(name)
}

fn json(path: &str) -> Value {
    let text = std::fs::read(fixtures().join(path)).expect("a fixture");
    serde_json::from_slice(&text).expect("JSON")
}

/// The error of reading a file and all of its values.
fn refusal(path: &Path) -> WeightsError {
    match read(path).and_then(|found| found.verify().map(|()| found)) {
        Ok(found) => panic!("{} was read: {:?}", path.display(), found.entries()),
        Err(error) => error,
    }
}

/// Compares all that the reference says of a set of tensors: names, shapes, types, first values and norms.
#[track_caller]
fn assert_holds(found: &StateDict, content: &Value, kind: Option<&str>) {
    let tensors =
        found.entries().iter().map(|entry| (entry.name().to_owned(), entry.tensor().expect("a tensor")));
    let tensors: Vec<_> = tensors.collect();
    check_tensors(&tensors, content, kind)
        .unwrap_or_else(|difference| panic!("{}: {difference}", found.path().display()));
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.flatten(0, -1).to_kind(Kind::Double)).expect("numbers")
}

/// A copy of a reference archive with one of its entries changed.
fn rezipped(
    name: &str,
    entry_ends_with: &str,
    change: impl Fn(&[u8]) -> Vec<u8>,
) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("changed.pt");
    let mut from = ZipArchive::new(File::open(file(name)).expect("a fixture")).expect("an archive");
    let mut to = ZipWriter::new(File::create(&path).expect("a file"));
    for at in 0..from.len() {
        let mut entry = from.by_index(at).expect("an entry");
        let name = entry.name().expect("its name").to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("its content");
        if name.ends_with(entry_ends_with) {
            bytes = change(&bytes);
        }
        let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        to.start_file(name, stored).expect("begun");
        to.write_all(&bytes).expect("written");
    }
    to.finish().expect("written");
    (directory, path)
}

/// A copy of a reference file with its pickle changed.
fn repickled(name: &str, change: impl Fn(&[u8]) -> Vec<u8>) -> (tempfile::TempDir, PathBuf) {
    rezipped(name, "data.pkl", change)
}
