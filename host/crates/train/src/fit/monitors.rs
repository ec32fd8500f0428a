//! Metrics of the run: which are new, which there are, and those that somebody waits for.
//!
//! Only a value of the present epoch counts: the one before is forgotten when an epoch has started. Names
//! stay, so that a metric that has no new value is told from one that does not exist.

use std::collections::BTreeSet;

use thaw_metrics::Metric;
use thaw_plugin_api::monitor::{contradiction, is_of_validation, mode_of};

use super::{Fit, FitError, RunState};
use crate::Error;
use thaw_optim::scheduler::Scheduler;

/// A metric that is waited for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monitored {
    /// The metric.
    pub metric: String,
    /// The key of the run config that names it.
    pub key: String,
}

/// How much of an epoch has been, for the names of its metrics.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// The first batches of validation, before training.
    SanityCheck,
    /// A batch of training.
    TrainingBatch,
    /// A whole epoch, without validation.
    Epoch,
    /// A whole epoch with its validation.
    ValidatedEpoch,
}

impl Seen {
    /// Whether the names of metrics of validation, or else of training, are all there.
    fn covers(self, of_validation: bool) -> bool {
        match self {
            Self::SanityCheck => of_validation,
            Self::TrainingBatch | Self::Epoch => !of_validation,
            Self::ValidatedEpoch => true,
        }
    }

    /// Whether callbacks may still log a metric for the first time.
    fn is_early(self) -> bool {
        matches!(self, Self::SanityCheck | Self::TrainingBatch)
    }
}

impl RunState {
    /// A metric has a new value.
    pub fn set_metric(&mut self, name: &str, value: f64) {
        if let Some(scheduler) = &mut self.trained.scheduler {
            scheduler.offer(name, value);
        }
        self.measured.known_metrics.insert(name.to_owned());
        self.measured.metrics.insert(name.to_owned(), value);
    }

    /// The metric that ranks checkpoints.
    pub(super) fn ranking_metric(&self) -> String {
        let default = if self.progress().num_validation_batches > 0 { "val_loss" } else { "train_loss" };
        self.config.checkpoint.monitor.clone().unwrap_or_else(|| default.to_owned())
    }

    /// Metrics that the loop itself waits for: to rank checkpoints, and for the scheduler at work.
    fn own_monitored(&self) -> BTreeSet<Monitored> {
        let mut monitored = BTreeSet::new();
        let checkpoint = &self.config.checkpoint;
        if checkpoint.enabled && checkpoint.save_top_k != 0 {
            monitored
                .insert(Monitored { metric: self.ranking_metric(), key: "checkpoint.monitor".to_owned() });
        }
        if let Some((metric, _)) = self.trained.scheduler.as_ref().and_then(|scheduler| scheduler.monitor()) {
            monitored.insert(Monitored { metric: metric.to_owned(), key: self.scheduler_key(metric) });
        }
        monitored
    }

    /// The key that names the metric of the scheduler at work: a strategy may have begun it.
    fn scheduler_key(&self, metric: &str) -> String {
        let key = "scheduler.monitor";
        let is_strategys = self.trained.scheduler.as_ref().is_some_and(Scheduler::is_a_strategys);
        let of_hook = |monitored: &&Monitored| {
            monitored.metric == metric && monitored.key.ends_with(&format!(".{key}"))
        };
        let named = self.watched.monitored.iter().find(|monitored| is_strategys && of_hook(monitored));
        named.map_or_else(|| key.to_owned(), |monitored| monitored.key.clone())
    }

    /// Those, and what hooks wait for.
    fn monitored(&self) -> BTreeSet<Monitored> {
        self.own_monitored().union(&self.watched.monitored).cloned().collect()
    }

