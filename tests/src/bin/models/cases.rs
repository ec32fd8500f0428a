//! What is compared, one line of the report each.

use std::path::{Path, PathBuf};

use thaw_plugin_api::tch::Device;
use thaw_plugins::SearchPath;
use thaw_test_references::Reference;

use crate::check::{self, Verdict};
use crate::files;

/// One line.
pub enum Case {
    /// An architecture, by its `arch/NAME.json`.
    Architecture(PathBuf),
    /// A TorchScript file that a `torchscript.json` beside it records.
    Script(PathBuf),
    /// A weight file that an `expected.json` beside it speaks of.
    Weights(PathBuf),
}

impl Case {
    /// What the line is called.
    pub fn name(&self) -> String {
        let name = match self {
            Self::Architecture(file) => file.file_stem(),
            Self::Script(file) | Self::Weights(file) => file.file_name(),
        };
        name.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Compares everything that is recorded.
    ///
    /// # Errors
    /// The first difference, or what kept the model from being built.
    pub fn run(&self, search: &SearchPath, device: Device) -> Result<Verdict, String> {
        match self {
            Self::Architecture(file) => {
                Reference::open(file).and_then(|reference| check::run(&reference, search, device))
            }
            Self::Script(file) => Reference::open(&file.with_file_name(SCRIPTS))
                .and_then(|all| check::script(&all, file, search, device)),
            Self::Weights(file) => {
                let expected = Reference::open(&file.with_file_name(WEIGHTS))?;
                files::check(expected.json(), file).map(|deviation| Verdict::Passed(deviation.into()))
            }
        }
    }
}

/// Where the outputs of TorchScript files are recorded.
const SCRIPTS: &str = "torchscript.json";
/// What is to be done with weight files.
const WEIGHTS: &str = "expected.json";

/// The references of a folder, by name. A folder without `arch` is taken for `arch` itself.
///
/// # Errors
/// A folder that cannot be read, or nothing in it that is wanted.
pub fn find(folder: &Path, wanted: &[String]) -> Result<Vec<Case>, String> {
    let arch = folder.join("arch");
    let mut cases = architectures(if arch.is_dir() { &arch } else { folder })?;
    let scripts = folder.join("files").join(SCRIPTS);
    if scripts.is_file() {
        let files = Reference::open(&scripts)?.script_files();
        cases.extend(files.into_iter().map(|name| Case::Script(scripts.with_file_name(name))));
    }
    let weights = folder.join("files").join(WEIGHTS);
    if weights.is_file() {
        let expected = Reference::open(&weights)?;
        let files = expected.json()["files"].as_object().into_iter().flatten();
        cases.extend(files.map(|(name, _)| Case::Weights(weights.with_file_name(name))));
    }
    cases.retain(|case| wanted.is_empty() || wanted.iter().any(|part| case.name().contains(part)));
    if cases.is_empty() {
        return Err(format!("{} has no such references (*.json)", folder.display()));
    }
    Ok(cases)
}

fn architectures(folder: &Path) -> Result<Vec<Case>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files.into_iter().map(Case::Architecture).collect())
}
