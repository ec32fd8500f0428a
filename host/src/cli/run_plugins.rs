//! The plugins of a command: those of the command line, then those of the run config.
//!
//! Files come from the user alone: from `--plugin`, from a run config that was named, from the search path. A
//! checkpoint may be somebody else's. It names plugins; where it names a file, that file's name is looked for
//! on the search path, and its folder is not.

use std::collections::BTreeSet;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Options;
use crate::Error;
use crate::error::io;
use thaw_data::DataConfig;
use thaw_plugins::{LoadedPlugin, PluginError, PluginSet, SearchPath, Snapshot, is_path};
use thaw_train::checkpoint::Checkpoint;
use thaw_train::config::{PluginEntry, PluginOrigin, RunConfig};
use thaw_train::run_dir::{PLUGINS, SWAPS};
use thaw_train::swap::Swap;

/// What a command makes of a run's plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Model, strategies and callbacks.
    Everything,
    /// The model, and the data set where the data is a plugin's.
    ModelAndData,
    /// The model alone.
    Model,
}

/// Loads the plugins of the command line, then those of the run config, then what else the checkpoint names.
///
/// Of a checkpoint's plugins those are left out whose ids the command line offers.
///
/// # Errors
/// One that is not found, refused, or not the one that is pinned.
pub fn load(
    options: &Options,
    config: &RunConfig,
    checkpoint: Option<&Checkpoint>,
    needs: Needs,
) -> Result<PluginSet, Error> {
    let search = SearchPath::of_process(&options.plugin_dirs);
    let mut set = PluginSet::default();
    let mut swaps =
        checkpoint.filter(|_| needs == Needs::Everything).map(swaps).transpose()?.unwrap_or_default();
    let swapped: Vec<String> = swaps.iter().map(|swap| swap.sha256.clone()).collect();
    for name in &options.plugins {
        let path = search.find(name, Path::new(""))?;
        let snapshot = Snapshot::take(&path)?;
        if swaps.iter().any(|swap| swap.sha256 == snapshot.file().sha256) {
            swaps.retain(|swap| swap.sha256 != snapshot.file().sha256);
            set.keep_for_swap(LoadedPlugin::open_snapshot(&path, snapshot)?);
        } else if !set.plugins().any(|known| known.path() == snapshot.file().path) {
            set.insert(LoadedPlugin::open_snapshot(&path, snapshot)?)?;
        }
    }
    let mut missing = Vec::new();
    for entry in &config.plugins {
        match entry.origin {
            PluginOrigin::Given => {
                set.add_pinned(&search.find(&entry.path, Path::new(""))?, entry.sha256.as_deref())?;
            }
            PluginOrigin::Checkpoint => add_named(&mut set, &search, entry, &mut missing)?,
        }
    }
    let mut records = checkpoint.map(recorded).transpose()?.unwrap_or_default();
    records.retain(|record| !swapped.contains(&record.sha256));
    for record in records {
        add_recorded(&mut set, &search, &record, &mut missing)?;
    }
    for swap in &swaps {
        find_swapped(&mut set, &search, swap)?;
    }
    let lacks_callback = || config.callbacks.iter().any(|callback| !set.offers_instance(&callback.id));
    let dataset = config.data.as_ref().and_then(DataConfig::dataset_id);
    let lacks_dataset = || dataset.is_some_and(|id| !set.offers_dataset(id));
    let lacks = !set.offers_model(&config.model.id)
        || needs == Needs::Everything && lacks_callback()
        || needs != Needs::Model && lacks_dataset();
    match missing.into_iter().next() {
        Some(error) if lacks => Err(error.into()),
        _ => Ok(set),
    }
}

/// Adds a plugin that a checkpoint's run config names; one that is not found may not be needed.
fn add_named(
    set: &mut PluginSet,
    search: &SearchPath,
    entry: &PluginEntry,
    missing: &mut Vec<PluginError>,
) -> Result<(), PluginError> {
    let is_file = is_path(&entry.path);
    let name = if is_file { name_of_file(Path::new(&entry.path)) } else { entry.path.clone() };
    match search.find(&name, Path::new("")) {
        Ok(path) => add_unless_offered(set, &path, entry.sha256.as_deref()),
        Err(_) if is_file => {
            let (file, places) = (PathBuf::from(&entry.path), search.shown());
            missing.push(PluginError::FileOfCheckpoint { file, name, places });
            Ok(())
        }
        Err(error) => {
            missing.push(error);
            Ok(())
        }
    }
}

fn add_unless_offered(set: &mut PluginSet, path: &Path, pin: Option<&str>) -> Result<(), PluginError> {
    let plugin = match pin {
        Some(sha256) => LoadedPlugin::open_pinned(path, sha256)?,
        None => LoadedPlugin::open(path)?,
    };
    let is_there = plugin.metadata().items.iter().any(|item| set.offers_any(&item.id));
    if is_there { Ok(()) } else { set.insert(plugin).map(drop) }
}

