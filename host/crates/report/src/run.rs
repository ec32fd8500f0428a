//! A run as its records have it.

mod epochs;
mod groups;
mod history;
mod lines;
mod metrics;
mod modules;
mod records;
mod samples;
mod state;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

pub use epochs::{EpochTime, epoch_times};
pub use groups::{BatchNormMode, Group, GroupsRecord};
pub use history::{HistoryRecord, Machine, Started, What};
pub use metrics::MetricsRecord;
pub use modules::ModuleRecord;
pub use records::{ConfusionRecord, PluginRecord, ResumeRecord, SwapRecord};
pub use samples::{SampleRecord, SamplesRecord};
use serde::de::DeserializeOwned;
pub use state::RunState;
use thaw_plugin_api::monitor::{Mode, mode_of};
use thaw_train::run_dir::{CONFIG, CONFUSION, GROUPS, HISTORY, METRICS, PLUGINS, RESUMES, SAMPLES, SWAPS};

use crate::ReportError;
use lines::Lines;

/// What a run directory says of its run. What a run of an earlier version did not record is empty.
#[derive(Debug)]
pub struct Run {
    /// Name of its folder.
    pub name: String,
    /// Whether it trains, or how it ended.
    pub state: RunState,
    /// The run config, as text.
    pub config: String,
    /// The same as a table.
    pub table: toml::Table,
    /// Metrics, in the order in which they were recorded.
    pub metrics: Vec<MetricsRecord>,
    /// What trained at which rate.
    pub groups: Vec<GroupsRecord>,
    /// What happened.
    pub history: Vec<HistoryRecord>,
    /// Confusion matrices of validations.
    pub confusion: Vec<ConfusionRecord>,
    /// Samples of validations that are worth a look.
    pub samples: Vec<SamplesRecord>,
    /// Their thumbnails by name, of those of the best or the last validation that are there.
    pub pictures: BTreeMap<String, Vec<u8>>,
    /// The plugins that ran.
    pub plugins: Vec<PluginRecord>,
    /// Strategies that took over.
    pub swaps: Vec<SwapRecord>,
    /// Where the run went on from checkpoints.
    pub resumes: Vec<ResumeRecord>,
    /// Modules that have parameters, from the bottom to the top.
    pub modules: Vec<ModuleRecord>,
    /// Names of the classes, where they are recorded.
    pub class_names: Vec<String>,
    /// What of the records is missing or incomplete, in words.
    pub notes: Vec<String>,
}

impl Run {
    /// Reads a run directory, of a run that may be live.
    ///
    /// # Errors
    /// It is none, or a file in it holds something else than a run writes there. The last record of a file
    /// may be half-written: it is left out.
    pub fn read(run_dir: &Path) -> Result<Self, ReportError> {
        let (config, table) = config(run_dir)?;
        let mut lines = Lines::of(run_dir);
        let (metrics, groups) = (lines.read(METRICS)?, lines.read(GROUPS)?);
        let (history, confusion) = (lines.read(HISTORY)?, lines.read(CONFUSION)?);
        let (resumes, samples) = (lines.read(RESUMES)?, lines.read(SAMPLES)?);
        check_classes(run_dir, &confusion)?;
        let kept = modules::of_run(run_dir, &history, &groups);
        let mut notes = lines.notes;
        notes.extend(kept.note);
        let full_name = run_dir.canonicalize().unwrap_or_else(|_| run_dir.to_path_buf());
        let name = full_name.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self {
            name,
            state: RunState::of(run_dir, &history, &metrics, &table),
            config,
            table,
            metrics,
            groups,
            history,
            confusion,
            pictures: samples::pictures(run_dir, &samples),
            samples,
            plugins: json(run_dir, PLUGINS, "the plugins of a run")?,
            swaps: json(run_dir, SWAPS, "the swaps of a run")?,
            resumes,
            modules: kept.modules,
            class_names: kept.class_names,
            notes,
        })
    }

    /// What the last process of the run said of itself at its start.
    pub fn started(&self) -> Option<&Started> {
        self.history.iter().rev().find_map(|record| match &record.what {
            What::Started(started) => Some(started.as_ref()),
            _ => None,
        })
    }

    /// A value of the run config, by table and key.
    pub fn key(&self, table: &str, key: &str) -> Option<&toml::Value> {
        self.table.get(table)?.get(key)
    }

    /// A metric at the end of each epoch that has it, the last value of each: epoch, from 0, and value; NaN
    /// where it is no number.
    pub fn of_epochs(&self, metric: &str) -> Vec<(usize, f64)> {
        last_of_each(metric, self.metrics.iter().filter(|record| record.batch.is_none()))
    }

    /// The same of the records of whole epochs alone: a validation inside of one, such as somebody asks for,
    /// ranks nothing.
    fn of_whole_epochs(&self, metric: &str) -> Vec<(usize, f64)> {
        let records = self.metrics.iter().filter(|record| record.batch.is_none());
        last_of_each(metric, records.filter(|record| record.is_of_training()))
    }

    /// Names of the metrics that whole epochs have, in the order in which they came; rates left out.
    pub fn epoch_metrics(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let records = self.metrics.iter().filter(|record| record.batch.is_none());
        for (name, _) in records.flat_map(|record| &record.values) {
            if !name.starts_with("lr-") && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// The metric that ranks checkpoints, as the run itself chooses it, with which way it improves where that
    /// is known.
    pub fn ranking(&self) -> (String, Option<Mode>) {
        let given = self.key("checkpoint", "monitor").and_then(toml::Value::as_str);
        let has_validation = self.metrics.iter().any(|record| record.value("val_loss").is_some());
        let default = if has_validation { "val_loss" } else { "train_loss" };
        let metric = given.unwrap_or(default).to_owned();
        let mode = match self.key("checkpoint", "mode").and_then(toml::Value::as_str) {
            Some("min") => Some(Mode::Min),
            Some("max") => Some(Mode::Max),
            _ => None,
        };
        let mode = mode_of(&metric, mode).ok();
        (metric, mode)
    }

    /// The best epoch, from 0, by the metric that ranks checkpoints, and its value; none where its name does
    /// not say which way it improves.
    pub fn best(&self) -> Option<(usize, f64)> {
        let (metric, mode) = self.ranking();
        mode.and_then(|_| self.best_of(&metric))
    }

    /// The best value of a metric over epochs, with its epoch, from 0: the last one where its name does not
    /// say which way it improves.
    pub fn best_of(&self, metric: &str) -> Option<(usize, f64)> {
        let (ranking, mode) = self.ranking();
        let mode = if ranking == metric { mode } else { mode_of(metric, None).ok() };
        let values = self.of_whole_epochs(metric).into_iter().filter(|(_, value)| value.is_finite());
        values.reduce(|best, next| match mode {
            Some(mode) if !mode.is_better(next.1, best.1) => best,
            _ => next,
        })
    }

    /// Epochs that it is to have, where its config says so.
    pub fn max_epochs(&self) -> Option<usize> {
        let epochs = self.key("trainer", "max_epochs").and_then(toml::Value::as_integer);
        epochs.and_then(|epochs| usize::try_from(epochs).ok())
    }

    /// Epochs that are complete.
    pub fn epochs(&self) -> usize {
        let ends = self.metrics.iter().filter(|record| record.batch.is_none() && record.is_of_training());
        ends.map(|record| record.epoch + 1).max().unwrap_or(0)
    }

    /// Seconds since the run was started, where they are recorded.
    pub fn seconds(&self) -> Option<f64> {
        let metrics = self.metrics.iter().rev().find_map(|record| record.seconds);
        let history = self.history.iter().rev().find_map(|record| record.seconds);
        match (metrics, history) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        }
    }
}

