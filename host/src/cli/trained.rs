//! A checkpoint named on the command line, with the plugins and the config that belong to it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use thaw_plugin_api::context::Stage;

use super::{Options, session};
use crate::Error;
use crate::checkpoint::{BEST, Checkpoint, locate};
use crate::config::RunConfig;
use crate::error::io;
use crate::inference::Inference;
use crate::plugins::{PluginSet, SearchPath};
use crate::run_dir::PLUGINS;

/// Which checkpoint, and what is changed of its run config.
#[derive(Args)]
pub struct TrainedArgs {
    /// A checkpoint, or a run directory for its best one (its last where none is the best).
    #[arg(long, value_name = "CHECKPOINT|RUN_DIR")]
    checkpoint: PathBuf,
    /// Sets a key of the run config.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// A model ready to be used.
pub struct Trained {
    /// The model, loaded.
    pub inference: Inference,
    /// The checkpoint it came from.
    pub checkpoint: Checkpoint,
}

impl TrainedArgs {
    /// One more `--set`.
    pub fn set(&mut self, text: &str) {
        self.set.push(text.to_owned());
    }

    /// Opens the checkpoint and builds its model. Without a config the one of its run is taken.
    ///
    /// # Errors
    /// No checkpoint, plugins that are not found, a config or model that does not fit.
    pub fn open(&self, options: &Options, config: Option<&Path>, stage: Stage) -> Result<Trained, Error> {
        let checkpoint = Checkpoint::open(&locate(&self.checkpoint, BEST)?)?;
        let config = match config {
            Some(path) => RunConfig::read(path, &self.set)?,
            None => checkpoint.config(&self.set)?,
        };
        let device = session::device(&config.trainer.device)?;
        let plugins = plugins(options, &config, &checkpoint)?;
        let inference = Inference::new(config, &plugins, device, &checkpoint, stage)?;
        Ok(Trained { inference, checkpoint })
    }
}

/// The plugins of the command line; then those of the run, by the paths in its `plugins.json`, else by name.
/// One that offers an id which is there already is left out: the command line wins.
fn plugins(options: &Options, config: &RunConfig, checkpoint: &Checkpoint) -> Result<PluginSet, Error> {
    let search = SearchPath::of_process(&options.plugin_dirs);
    let mut set = PluginSet::load(options.plugins.iter().map(String::as_str), &search, Path::new(""))?;
    // A pin says which file it has to be: the paths of the run do not get around it.
    for entry in config.plugins.iter().filter(|entry| entry.sha256.is_some()) {
        session::add(&mut set, &search, entry)?;
    }
    for record in recorded(checkpoint)? {
        let is_there = record.ids.iter().any(|id| set.offers_any(id));
        let found = if record.path.is_file() {
            Ok(record.path.clone())
        } else {
            search.find(&record.name, Path::new(""))
        };
        match found {
            _ if is_there => {}
            Ok(path) => {
                let plugin = set.add(&path)?;
                if plugin.sha256() != record.sha256 {
                    tracing::warn!(
                        "{}: this is another file than the run had: its SHA-256 was {}",
                        path.display(),
                        record.sha256
                    );
                }
            }
            Err(error) => tracing::warn!("{error} (and {} is gone)", record.path.display()),
        }
    }
    if !set.offers_model(&config.model.id) {
        for entry in &config.plugins {
            session::add(&mut set, &search, entry)?;
        }
    }
    Ok(set)
}

struct Recorded {
    name: String,
    path: PathBuf,
    sha256: String,
    ids: Vec<String>,
}

/// What the run's `plugins.json` names; nothing where the checkpoint was taken out of its run.
///
/// # Errors
/// The file cannot be read.
fn recorded(checkpoint: &Checkpoint) -> Result<Vec<Recorded>, Error> {
    let Some(path) = checkpoint.run_dir().map(|run_dir| run_dir.join(PLUGINS)).filter(|path| path.exists())
    else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(&path).map_err(io(&path))?;
    let entries: Vec<Value> = serde_json::from_str(&text).map_err(|error| io(&path)(error.into()))?;
    let read = |entry: &Value| {
        let name = entry.get("name")?.as_str()?;
        let ids =
            entry.get("ids")?.as_array()?.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
        let name = name.strip_prefix("thaw-").unwrap_or(name).to_owned();
        let sha256 = entry.get("sha256")?.as_str()?.to_owned();
        Some(Recorded { name, path: PathBuf::from(entry.get("path")?.as_str()?), sha256, ids })
    };
    Ok(entries.iter().filter_map(read).collect())
}
