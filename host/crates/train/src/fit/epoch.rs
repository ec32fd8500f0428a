//! One epoch: its batches, schedulers, validation, records and checkpoint.

use serde_json::{Map, Value, json};
use thaw_plugin_api::hook::Hook;

use super::step::{BatchResult, to_device};
use super::{Fit, FitError, Seen};
use crate::Error;
use crate::progress::BatchLine;
use thaw_data::{Loader, Split};
use thaw_torch::reading::{Copying, Reading, WaitCounter};

/// Where it is set, each epoch logs how often its batches waited for the device.
const COUNT_WAITS: &str = "THAW_COUNT_WAITS";

impl Fit {
    /// Trains an epoch from where it stands; gives why the run stops, if it does.
    pub(super) fn run_epoch(&mut self) -> Result<Option<String>, Error> {
        let start = self.state.progress().batch_index;
        self.state.watched.laid_out = true;
        if start == 0 {
            self.state.measured.meter.clear();
            self.start_epoch()?;
        } else {
            self.state.audit()?;
        }
        self.reporter.start_epoch(&self.state.progress());
        let counter = std::env::var_os(COUNT_WAITS).map(|_| WaitCounter::start()).transpose()?;
        self.train_batches(start)?;
        if let Some(counter) = counter {
            let batches = self.state.progress().batch_index - start;
            tracing::info!("{} waits for the device in {batches} batches", counter.count());
        }
        if self.state.progress().batch_index < self.state.progress().num_training_batches {
            self.stop_inside_epoch()?;
        } else {
            self.end_epoch()?;
            if Self::is_interrupted() && self.state.progress().epoch < self.state.config.trainer.max_epochs {
                return Err(self.interrupted());
            }
        }
        let limit = self
            .state
            .reached_max_steps()
            .then(|| format!("max_steps = {} is reached", self.state.progress().global_step));
        Ok(self.state.requests.stop.take().or(limit))
    }

