//! What a run is resumed with, compared with what it was.

use std::path::Path;

use serde_json::{Value, json};
use thaw_plugin_api::abi::Kind;

use super::changes::changes;
use super::position::EpochPosition;
use super::rules::{Row, Rule, row_of};
use crate::Error;
use crate::checkpoint::{Checkpoint, SavedState};
use crate::config::RunConfig;
use crate::error::{Change, Refused, ResumeError, shown};
use crate::fit::Fit;
use crate::fit::same_data::DataChanges;
use crate::parts::run_length;
use thaw_data::{DataConfig, Source, Split};
use thaw_optim::scheduler::RunLength;

/// What the run goes on with.
#[derive(Clone, Debug)]
pub(in crate::fit) struct Resumed {
    /// Keys that have other values from here on.
    pub changes: Vec<Change>,
    /// Where in the epoch it goes on.
    pub position: EpochPosition,
    /// Optimizer steps of that epoch until there, as the run before counted them.
    pub steps: usize,
    /// How long that run was to be.
    pub length: RunLength,
}

/// Whether a key that fits only sometimes does.
enum Fits {
    Yes,
    No(String),
}

impl Fit {
    /// Compares run config and data with those of the checkpoint, before anything is put back or written.
    ///
    /// # Errors
    /// A key that a resumed run does not take, other classes, or a position that there is no more.
    pub(in crate::fit) fn check_resumed(&self, checkpoint: &Checkpoint) -> Result<Resumed, Error> {
        let saved = RunConfig::from_table(checkpoint.folder(), checkpoint.state.given.config.clone(), &[])?;
        let changes =
            changes(&self.state.config, &saved, checkpoint, &self.plugins, &self.state.trained.model)?;
        let position = EpochPosition::of(&checkpoint.state.position, &saved);
        let refused: Vec<Refused> =
            changes.iter().filter_map(|change| self.refused(change, &checkpoint.state, &position)).collect();
        let processes = self.other_processes(&checkpoint.state, &position);
        let refused: Vec<Refused> = refused.into_iter().chain(processes).collect();
        if !refused.is_empty() {
            let weights = checkpoint.run_dir().unwrap_or_else(|| checkpoint.folder().to_path_buf());
            return Err(ResumeError::Changed { refused, weights }.into());
        }
        self.check_data(&checkpoint.state)?;
        for change in &changes {
            tell(change);
        }
        let steps = position.steps(&saved);
        let length = run_length(&saved, &self.state.progress());
        Ok(Resumed { changes, position, steps, length })
    }

    /// Why another number of processes than before cannot go on here; none where it can.
    fn other_processes(&self, saved: &SavedState, position: &EpochPosition) -> Option<Refused> {
        let (before, now) = (saved.position.processes.unwrap_or(1), self.state.world.size());
        if before == now {
            return None;
        }
        match self.position_fits(position) {
            Fits::Yes => {
                tracing::info!("the run has {now} processes from here on, and had {before}");
                None
            }
            Fits::No(reason) => {
                let (key, from, to) = ("the number of processes".to_owned(), json!(before), json!(now));
                Some(Refused { change: Change { key, from, to }, reason })
            }
        }
    }

    /// Why a key is refused, if it is.
    fn refused(&self, change: &Change, saved: &SavedState, position: &EpochPosition) -> Option<Refused> {
        let refused = |reason: String| Some(Refused { change: change.clone(), reason });
        let Some(row) = self.row_of(&change.key) else {
            return refused("this version of the program does not resume with another value".to_owned());
        };
        match row.rule {
            Rule::AtOnce | Rule::FromNextEpoch => None,
            Rule::Refused => refused(row.note.to_owned()),
            Rule::BetweenEpochs if position.is_inside() => refused(format!(
                "the checkpoint lies inside epoch {}: {}",
                saved.position.epoch + 1,
                row.note
            )),
            Rule::BetweenEpochs => None,
            Rule::WhereItFits => match self.fits(change, saved, position) {
                Fits::Yes => None,
                Fits::No(reason) => refused(reason),
            },
        }
    }

