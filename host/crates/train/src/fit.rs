//! Training: the loop, in Lightning's order of hooks.
//!
//! [`Fit`] holds a run: its state and its strategies and callbacks. [`Fit::run`] trains it from where it
//! stands, and tells [`events`] of it.

mod agreement;
mod anomaly;
mod arrival;
mod asks;
mod batch_norms;
mod build;
mod checkpoints;
mod classes;
mod epoch;
mod evaluate;
pub mod events;
mod find_batch_size;
mod find_lr;
mod gathered;
mod held;
mod hooks;
mod hub_directory;
mod kept_paths;
mod late;
mod leftover;
mod logging;
mod loss;
mod memory;
mod metrics;
mod monitors;
mod narrow;
mod no_sample;
mod outcome;
mod plugin_data;
mod prefix;
mod profile;
mod readings;
mod resume;
mod same_data;
mod scaler;
mod schedule;
mod services;
mod snapshot;
mod state;
mod step;
mod stop;
mod swap;
mod tell;
mod training;
mod trial;
mod val_check;

pub use arrival::to_device;
pub use build::{FitOptions, batch_limits, input_defaults, open_data, set_batches};
pub use checkpoints::Writing;
pub use classes::take_count;
pub use evaluate::{Evaluation, Evaluator};
use events::{Ending, EventKind, Observers, Spent};
pub use gathered::{Doubt, Doubts, Keep, Samples};
pub use hub_directory::name_files;
pub use loss::{Labels, set_loss};
pub use metrics::check_metrics;
pub use monitors::Monitored;
use monitors::Seen;
pub use outcome::{Outcome as BatchOutcome, is_of_batch};
pub use plugin_data::PluginData;
pub use prefix::{Entries, Hindrance};
pub use same_data::tell_validated;
pub use scaler::LossScaler;
pub use state::RunState;
use std::time::Duration;
pub use stop::StopHandle;

pub use thaw_metrics::Confusion;
use thaw_plugin_api::drive;
use thaw_plugin_api::model::Tensors;

use crate::Error;
pub use crate::checkpoint::{Best, Meter};
pub use crate::error::FitError;
use thaw_plugins::{Instance, PluginSet};
use thaw_torch::reading::Reading;

/// A run.
pub struct Fit {
    state: RunState,
    callbacks: Vec<Instance>,
    plugins: PluginSet,
    observers: Observers,
    swapping: swap::Swapping,
    asking: asks::Asking,
    now: Now,
    stop: StopHandle,
}

/// What one step of the loop leaves to a later one. No checkpoint needs it.
#[derive(Default)]
struct Now {
    /// Norm of the gradients of the last step, where clipping computed it.
    grad_norm: Option<Reading>,
    /// The loss of the validation that has just ended; one that is not finite, where a set has one.
    validation_loss: Option<f64>,
    /// Whether what is to be known of its metrics was told.
    is_noted: bool,
    /// What validation sets beside the main one gave in the validation that goes on.
    further: Meter,
    /// Waits for the device in the present epoch, where they are counted.
    waits: Option<epoch::CountedWaits>,
    /// Whether the epoch whose batches are done ends with a validation.
    validates_epoch: bool,
    /// How long the last batch was waited for, where the run is profiled.
    waited: profile::Waited,
    /// How batches get to the device; not there before the first.
    transfers: Option<arrival::Transfers>,
    /// What the present epoch's time goes into.
    spent: Spent,
    /// Samples of the validation that is under way, in the order of the pass; none in training.
    validated: Option<Vec<usize>>,
    /// What the model gives for no sample, where other processes may have a batch alone.
    no_outputs: Option<Tensors>,
    /// How long the checkpoint before was waited for; counted with the next one.
    settled: Duration,
    /// Why the run stops after the epoch that has ended.
    stopped: Option<String>,
    /// Whether the processes of the run have heard that the user ends it.
    leaves: bool,
}

/// How a run ended.
#[derive(Debug)]
pub struct Outcome {
    /// Epochs that are complete.
    pub epochs: usize,
    /// Optimizer steps.
    pub global_step: usize,
    /// The best checkpoint.
    pub best: Option<Best>,
    /// Why the run stopped before its last epoch.
    pub stopped: Option<String>,
}

impl Fit {
    /// Trains to the end. Whatever happens, hooks `on_exception` and `teardown` run, and the checkpoints
    /// written so far stay.
    ///
    /// # Errors
    /// What ended the run.
    pub fn run(&mut self) -> Result<Outcome, Error> {
        self.warn_of_modes();
        self.warn_of_windows();
        self.warn_of_waiting_processes();
        self.warn_without_validation();
        // A run that goes on may have used up its time.
        self.look_at_clock();
        let result = drive::fit(self).map(|()| self.outcome());
        match self.tell_end(&result) {
            Err(error) if result.is_ok() => Err(error),
            _ => result,
        }
    }

    /// Ends a run that was built and is not to train: hook `teardown`.
    pub fn close(&mut self) {
        drive::close(self);
        if let Err(error) = self.tell(EventKind::RunEnded(Ending::Closed)) {
            tracing::error!("{error}");
        }
    }

    fn outcome(&mut self) -> Outcome {
        Outcome {
            epochs: self.state.progress().epoch,
            global_step: self.state.progress().global_step,
            best: self.state.kept.best.clone(),
            stopped: self.now.stopped.take(),
        }
    }

    /// The state of the run.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Asks for a stop where the run has taken as long as it may. Where it has several processes, the first
    /// one's clock counts, and all hear of it with the next batch.
    fn look_at_clock(&mut self) {
        if self.state.world.is_single() && self.is_late() {
            self.state.ask_to_stop_for_time();
        }
    }

    fn is_late(&self) -> bool {
        let seconds = self.observers.seconds();
        self.state.config.trainer.max_time.is_some_and(|time| time.is_reached(seconds))
    }

    /// Whether the user ends the run: of several processes, where all have heard of it.
    fn is_interrupted(&self) -> bool {
        if self.state.world.is_single() { self.stop.is_stopped() } else { self.now.leaves }
    }
}