    /// No metric of this name; the names there are.
    fn unknown_metric(&self, monitored: &Monitored) -> FitError {
        if let Some(error) = matrix(&monitored.metric) {
            return FitError::Config(format!("{} = \"{}\" {error}", monitored.key, monitored.metric));
        }
        let names = || self.measured.known_metrics.iter().map(String::as_str);
        let there_are = match names().count() {
            0 => "there is none yet".to_owned(),
            _ => format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        let meant = thaw_plugin_api::nearest(&monitored.metric, names());
        let hint = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
        let Monitored { metric, key } = monitored;
        let no_data = is_of_validation(metric) && self.progress().num_validation_batches == 0;
        let no_data = if no_data { " (it has no validation data)" } else { "" };
        FitError::Config(format!("{key} = \"{metric}\" is no metric of this run{no_data}; {there_are}{hint}"))
    }
}

/// Why a matrix is no metric to wait for; none where the name is another's.
fn matrix(metric: &str) -> Option<String> {
    let (side, name) = metric.split_once('_')?;
    let matrix = Metric::of_name(name).filter(|metric| !metric.is_number())?;
    Some(format!(
        "is a matrix, and a `monitor` needs one number: take one that is made of it, such as `{side}_acc`, \
         `{side}_f1_macro`, `{side}_recall_macro` or `{side}_kappa`, with its name in trainer.metrics \
         (`{matrix}` may stand there as well)"
    ))
}

impl Fit {
    /// Says where a mode looks for the worst value.
    pub(super) fn warn_of_modes(&self) {
        let checkpoint = &self.state.config.checkpoint;
        let ranked = contradiction(&self.state.ranking_metric(), checkpoint.mode);
        if let Some(text) = ranked.filter(|_| checkpoint.enabled) {
            self.state.warnings.warn(format_args!("[checkpoint] {text}"));
        }
        let scheduler = self.state.config.scheduler.as_ref().and_then(|config| config.schedule.monitor());
        if let Some(text) = scheduler.and_then(|(metric, mode)| contradiction(metric, mode)) {
            self.state.warnings.warn(format_args!("[scheduler] {text}"));
        }
    }

    /// Ends a run as soon as it is clear that a metric will not come that somebody waits for, or that nobody
    /// knows which way it improves.
    ///
    /// # Errors
    /// The key, the metric, and the metrics that there are.
    pub(super) fn check_monitors(&mut self, seen: Seen) -> Result<(), FitError> {
        // After an epoch callbacks see for themselves what they wait for.
        let monitored = if seen.is_early() { self.state.monitored() } else { self.state.own_monitored() };
        let Some(declared) = self.declared_metrics().or((!seen.is_early()).then(Vec::new)) else {
            return Ok(());
        };
        for monitored in &monitored {
            let Monitored { metric, key } = monitored;
            let is_known =
                self.state.measured.known_metrics.contains(metric) || declared.contains(&metric.as_str());
            let of_validation = is_of_validation(metric);
            let cannot_be = of_validation && self.state.progress().num_validation_batches == 0;
            if !is_known && (seen.covers(of_validation) || cannot_be) {
                return Err(self.state.unknown_metric(monitored));
            }
            if is_known && key == "checkpoint.monitor" {
                mode_of(metric, self.state.config.checkpoint.mode)
                    .map_err(|error| FitError::Config(format!("{key}: {error}")))?;
            }
        }
        Ok(())
    }

    /// After the first batch: the names of training are known. A GPU is waited for only where a metric is
    /// missed.
    ///
    /// # Errors
    /// As [`Self::check_monitors`].
    pub(super) fn check_training_monitors(&mut self) -> Result<(), Error> {
        let monitored = self.state.monitored();
        if monitored.iter().any(|monitored| !self.state.measured.known_metrics.contains(&monitored.metric)) {
            self.state.settle()?;
            let names = self.state.measured.meter.means().map(|(name, _)| name.to_owned());
            self.state.measured.known_metrics.extend(names);
        }
        Ok(self.check_monitors(Seen::TrainingBatch)?)
    }

    /// The metrics that strategies and callbacks log, if all say which.
    fn declared_metrics(&self) -> Option<Vec<&str>> {
        let declared = self.callbacks.iter().map(|callback| self.plugins.declared_metrics(callback));
        Some(declared.collect::<Option<Vec<_>>>()?.into_iter().flatten().map(String::as_str).collect())
    }
}