    /// The row of a key; those of a data set's own stand apart from the host's of the same name.
    fn row_of(&self, key: &str) -> Option<&'static Row> {
        let data = self.state.config.data.as_ref().map(|data| &data.source);
        let own = key.strip_prefix("data.").zip(data).and_then(|(key, source)| match source {
            Source::Plugin(plugin) => Some((key, self.plugins.schema(&[Kind::Dataset], &plugin.id))),
            _ => None,
        });
        match own.and_then(|(key, schema)| schema.get("properties")?.get(key)) {
            // Data may lie elsewhere, as that of the other kinds.
            Some(own) if own.get("format").is_some_and(|format| format == "path") => row_of("data.path"),
            Some(_) => row_of("dataset.own"),
            None => row_of(key),
        }
    }

    fn fits(&self, change: &Change, saved: &SavedState, position: &EpochPosition) -> Fits {
        match change.key.as_str() {
            "callbacks" => self.callbacks_fit(change),
            "trainer.metrics" => metrics_fit(change, &saved.given.config),
            "data.validation" => sets_fit(change, &saved.given.config),
            "data.batch_size" | "trainer.accumulate_grad_batches" => self.position_fits(position),
            _ if saved.trained.optimizer.is_some() => {
                Fits::No("a strategy has put another optimizer in the place of the run config's".to_owned())
            }
            _ => match saved.trained.groups.iter().find(|group| !group.options.is_empty()) {
                Some(group) => Fits::No(format!(
                    "group `{}` has options of its own, set by a strategy or a schedule",
                    group.name
                )),
                None => Fits::Yes,
            },
        }
    }

    /// Further callbacks begin anew; nothing else about the list may change but its order.
    fn callbacks_fit(&self, change: &Change) -> Fits {
        let mut left = texts(&change.from);
        for callback in &self.callbacks {
            if let Some(same) = left.iter().position(|id| *id == callback.id()) {
                left.remove(same);
            } else if callback.kind() == Kind::Strategy {
                return Fits::No(format!(
                    "strategy `{}` is new: it would not freeze before training",
                    callback.id()
                ));
            }
        }
        match left.first() {
            Some(gone) => Fits::No(format!("`{gone}` is missing: its state would be lost")),
            None => Fits::Yes,
        }
    }

    /// Inside an epoch the samples so far have to be whole batches and whole accumulation windows.
    fn position_fits(&self, position: &EpochPosition) -> Fits {
        if !position.is_inside() {
            return Fits::Yes;
        }
        let size = self.state.data.batch_size(Split::Train);
        let window = position.window(&self.state.config);
        if size != position.batch_size && self.state.config.data.as_ref().is_some_and(is_bucketed) {
            return Fits::No(
                "the checkpoint lies inside an epoch, whose order `bucket` makes by batches".to_owned(),
            );
        }
        position.fits(size, window, self.state.progress().num_training_batches).map_or(Fits::Yes, Fits::No)
    }

    fn check_data(&self, saved: &SavedState) -> Result<(), Error> {
        let classes = self.state.data.class_names();
        if classes != saved.given.class_names {
            return Err(ResumeError::Classes {
                found: classes.join(", "),
                expected: saved.given.class_names.join(", "),
            }
            .into());
        }
        let found = self.state.data.samples(Split::Train);
        let mut changes = DataChanges::since(saved, &self.state.config, &self.state.data);
        let position = &saved.position;
        match position.train_samples {
            Some(expected) if expected != found && position.is_inside_epoch() => {
                return Err(ResumeError::Samples { found, expected, epoch: position.epoch }.into());
            }
            Some(expected) if expected != found => {
                self.state.warnings.warn(format_args!(
                    "[data] has {found} training samples, and had {expected} when the checkpoint was written"
                ));
                changes.train = None;
            }
            _ => {}
        }
        if let Some(change) =
            changes.train.filter(|change| change.is_of_samples() && position.is_inside_epoch())
        {
            return Err(ResumeError::OtherSamples { change, epoch: position.epoch }.into());
        }
        changes.tell_resumed();
        Ok(())
    }

    /// Says which plugin files have other content than those that ran before.
    pub(in crate::fit) fn tell_other_plugins(&self, run_dir: &Path) {
        let path = run_dir.join(crate::run_dir::PLUGINS);
        let Ok(text) = std::fs::read_to_string(&path) else { return };
        let Ok(before) = serde_json::from_str::<Vec<serde_json::Value>>(&text) else { return };
        for plugin in self.plugins.plugins() {
            let name = plugin.metadata().name.as_str();
            let known = before.iter().find(|entry| entry.get("name").is_some_and(|known| known == name));
            let sha256 = known.and_then(|entry| entry.get("sha256")?.as_str());
            if let Some(sha256) = sha256.filter(|sha256| *sha256 != plugin.sha256()) {
                self.state.warnings.warn(format_args!(
                    "plugin `{name}` is another file than before: {} has the SHA-256 {}, and it was {sha256}",
                    plugin.path().display(),
                    plugin.sha256()
                ));
            }
        }
    }
}

