//! Training: the loop, in Lightning's order of hooks.
//!
//! [`Fit`] holds a run: its state and its strategies and callbacks. [`Fit::run`] trains it from where it stands, and
//! tells [`events`] of it.

mod anomaly;
pub mod audit;
mod build;
mod checkpoints;
mod classes;
mod epoch;
mod error;
mod evaluate;
pub mod events;
mod find_lr;
mod groups;
mod held;
mod hooks;
mod hub_directory;
mod kept_paths;
mod late;
mod leftover;
mod logging;
mod memory;
mod monitors;
mod plugin_data;
mod random;
mod readings;
mod resume;
mod same_data;
mod scaler;
mod schedule;
mod services;
mod snapshot;
mod state;
mod step;
mod swap;
mod tell;

use std::sync::atomic::{AtomicBool, Ordering};

pub use build::{
    FitOptions, build_model, create_callbacks, create_model, input_defaults, open_data, optimizer_config,
    precision_on, prepare_torch, run_length,
};
pub use classes::take_count;
pub use error::FitError;
pub use evaluate::{Evaluation, Evaluator};
use events::{Ending, EventKind, Observers};
pub use groups::{initial_groups, without_the_rest};
pub use hub_directory::name_files;
pub use monitors::Monitored;
use monitors::Seen;
pub use plugin_data::{EarlierData, PluginData};
pub use same_data::tell_validated;
pub use scaler::LossScaler;
pub(crate) use services::{check_settings, replace_optimizer};
pub use state::RunState;
pub use step::to_device;
use thaw_plugin_api::hook::Hook;

use crate::Error;
pub use crate::checkpoint::{Best, Meter};
use thaw_plugins::{Instance, PluginSet};

/// Set by the first Ctrl-C: the run ends after its step, with a checkpoint.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A run.
pub struct Fit {
    state: RunState,
    callbacks: Vec<Instance>,
    plugins: PluginSet,
    observers: Observers,
    swapping: swap::Swapping,
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
        let trained = self.train();
        self.close_swaps();
        let result = match trained {
            Ok(outcome) => {
                self.flush_observers();
                self.teardown().map(|()| outcome)
            }
            Err(error) => {
                self.fail(&error);
                Err(error)
            }
        };
        match self.tell_end(&result) {
            Err(error) if result.is_ok() => Err(error),
            _ => result,
        }
    }

    /// Ends a run that was built and is not to train: hook `teardown`.
    pub fn close(&mut self) {
        self.hooks_after_failure(Hook::Teardown);
        if let Err(error) = self.tell(EventKind::RunEnded(Ending::Closed)) {
            tracing::error!("{error}");
        }
    }

    /// The last hooks of a run that failed.
    fn fail(&mut self, error: &Error) {
        self.state.position.exception = Some(error.to_string());
        self.hooks_after_failure(Hook::Exception);
        self.flush_observers();
        self.hooks_after_failure(Hook::Teardown);
    }

    fn train(&mut self) -> Result<Outcome, Error> {
        self.warn_of_modes();
        self.hooks(Hook::FitStart)?;
        if self.state.is_fresh() {
            self.sanity_check()?;
        }
        self.hooks(Hook::TrainStart)?;
        let mut stopped = self.state.requests.stop.take();
        while self.state.progress().epoch < self.state.config.trainer.max_epochs
            && stopped.is_none()
            && !self.state.reached_max_steps()
        {
            stopped = self.run_epoch()?;
        }
        // Where checkpoints are off, nothing has looked at them.
        self.state.check_weights()?;
        self.hooks(Hook::TrainEnd)?;
        self.hooks(Hook::FitEnd)?;
        self.requested_checkpoints()?;
        self.observers.flush(&self.state.position.progress)?;
        self.check_written()?;
        self.check_records()?;
        Ok(Outcome {
            epochs: self.state.progress().epoch,
            global_step: self.state.progress().global_step,
            best: self.state.kept.best.clone(),
            stopped,
        })
    }

    /// The state of the run.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    fn is_interrupted() -> bool {
        INTERRUPTED.load(Ordering::Relaxed)
    }
}