    /// Batches up to the end of the epoch, or to where the run stops.
    fn train_batches(&mut self, start: usize) -> Result<(), Error> {
        let batches = self.state.progress().num_training_batches;
        let epoch = self.state.progress().epoch as u64;
        let Some(mut loader) = self.state.data.loader(Split::Train, epoch, start)? else {
            return Err(FitError::NoBatches("there are no samples".to_owned()).into());
        };
        while self.state.progress().batch_index < batches {
            let Some(()) = self.next_batch(&mut loader, batches)? else {
                return self.end_without_last_batch();
            };
            // Gradients of an unfinished window are in no checkpoint: it is finished first.
            if self.state.position.window_samples == 0 && self.is_to_stop() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether a hook, the limit of steps or the user asks for an end.
    pub(super) fn is_to_stop(&self) -> bool {
        self.state.requests.stop.is_some() || self.state.reached_max_steps() || Self::is_interrupted()
    }

    /// None of the last batch's samples could be read: what was accumulated is stepped on all the same.
    fn end_without_last_batch(&mut self) -> Result<(), Error> {
        if self.state.position.window_samples > 0 {
            self.optimizer_step()?;
            self.state.position.window_samples = 0;
        }
        self.epoch_schedulers()?;
        self.state.position.progress.batch_index = self.state.progress().num_training_batches;
        Ok(())
    }

    /// The run stops here. The checkpoint says so, and what follows is not in it: a resumed run goes on with
    /// the next batch.
    fn stop_inside_epoch(&mut self) -> Result<(), Error> {
        self.checkpoint_inside_epoch()?;
        if Self::is_interrupted() {
            return Err(self.interrupted());
        }
        self.close_epoch()?;
        self.state.kept.run_dir.flush();
        self.mark_best()?;
        self.requested_after_last()
    }

    fn next_batch(&mut self, loader: &mut Loader, batches: usize) -> Result<Option<()>, Error> {
        let Some(batch) = loader.next().transpose()? else { return Ok(None) };
        // Not counted: a batch whose pictures could not be read keeps its place.
        let index = batch.position;
        if index >= batches {
            return Ok(None);
        }
        // Where batches in between were left out, the window before this one may still wait for its step.
        let window_end = self
            .state
            .progress()
            .batch_index
            .next_multiple_of(self.state.config.trainer.accumulate_grad_batches);
        if self.state.position.window_samples > 0 && index >= window_end {
            self.optimizer_step()?;
            self.state.position.window_samples = 0;
        }
        self.state.position.progress.batch_index = index;
        let samples = batch.len();
        let batch = to_device(batch, self.state.trained.model.device());
        let (batch, _) = batch.map_err(|error| self.state.explain_memory(error, samples))?;
        self.hooks(Hook::TrainBatchStart)?;
        let every = self.state.config.trainer.log_every_n_steps;
        let is_logged = every > 0 && (index + 1).is_multiple_of(every);
        // Schedulers move the rates at the end of a step; the record has those that the step used.
        let rates = if is_logged { self.rates() } else { Map::new() };
        let groups = self.state.trained.optimizer.iter().flat_map(|optimizer| optimizer.groups());
        self.state.measured.used_rates.clear();
        self.state.measured.used_rates.extend(groups.map(|group| group.lr));
        let result = self.train_batch(&batch, samples, index + 1 == batches);
        let result = result.map_err(|error| self.state.explain_memory(error, samples))?;
        if result.stepped {
            self.state.position.window_samples = 0;
        }
        if index + 1 == batches {
            self.epoch_schedulers()?;
        }
        self.hooks(Hook::TrainBatchEnd)?;
        if !std::mem::replace(&mut self.state.watched.monitors_checked, true) {
            // Which metrics there are, the first batch says.
            self.state.settle()?;
            self.check_training_monitors()?;
        }
        if is_logged {
            self.log_batch(index, &result, rates)?;
        }
        self.show_batch(samples)?;
        self.state.position.progress.batch_index += 1;
        self.look_for_swap_request();
        self.after_batch(result.stepped)?;
        Ok(Some(()))
    }

    /// The line of progress, with what has arrived from the device.
    fn show_batch(&mut self, samples: usize) -> Result<(), Error> {
        if self.reporter.is_due() {
            self.state.measured.readings.start()?;
        }
        let arrived = self.state.measured.readings.arrived()?;
        self.state.take(&arrived);
        self.state.check_finite()?;
        self.reporter.batch(&BatchLine {
            progress: &self.state.progress(),
            loss: self.state.measured.loss,
            accuracy: self.state.measured.meter.mean("train_acc"),
            samples,
        });
        Ok(())
    }

    fn after_batch(&mut self, stepped: bool) -> Result<(), Error> {
        if self.state.requests.validate {
            self.state.requests.validate = false;
            self.validate()?;
            self.log_metrics_so_far()?;
        }
        let at_end = self.state.progress().batch_index >= self.state.progress().num_training_batches;
        if stepped && !at_end {
            self.requested_checkpoints()?;
        }
        let every = self.state.config.checkpoint.every_n_train_steps;
        if stepped
            && !at_end
            && every.is_some_and(|every| self.state.progress().global_step.is_multiple_of(every))
        {
            self.checkpoint_inside_epoch()?;
        }
        Ok(())
    }

    fn end_epoch(&mut self) -> Result<(), Error> {
        let epoch = self.state.progress().epoch;
        self.close_epoch()?;
        self.state.position.progress.epoch += 1;
        self.state.position.progress.batch_index = 0;
        self.state.kept.run_dir.flush();
        self.checkpoint_epoch(epoch)
    }

    /// Validation, records and hooks of an epoch's end.
    fn close_epoch(&mut self) -> Result<(), Error> {
        self.state.settle()?;
        let means: Vec<(String, f64)> =
            self.state.measured.meter.means().map(|(name, mean)| (name.to_owned(), mean)).collect();
        means.iter().for_each(|(name, mean)| self.state.set_metric(name, *mean));
        let epoch = self.state.progress().epoch;
        let validates = (epoch + 1).is_multiple_of(self.state.config.trainer.check_val_every_n_epoch);
        self.state.measured.validation = None;
        if validates {
            self.validate()?;
        }
        let moved = self.state.watched.frozen.moved()?;
        self.state.report_findings(moved)?;
        self.hooks(Hook::TrainEpochEnd)?;
        let has_validated = validates || self.state.progress().num_validation_batches == 0;
        self.check_monitors(if has_validated { Seen::ValidatedEpoch } else { Seen::Epoch })?;
        self.log_epoch(validates)?;
        self.plateau_scheduler()?;
        self.reporter.end_epoch(&self.state.progress(), &self.state.measured.metrics);
        Ok(())
    }

    fn rates(&self) -> Map<String, Value> {
        let groups = self.state.trained.optimizer.iter().flat_map(|optimizer| optimizer.groups());
        groups.map(|group| (format!("lr-{}", group.name), json!(group.lr))).collect()
    }

    /// Those that the last step used, before schedulers moved them.
    fn used_rates(&self) -> Map<String, Value> {
        let groups: Vec<&str> =
            self.state.trained.optimizer.iter().flat_map(|o| o.groups()).map(|g| &*g.name).collect();
        if groups.len() != self.state.measured.used_rates.len() {
            return self.rates();
        }
        groups
            .iter()
            .zip(&self.state.measured.used_rates)
            .map(|(name, lr)| (format!("lr-{name}"), json!(lr)))
            .collect()
    }

    fn log_batch(
        &mut self,
        index: usize,
        result: &BatchResult,
        rates: Map<String, Value>,
    ) -> Result<(), Error> {
        self.state.settle()?;
        let progress = self.state.progress();
        let mut record = Map::new();
        record.insert("epoch".to_owned(), json!(progress.epoch));
        record.insert("step".to_owned(), json!(progress.global_step));
        record.insert("batch".to_owned(), json!(index));
        record.insert("train_loss_step".to_owned(), json!(self.state.measured.loss));
        if let Some(norm) = &result.grad_norm {
            record.insert("grad_norm".to_owned(), json!(norm.read()?));
        }
        record.extend(rates);
        record.extend(
            std::mem::take(&mut self.state.requests.logged)
                .into_iter()
                .map(|(name, value)| (name, json!(value))),
        );
        self.state.kept.run_dir.log_metrics(record);
        Ok(())
    }

    fn log_epoch(&mut self, validated: bool) -> Result<(), Error> {
        let state = &self.state;
        let mut record = Map::new();
        record.insert("epoch".to_owned(), json!(state.position.progress.epoch));
        record.insert("step".to_owned(), json!(state.position.progress.global_step));
        let of_epoch = |name: &str| {
            state.measured.meter.mean(name).is_some()
                || (validated
                    && state.measured.validation.as_ref().is_some_and(|v| v.metrics.mean(name).is_some()))
        };
        record.extend(
            state
                .measured
                .metrics
                .iter()
                .filter(|(name, _)| of_epoch(name))
                .map(|(name, value)| (name.clone(), json!(value))),
        );
        record.extend(self.used_rates());
        record.extend(
            std::mem::take(&mut self.state.requests.logged)
                .into_iter()
                .map(|(name, value)| (name, json!(value))),
        );
        self.state.kept.run_dir.log_metrics(record);
        Ok(())
    }

    /// A validation that a hook asked for inside an epoch.
    fn log_metrics_so_far(&mut self) -> Result<(), Error> {
        let Some(validation) = &self.state.measured.validation else { return Ok(()) };
        let mut record = Map::new();
        record.insert("epoch".to_owned(), json!(self.state.progress().epoch));
        record.insert("step".to_owned(), json!(self.state.progress().global_step));
        record.extend(validation.metrics.means().map(|(name, mean)| (name.to_owned(), json!(mean))));
        self.state.kept.run_dir.log_metrics(record);
        Ok(())
    }

    /// Writes what trains at which rate, and shows it where it changed.
    pub(super) fn report_groups(&mut self) -> Result<(), Error> {
        let Some(optimizer) = &self.state.trained.optimizer else { return Ok(()) };
        let tree = self.state.trained.model.tree();
        let batch_norm = self.batch_norms()?;
        let record = json!({
            "epoch": self.state.progress().epoch,
            "step": self.state.progress().global_step,
            "optimizer": optimizer.config().algorithm.id(),
            "groups": optimizer.groups(),
            "trainable": tree.trainable(),
            "batch_norm": batch_norm,
        });
        self.state.kept.run_dir.log_groups(&record);
        self.reporter.groups(&self.state.progress(), tree, optimizer.groups());
        self.state.watched.changed = false;
        Ok(())
    }

    /// Modes of every batch norm, and how many batches it has seen.
    fn batch_norms(&self) -> Result<Map<String, Value>, Error> {
        let norms = self.state.trained.model.tree().modules().iter().filter(|module| module.is_batch_norm());
        let norms: Vec<_> = norms
            .map(|module| {
                (
                    module,
                    self.state.trained.model.tensor(&format!("{}.num_batches_tracked", module.path)).ok(),
                )
            })
            .collect();
        let counts = norms.iter().filter_map(|(_, tracked)| tracked.map(Reading::of));
        let counts = counts.collect::<Result<Vec<_>, _>>()?;
        let mut counts = Copying::start(&counts)?.finish()?.into_iter();
        let modes = norms.into_iter().map(|(module, tracked)| {
            let tracked = tracked.and_then(|_| counts.next()).map(|count| count as i64);
            let modes = json!({
                "training": module.training, "track_running_stats": module.track_running_stats, "num_batches_tracked": tracked,
            });
            (module.path.clone(), modes)
        });
        Ok(modes.collect())
    }
}
