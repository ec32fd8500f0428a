//! Weights in several files under one index (`*.index.json`), as transformers writes large models.

use super::error::WeightsError;
use super::state_dict::{Entry, StateDict};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Which file holds which tensors.
pub(super) struct Index {
    path: PathBuf,
    files: BTreeMap<String, BTreeSet<String>>,
}

impl Index {
    /// Whether a file is an index, by its name.
    pub fn is(path: &Path) -> bool {
        path.to_str().is_some_and(|path| path.ends_with(".index.json"))
    }

    /// Reads the index alone.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let text = fs::read(path).map_err(|source| WeightsError::Io { path: path.to_owned(), source })?;
        let index: Value = serde_json::from_slice(&text)
            .map_err(|error| damaged(path, None, format!("not JSON: {error}")))?;
        let map = index.get("weight_map").and_then(Value::as_object);
        let map = map.ok_or_else(|| {
            let reason = "an index of shards needs `weight_map`: tensor name to file";
            damaged(path, None, reason.to_owned())
        })?;
        let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, file) in map {
            let file = file.as_str().filter(|file| is_plain(file)).ok_or_else(|| {
                let reason = "its file must be a name beside the index";
                damaged(path, Some(name), reason.to_owned())
            })?;
            files.entry(file.to_owned()).or_default().insert(name.clone());
        }
        Ok(Self { path: path.to_owned(), files })
    }

    /// The names of the files, which lie beside the index.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The tensors of all files, each file opened by `open`.
    pub fn tensors(
        &self,
        open: impl Fn(&Path) -> Result<StateDict, WeightsError>,
    ) -> Result<StateDict, WeightsError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut metadata = BTreeMap::new();
        for (file, names) in &self.files {
            let part = open(&self.path.with_file_name(file))?;
            if let Some(missing) = names.iter().find(|name| part.get(name).is_none()) {
                let reason = format!("it should be in {file}, but is not");
                return Err(damaged(&self.path, Some(missing), reason));
            }
            metadata.extend(part.metadata().clone());
            // What a shard holds beyond the index is another's: the index decides.
            let listed = part.into_entries().into_iter();
            entries.extend(listed.filter(|entry| names.contains(entry.name())));
        }
        if entries.is_empty() {
            return Err(WeightsError::NoTensors {
                path: self.path.clone(),
                found: "`weight_map` is empty".to_owned(),
            });
        }
        Ok(StateDict::new(&self.path, entries).with_metadata(metadata))
    }
}

fn damaged(path: &Path, tensor: Option<&str>, reason: String) -> WeightsError {
    WeightsError::Damaged { path: path.to_owned(), tensor: tensor.map(str::to_owned), reason }
}

/// Whether a name has no directory, so that an index cannot reach out of its own.
fn is_plain(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}
