//! Weight files against what a loader has to do with them (`files/expected.json`).

use std::path::Path;

use serde_json::Value;
use thaw_plugin_api::tch::Tensor;
use thaw_test_references::{Deviation, check_tensors};
use thaw_weights::{StateDict, WeightsError, read};

/// Reads a file, values included, and compares what came of it with what `expected` says.
///
/// # Errors
/// It was read where it is to be refused, refused where it is to be read, or holds other tensors.
pub fn check(expected: &Value, file: &Path) -> Result<Deviation, String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let entry = &expected["files"][&*name];
    let verdict = entry["expect"].as_str().unwrap_or_default();
    let holds = |tensors: Vec<(String, Tensor)>| match entry["content"].as_str() {
        Some(content) => check_tensors(&tensors, &expected["contents"][content], entry["dtype"].as_str()),
        None => Ok(Deviation::default()),
    };
    match (verdict, tensors(file)) {
        ("loads" | "refused or tensors only", Ok(tensors)) => holds(tensors),
        ("loads", Err(error)) => Err(error.to_string()),
        ("refused" | "refused by CRC-32", Ok(_)) => Err(format!("it was read, expected: {verdict}")),
        ("refused" | "refused by CRC-32" | "refused or tensors only", Err(error)) => {
            let text = error.to_string();
            if text.contains(&*name) {
                Ok(Deviation::default())
            } else {
                Err(format!("the refusal does not name the file: {text}"))
            }
        }
        (other, _) => Err(format!("no such verdict is known: `{other}`")),
    }
}

fn tensors(file: &Path) -> Result<Vec<(String, Tensor)>, WeightsError> {
    let found: StateDict = read(file)?;
    found.entries().iter().map(|entry| Ok((entry.name().to_owned(), entry.tensor()?))).collect()
}