/// A line of a run's `plugins.json`.
struct Recorded {
    name: String,
    path: PathBuf,
    sha256: String,
    ids: Vec<String>,
}

/// What the run's `plugins.json` names; nothing where the checkpoint was taken out of its run.
fn recorded(checkpoint: &Checkpoint) -> Result<Vec<Recorded>, Error> {
    let entries: Vec<Value> = of_run_dir(checkpoint, PLUGINS)?;
    let read = |entry: &Value| {
        let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = text("name")?;
        let name = name.strip_prefix("thaw-").unwrap_or(&name).to_owned();
        let ids =
            entry.get("ids")?.as_array()?.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
        Some(Recorded { name, path: PathBuf::from(text("path")?), sha256: text("sha256")?, ids })
    };
    Ok(entries.iter().filter_map(read).collect())
}

/// Adds a plugin that the run had, from `--plugin` perhaps, where nothing offers its ids yet; says where
/// another file of it is used.
fn add_recorded(
    set: &mut PluginSet,
    search: &SearchPath,
    record: &Recorded,
    missing: &mut Vec<PluginError>,
) -> Result<(), PluginError> {
    let mut names = vec![name_of_file(&record.path)];
    if !is_path(&record.name) {
        names.insert(0, record.name.clone());
    }
    if !record.ids.iter().any(|id| set.offers_any(id)) {
        match names.iter().find_map(|name| search.find(name, Path::new("")).ok()) {
            Some(path) => add_unless_offered(set, &path, None)?,
            None => {
                let (file, name, places) = (record.path.clone(), names.remove(0), search.shown());
                missing.push(PluginError::FileOfCheckpoint { file, name, places });
            }
        }
    }
    let used =
        set.plugins().find(|plugin| plugin.metadata().items.iter().any(|item| record.ids.contains(&item.id)));
    if let Some(other) = used.filter(|used| used.sha256() != record.sha256) {
        tracing::warn!(
            "{}: this is another file than the run had: its SHA-256 was {}",
            thaw_terminal::escape::path(other.path()),
            thaw_terminal::escape(&record.sha256)
        );
    }
    Ok(())
}

/// Strategies that took over in the run, by the checkpoint and by the run's journal.
fn swaps(checkpoint: &Checkpoint) -> Result<Vec<Swap>, Error> {
    let mut swaps = checkpoint.state.kept.swaps.clone();
    // A journal that cannot be read is told of when it is to be repeated.
    swaps.extend(of_run_dir::<Swap>(checkpoint, SWAPS).unwrap_or_default());
    let mut seen = BTreeSet::new();
    swaps.retain(|swap| seen.insert(swap.sha256.clone()));
    Ok(swaps)
}

/// Keeps the plugin of a strategy that took over, where the very same file is on the search path.
fn find_swapped(set: &mut PluginSet, search: &SearchPath, swap: &Swap) -> Result<(), PluginError> {
    if set.for_swap(&swap.sha256).is_some() {
        return Ok(());
    }
    let Ok(path) = search.find(&name_of_file(&swap.source), Path::new("")) else { return Ok(()) };
    let snapshot = Snapshot::take(&path)?;
    if snapshot.file().sha256 == swap.sha256 {
        set.keep_for_swap(LoadedPlugin::open_snapshot(&path, snapshot)?);
    }
    Ok(())
}

/// A list that a file of the checkpoint's run directory holds; empty without one.
fn of_run_dir<T: serde::de::DeserializeOwned>(checkpoint: &Checkpoint, name: &str) -> Result<Vec<T>, Error> {
    let path = checkpoint.run_dir().map(|run_dir| run_dir.join(name)).filter(|path| path.is_file());
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(&path).map_err(io(&path))?;
    serde_json::from_str(&text).map_err(|error| io(&path)(error.into()))
}

/// The name that a plugin's file is found by: `libthaw_vision.so` is `vision`.
fn name_of_file(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.strip_suffix(DLL_SUFFIX).unwrap_or(&name);
    let name = name.strip_prefix(DLL_PREFIX).unwrap_or(name);
    name.strip_prefix("thaw_").unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_for_by_its_name_alone() {
        for (file, name) in [
            ("/else/where/libthaw_vision.so", "vision"),
            ("../libmine.so", "mine"),
            ("./evil.so", "evil"),
            ("..", ""),
        ] {
            let found = name_of_file(Path::new(&file.replace(".so", DLL_SUFFIX)));
            assert_eq!(found, name);
            assert!(!is_path(&found));
        }
    }
}