/// A metric that somebody waits for has to stay: without it the best checkpoint and a stop would be those of
/// before, for good.
fn metrics_fit(change: &Change, config: &Value) -> Fits {
    let (before, now) = (texts(&change.from), texts(&change.to));
    let gone = before.iter().filter(|name| !now.contains(name)).map(|name| format!("val_{name}"));
    let missed = gone.into_iter().find(|metric| monitor(config, &|monitor| monitor == metric).is_some());
    match missed {
        Some(metric) => Fits::No(format!("`monitor = \"{metric}\"` waits for it")),
        None => Fits::Yes,
    }
}

/// As for metrics: a set whose metric somebody waits for has to stay.
fn sets_fit(change: &Change, config: &Value) -> Fits {
    let names = |sets: &Value| -> Vec<String> {
        sets.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    };
    let now = names(&change.to);
    let gone = names(&change.from).into_iter().filter(|name| !now.contains(name));
    let missed = gone
        .map(|name| format!("val_{name}_"))
        .find_map(|start| monitor(config, &|metric| metric.starts_with(&start)));
    match missed {
        Some(metric) => Fits::No(format!("`monitor = \"{metric}\"` waits for it")),
        None => Fits::Yes,
    }
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// The first metric of this kind that a `monitor` anywhere in the run config names.
fn monitor(config: &Value, is_meant: &impl Fn(&str) -> bool) -> Option<String> {
    match config {
        Value::Object(table) => table.iter().find_map(|(key, value)| match value {
            Value::String(metric) if key == "monitor" && is_meant(metric) => Some(metric.clone()),
            other => monitor(other, is_meant),
        }),
        Value::Array(values) => values.iter().find_map(|value| monitor(value, is_meant)),
        _ => None,
    }
}

fn is_bucketed(data: &DataConfig) -> bool {
    match &data.source {
        Source::Text(text) => text.bucket,
        // Texts of a plugin, which are in buckets unless the table says otherwise.
        Source::Plugin(plugin) => {
            let bucket = plugin.keys.get("bucket").and_then(serde_json::Value::as_bool);
            plugin.keys.contains_key("tokenizer") && bucket != Some(false)
        }
        _ => false,
    }
}

fn tell(change: &Change) {
    let (from, to) = (shown(&change.from), shown(&change.to));
    if row_of(&change.key).is_some_and(|row| row.rule == Rule::FromNextEpoch) {
        tracing::warn!(
            "{} is {to} from here on, and was {from}: what was frozen, unfrozen and set before stays",
            change.key
        );
    } else {
        tracing::info!("{} is {to} from here on, and was {from}", change.key);
    }
}
