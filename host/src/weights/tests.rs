//! Held against files that PyTorch, safetensors and Lightning wrote, and what they read from them.

mod config;
mod fitting;
mod formats;
mod hub;
mod pickles;
mod sources;
mod writing;

use super::{StateDict, WeightsError, read};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};
use thaw_test_references::check_tensors;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/models")
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
