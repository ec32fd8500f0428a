//! Finding and reading checkpoints.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tch::Tensor;

use super::{
    BEST, CheckpointError, EarlierData, LAST, MODEL, OPTIMIZER, STATE, SavedState, TENSOR_SETS, whole,
};
use crate::config::{ConfigError, PluginOrigin, RunConfig, sets};
use crate::run_dir::{CHECKPOINTS, CONFIG};
use thaw_data::{DataConfig, SplitBy};
use thaw_weights::read;

/// A checkpoint on disk, with its state read.
#[derive(Debug)]
pub struct Checkpoint {
    /// The folder as it was named.
    shown: PathBuf,
    /// The same, absolute: parts of it are read when plugins have run, which may change the working
    /// directory.
    folder: PathBuf,
    /// Everything but the tensors.
    pub state: SavedState,
}

/// The folder of a checkpoint: a run directory stands for its `preferred` one (`last` or `best`), or else the
/// other.
///
/// # Errors
/// There is none.
pub fn locate(path: &Path, preferred: &str) -> Result<PathBuf, CheckpointError> {
    let names = if preferred == BEST { [BEST, LAST] } else { [LAST, BEST] };
    let of_run = names.iter().map(|name| path.join(CHECKPOINTS).join(name));
    let found = std::iter::once(path.to_path_buf()).chain(of_run).find(|folder| folder.join(STATE).is_file());
    found.ok_or_else(|| CheckpointError::NotFound { path: path.to_path_buf() })
}

impl Checkpoint {
    /// Reads the state of a checkpoint and checks its files against their checksums.
    ///
    /// # Errors
    /// There is none, a file of it is damaged, or it names files that are not its own.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let path = folder.join(STATE);
        let text = whole::read_state(&path)?;
        let state: SavedState = serde_json::from_str(&text)
            .map_err(|error| CheckpointError::State { path: path.clone(), reason: error.to_string() })?;
        if state.format != 1 {
            let reason = format!("the checkpoint has format {}, this program reads format 1", state.format);
            return Err(CheckpointError::State { path, reason });
        }
        whole::check_names(&path, &state)?;
        for (file, expected) in &state.files {
            whole::check_file(&folder.join(file), expected)?;
        }
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        Ok(Self { shown: folder.to_path_buf(), folder: absolute, state })
    }

    /// The folder; absolute.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folder as it was named, for people.
    pub fn shown(&self) -> &Path {
        &self.shown
    }

    /// The run directory that it lies in, if it does.
    pub fn run_dir(&self) -> Option<PathBuf> {
        let folder = self.folder.canonicalize().ok()?;
        let checkpoints = folder.parent()?;
        (checkpoints.file_name()? == CHECKPOINTS)
            .then(|| checkpoints.parent().map(Path::to_path_buf))
            .flatten()
    }

    /// The run config that it keeps, with these `--set` overrides. Its plugins are marked as the
    /// checkpoint's. Paths are those of its own files, and of the data where the run found it; what is gone
    /// from there is as it was given.
    ///
    /// # Errors
    /// As [`RunConfig::from_table`].
    pub fn config(&self, overrides: &[String]) -> Result<RunConfig, ConfigError> {
        let given = &self.state.given.config;
        let mut table = given.clone();
        let found = self
            .state
            .given
            .paths
            .iter()
            .filter(|(key, _)| !key.starts_with("/plugins"))
            .map(|(key, path)| (key, self.folder.join(path)))
            .filter(|(_, path)| path.exists());
        let found: Vec<(&String, Value)> =
            found.filter_map(|(key, path)| Some((key, Value::from(path.to_str()?)))).collect();
        for (key, path) in &found {
            if let Some(value) = table.pointer_mut(key) {
                value.clone_from(path);
            }
        }
        let of_run = self.run_dir().unwrap_or_else(|| self.folder.clone());
        let mut config = RunConfig::from_table(&of_run.join(CONFIG), table, overrides)?;
        for (index, entry) in config.plugins.iter_mut().enumerate() {
            if !sets(overrides, &format!("/plugins/{index}"))
                && !sets(overrides, &format!("/plugins/{index}/path"))
            {
                entry.origin = PluginOrigin::Checkpoint;
            }
        }
        // The table goes on into other checkpoints. There it says what was given, where nothing else is given
        // now.
        for (key, path) in found {
            if let (Some(value), Some(given)) =
                (config.table.pointer_mut(key).filter(|value| **value == path), given.pointer(key))
            {
                value.clone_from(given);
            }
        }
        Ok(config)
    }

    /// What the run's data was, for validating and resuming.
    pub fn data(&self) -> EarlierData {
        EarlierData { split_by: self.split_by(), state: self.data_state() }
    }

    /// State of the run's data set with its id, where a plugin has one.
    pub fn data_state(&self) -> Option<(String, Value)> {
        let id = self.state.given.config.pointer("/data/id")?.as_str()?;
        Some((id.to_owned(), self.state.given.dataset.clone()?))
    }

    /// What the run's `val_split` was drawn from: validating and resuming keep it.
    ///
    /// A checkpoint that does not say comes from a version that took the paths of pictures as they were
    /// spelled: its split is made again from the spelling in its run config, with a warning.
    pub fn split_by(&self) -> SplitBy {
        if let Some(split_by) = &self.state.given.split_by {
            return split_by.clone();
        }
        let data = self.state.given.config.get("data").cloned().map(serde_json::from_value::<DataConfig>);
        let Some(Ok(data)) = data else { return SplitBy::default() };
        match data.picture_root() {
            Some(root) if data.loading.val_split.is_some() => {
                tracing::warn!(
                    "{}: its version drew val_split from the paths of the pictures as they were spelled; \
                     this split is kept, as of \"{}\". If that version resumed the run, it mixed \
                     training and validation pictures: then start a new run",
                    thaw_terminal::escape::path(&self.shown),
                    thaw_terminal::escape::path(&root)
                );
                SplitBy::SpelledPath(root)
            }
            _ => SplitBy::default(),
        }
    }

    /// The file of weights and buffers.
    pub fn model_file(&self) -> PathBuf {
        self.folder.join(MODEL)
    }

    /// Optimizer state and random numbers by name.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn optimizer(&self) -> Result<Vec<(String, Tensor)>, CheckpointError> {
        self.tensors(OPTIMIZER)
    }

    /// Tensor sets of hooks by `SET/NAME`; none where the checkpoint says that there are none.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn tensor_sets(&self) -> Result<Vec<(String, Tensor)>, CheckpointError> {
        if self.state.trained.tensor_sets.is_empty() { Ok(Vec::new()) } else { self.tensors(TENSOR_SETS) }
    }

    fn tensors(&self, file: &str) -> Result<Vec<(String, Tensor)>, CheckpointError> {
        let file = read(self.folder.join(file))?;
        let entries = file.entries().iter().map(|entry| Ok((entry.name().to_owned(), entry.tensor()?)));
        entries.collect()
    }
}
