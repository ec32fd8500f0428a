//! Early stopping: a run ends when a metric stops improving.
//!
//! [`EarlyStopping`] is Lightning's callback of this name, with its parameters and their defaults.

use thaw_plugin_api::context::Stage;
pub use thaw_plugin_api::monitor::Mode;
use thaw_plugin_api::monitor::{self, Watch, is_of_validation, mode_of};
use thaw_plugin_api::prelude::*;

/// Ends the run when a metric stops improving, when it is good enough, or when it is beyond hope.
///
/// Source: `lightning.pytorch.callbacks.EarlyStopping`. Other than there, a value counts once: an epoch that
/// does not validate has no `val_loss`.
#[derive(Clone, Config, Debug)]
#[config(check = EarlyStopping::check_mode)]
pub struct EarlyStopping {
    /// The metric: `val_loss`, `val_acc`, `train_loss`, …, or what a callback logs.
    #[config(default = "val_loss")]
    pub monitor: String,
    /// Smallest change that is an improvement.
    #[config(default = 0.0, range = 0.0..)]
    pub min_delta: f64,
    /// Checks without improvement after which the run ends.
    #[config(default = 3)]
    pub patience: usize,
    /// Says at each improvement what improved by how much.
    #[config(default = false)]
    pub verbose: bool,
    /// Whether less or more is better. Default: what the metric's name says; losses and errors are to fall,
    /// accuracies, scores and correlations to rise.
    pub mode: Option<Mode>,
    /// A run that does not have the metric ends with an error; else it is told and goes on. A run without
    /// validation is only told that it lacks one of validation (`val_…`).
    #[config(default = true)]
    pub strict: bool,
    /// Ends the run when the metric is not a number or infinite.
    #[config(default = true)]
    pub check_finite: bool,
    /// Ends the run as soon as the metric is better than this.
    pub stopping_threshold: Option<f64>,
    /// Ends the run as soon as the metric is worse than this.
    pub divergence_threshold: Option<f64>,
    /// Looks at the metric after each epoch; where false, after each validation. Default: after each epoch
    /// that validates at its end, after each validation inside an epoch, and after each epoch of a run
    /// without validation.
    pub check_on_train_epoch_end: Option<bool>,
    /// What was seen of it.
    #[config(state)]
    watch: Watch,
    /// Whether the present epoch has validated.
    #[config(state)]
    validated: bool,
    /// Whether the present epoch has a validation at its end that was not looked at; no checkpoint lies
    /// there.
    #[config(skip)]
    is_new: bool,
    /// Whether a validation is that before training.
    #[config(skip)]
    sanity_checking: bool,
}

impl EarlyStopping {
    fn check_mode(&mut self) -> Result<()> {
        monitor::check(&self.monitor, self.mode)
    }

    /// Takes a value; gives why the run is to end, if it is.
    fn observe(&mut self, value: f64, mode: Mode) -> Option<String> {
        let Self { monitor, min_delta, patience, watch, .. } = self;
        if self.check_finite && !value.is_finite() {
            return Some(format!("`{monitor}` is {value}"));
        }
        if let Some(threshold) = self.stopping_threshold.filter(|threshold| mode.is_better(value, *threshold))
        {
            return Some(format!("`{monitor}` is {value}, better than stopping_threshold = {threshold}"));
        }
        if let Some(threshold) =
            self.divergence_threshold.filter(|threshold| mode.is_better(*threshold, value))
        {
            return Some(format!("`{monitor}` is {value}, worse than divergence_threshold = {threshold}"));
        }
        let best = watch.best_score().unwrap_or(mode.worst());
        if watch.observe(value, mode, *min_delta) {
            if self.verbose {
                let by = if best.is_finite() {
                    format!(" by {:.3e}", (value - best).abs())
                } else {
                    String::new()
                };
                info!("`{monitor}` improved{by}, new best: {value}");
            }
            return None;
        }
        let count = watch.wait_count();
        (count >= *patience).then(|| {
            // What counts is a value: of validation there may be several in an epoch, or none.
            let what = if is_of_validation(monitor) { "validation" } else { "epoch" };
            let several = if count == 1 { "" } else { "s" };
            format!(
                "`{monitor}` has not improved by more than {min_delta} for {count} {what}{several}, \
                 best: {best}"
            )
        })
    }

    /// Looks at the metric.
    fn check(&mut self, context: &mut Context) -> Result<()> {
        let Some(value) = context.metric(&self.monitor)? else {
            if self.is_late(context) {
                return Ok(());
            }
            let known: Vec<String> = context.metrics()?.into_keys().collect();
            let message =
                format!("`{}` is no metric of this run; there are: {}", self.monitor, known.join(", "));
            let cannot_be = is_of_validation(&self.monitor) && context.progress().num_validation_batches == 0;
            ensure!(!self.strict || cannot_be, "{message}. strict = false lets the run go on");
            warn!("{message}");
            return Ok(());
        };
        let mode = mode_of(&self.monitor, self.mode)?;
        self.observe(value, mode).map_or(Ok(()), |reason| context.stop(&reason))
    }

    /// Whether the metric is one of the run, although there is no new value: it was there before, or it is
    /// still to come in this epoch.
    fn is_late(&self, context: &Context) -> bool {
        let progress = context.progress();
        let was_there = self.watch != Watch::default();
        let inside_epoch = progress.batch_index < progress.num_training_batches;
        let validates = progress.num_validation_batches > 0;
        let of_validation = is_of_validation(&self.monitor);
        let comes = if of_validation { validates && !self.validated } else { self.validated && inside_epoch };
        progress.stage == Stage::Plan || was_there || comes
    }
}

impl Callback for EarlyStopping {
    const ID: &'static str = "early-stopping";
    const DESCRIPTION: &'static str = "Ends the run when a metric stops improving: Lightning's EarlyStopping";

    const METRICS: Option<&'static [&'static str]> = Some(&[]);

    fn on_fit_start(&mut self, context: &mut Context) -> Result<()> {
        if let Some(text) = monitor::contradiction(&self.monitor, self.mode) {
            warn!("{text}");
        }
        let cannot_be = is_of_validation(&self.monitor) && context.progress().num_validation_batches == 0;
        if self.strict && !cannot_be {
            context.monitor(&self.monitor, "monitor of early-stopping")?;
        }
        Ok(())
    }

    fn on_sanity_check_start(&mut self, _: &mut Context) -> Result<()> {
        self.sanity_checking = true;
        Ok(())
    }

    fn on_sanity_check_end(&mut self, _: &mut Context) -> Result<()> {
        self.sanity_checking = false;
        Ok(())
    }

    fn on_train_epoch_start(&mut self, _: &mut Context) -> Result<()> {
        (self.validated, self.is_new) = (false, false);
        Ok(())
    }

    fn on_validation_end(&mut self, context: &mut Context) -> Result<()> {
        if self.sanity_checking {
            return Ok(());
        }
        self.validated = true;
        let progress = context.progress();
        let is_inside = progress.batch_index < progress.num_training_batches;
        self.is_new = !is_inside;
        if self.check_on_train_epoch_end.map_or(is_inside, |at_end| !at_end) {
            self.check(context)
        } else {
            Ok(())
        }
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        let validates = context.progress().num_validation_batches > 0;
        if self.check_on_train_epoch_end.unwrap_or(self.is_new || !validates) {
            self.check(context)
        } else {
            Ok(())
        }
    }
}

#[cfg(feature = "export")]
export_plugin!(callbacks: [EarlyStopping]);

#[cfg(test)]
mod tests;