/// A metric by epoch, the last value of each.
fn last_of_each<'r>(metric: &str, records: impl Iterator<Item = &'r MetricsRecord>) -> Vec<(usize, f64)> {
    let mut values: Vec<(usize, f64)> = Vec::new();
    for record in records {
        let Some(value) = record.value(metric) else { continue };
        match values.last_mut() {
            Some(last) if last.0 == record.epoch => last.1 = value,
            _ => values.push((record.epoch, value)),
        }
    }
    values
}

fn config(run_dir: &Path) -> Result<(String, toml::Table), ReportError> {
    let path = run_dir.join(CONFIG);
    let no_run = |problem: String| ReportError::NoRun { path: path.clone(), problem };
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(no_run("it is not there".to_owned()));
        }
        text => text.map_err(|source| ReportError::Read { path: path.clone(), source })?,
    };
    let table: toml::Table =
        text.parse().map_err(|error: toml::de::Error| no_run(error.message().to_owned()))?;
    if !table.get("model").is_some_and(toml::Value::is_table) {
        return Err(no_run("it has no table [model]".to_owned()));
    }
    Ok((text, table))
}

/// A whole file of JSON; nothing where it is not there.
fn json<T: DeserializeOwned>(
    run_dir: &Path,
    name: &str,
    expected: &'static str,
) -> Result<Vec<T>, ReportError> {
    let path = run_dir.join(name);
    match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(ReportError::Read { path, source }),
        Ok(text) => serde_json::from_slice(&text).map_err(|error| ReportError::Damaged {
            path,
            problem: error.to_string(),
            expected,
        }),
    }
}

/// More classes than any model has: the file is damaged.
const CLASSES: usize = 1 << 20;

/// Classes beyond those that there are have no place in a matrix.
fn check_classes(run_dir: &Path, records: &[ConfusionRecord]) -> Result<(), ReportError> {
    for (line, record) in records.iter().enumerate() {
        let damaged = |problem: String, expected| {
            let problem = format!("record {}: {problem}", line + 1);
            Err(ReportError::Damaged { path: run_dir.join(CONFUSION), problem, expected })
        };
        if record.classes > CLASSES {
            return damaged(format!("{} classes", record.classes), "as many classes as a model has");
        }
        let largest = record.counts.iter().map(|(label, predicted, _)| (*label).max(*predicted)).max();
        if let Some(class) = largest.filter(|class| *class >= record.classes) {
            let problem = format!("class {class} of {} classes, from 0", record.classes);
            return damaged(problem, "classes below their number");
        }
    }
    Ok(())
}
