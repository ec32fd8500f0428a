//! Checkpoints: how fast they are written, beside a plain copy of the same bytes.

use std::error::Error;
use std::fs::File;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use tch::Device;
use thaw_plugins::{PluginSet, SearchPath};
use thaw_train::config::RunConfig;
use thaw_train::fit::{Fit, FitOptions};
use thaw_train::run_dir::Place;

use crate::training::table;

/// Checkpoints of a run, of which the last ones count.
const EPOCHS: usize = 4;

/// Batches between two of them, where they are written while training goes on: these take longer than that.
const BATCHES: usize = 16;

/// Megabytes per second of a checkpoint and of a copy that is as durable, and the milliseconds that training
/// waits for a checkpoint.
pub(crate) fn checkpoint(data: &Path) -> Result<Value, Box<dyn Error>> {
    thaw_torch::init()?;
    let folder = tempfile::tempdir()?;
    let waiting = folder.path().join("waiting");
    let seconds = run(data, &waiting, "at-once", 1)?;
    let start = Instant::now();
    let bytes = copy(&waiting.join("checkpoints/last"), &folder.path().join("copy"))?;
    let copied = start.elapsed().as_secs_f64();
    let stall = run(data, &folder.path().join("beside"), "auto", BATCHES)?;
    let megabytes = bytes as f64 / 1e6;
    Ok(json!({ "write": megabytes / seconds, "copy": megabytes / copied, "stall": stall * 1e3 }))
}

/// Seconds that a run waits for each of its checkpoints but the first.
fn run(data: &Path, run: &Path, write: &str, batches: usize) -> Result<f64, Box<dyn Error>> {
    let more = [
        "checkpoint.enabled=true".to_owned(),
        format!("checkpoint.write={write}"),
        format!("trainer.limit_train_batches={batches}"),
        "data.batch_size=2".to_owned(),
        format!("trainer.max_epochs={EPOCHS}"),
    ];
    let config = RunConfig::from_table(Path::new("bench.toml"), table(data), &more)?;
    let search = SearchPath::of_process(&[]);
    let plugins =
        PluginSet::load(config.plugins.iter().map(|entry| entry.path.as_str()), &search, Path::new(""))?;
    let place = Place::Given(run.to_path_buf());
    Fit::build(config, plugins, Device::Cpu, FitOptions::new(place))?.run()?;
    let took = seconds_of_checkpoints(run)?;
    Ok(took.iter().skip(1).sum::<f64>() / (took.len() - 1) as f64)
}

/// What the records say of each.
fn seconds_of_checkpoints(run: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let text = std::fs::read_to_string(run.join("history.jsonl"))?;
    let records: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let written = records.iter().filter(|record| record["event"] == "checkpoint_written");
    let took: Vec<f64> = written.filter_map(|record| record["took"].as_f64()).collect();
    if took.len() < 2 { Err("the run wrote fewer than two checkpoints".into()) } else { Ok(took) }
}

/// Copies the files of a folder to the disk; gives their bytes.
fn copy(from: &Path, to: &Path) -> std::io::Result<u64> {
    std::fs::create_dir(to)?;
    std::fs::read_dir(from)?.try_fold(0, |sum, entry| {
        let path = entry?.path();
        let copy = to.join(path.file_name().unwrap_or_default());
        let bytes = std::fs::copy(&path, &copy)?;
        File::open(&copy)?.sync_all()?;
        Ok(sum + bytes)
    })
}
