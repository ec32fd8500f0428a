//! Early stopping: a run ends when a metric stops improving.
//!
//! [`EarlyStopping`] is Lightning's callback of this name, with its parameters and their defaults.

use thaw_plugin_api::prelude::*;

/// Ends the run when a metric stops improving, when it is good enough, or when it is beyond hope.
///
/// The metric is looked at after each epoch; one of validation (`val_…`) after each epoch that validates.
/// Source: `lightning.pytorch.callbacks.EarlyStopping`.
#[derive(Clone, Config, Debug)]
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
    /// Whether less or more is better.
    #[config(default = Mode::Min)]
    pub mode: Mode,
    /// A run that does not have the metric ends with an error; else it is told and goes on. A run without validation is
    /// only told that it lacks one of validation.
    #[config(default = true)]
    pub strict: bool,
    /// Ends the run when the metric is not a number or infinite.
    #[config(default = true)]
    pub check_finite: bool,
    /// Ends the run as soon as the metric is better than this.
    pub stopping_threshold: Option<f64>,
    /// Ends the run as soon as the metric is worse than this.
    pub divergence_threshold: Option<f64>,
    /// Best value that counts as an improvement.
    #[config(state)]
    best_score: Option<f64>,
    /// Checks since then.
    #[config(state)]
    wait_count: usize,
    /// Whether the present epoch has validated.
    #[config(state)]
    validated: bool,
}

/// Whether less or more is better.
#[derive(Clone, Config, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Less is better.
    Min,
    /// More is better.
    Max,
}

impl Mode {
    fn is_better(self, value: f64, other: f64) -> bool {
        match self {
            Self::Min => value < other,
            Self::Max => value > other,
        }
    }

    /// What every number is better than.
    fn worst(self) -> f64 {
        match self {
            Self::Min => f64::INFINITY,
            Self::Max => f64::NEG_INFINITY,
        }
    }

    /// What `min_delta` adds to a value before it is compared.
    fn handicap(self, min_delta: f64) -> f64 {
        match self {
            Self::Min => min_delta,
            Self::Max => -min_delta,
        }
    }
}

impl EarlyStopping {
    /// Takes a value; gives why the run is to end, if it is.
    fn observe(&mut self, value: f64) -> Option<String> {
        let Self { monitor, min_delta, patience, mode, best_score, wait_count, .. } = self;
        if self.check_finite && !value.is_finite() {
            return Some(format!("`{monitor}` is {value}"));
        }
        if let Some(threshold) = self.stopping_threshold.filter(|threshold| mode.is_better(value, *threshold)) {
            return Some(format!("`{monitor}` is {value}, better than stopping_threshold = {threshold}"));
        }
        if let Some(threshold) = self.divergence_threshold.filter(|threshold| mode.is_better(*threshold, value)) {
            return Some(format!("`{monitor}` is {value}, worse than divergence_threshold = {threshold}"));
        }
        let best = best_score.unwrap_or(mode.worst());
        if mode.is_better(value + mode.handicap(*min_delta), best) {
            if self.verbose {
                let by = if best.is_finite() { format!(" by {:.3e}", (value - best).abs()) } else { String::new() };
                info!("`{monitor}` improved{by}, new best: {value}");
            }
            (*best_score, *wait_count) = (Some(value), 0);
            return None;
        }
        *wait_count += 1;
        (*wait_count >= *patience)
            .then(|| format!("`{monitor}` has not improved by more than {min_delta} for {wait_count} epochs, best: {best}"))
    }
}

impl Callback for EarlyStopping {
    const ID: &'static str = "early-stopping";
    const DESCRIPTION: &'static str = "Ends the run when a metric stops improving: Lightning's EarlyStopping";

    fn on_train_epoch_start(&mut self, _: &mut Context) -> Result<()> {
        self.validated = false;
        Ok(())
    }

    fn on_validation_end(&mut self, _: &mut Context) -> Result<()> {
        self.validated = true;
        Ok(())
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        let (of_validation, validates) = (self.monitor.starts_with("val_"), context.progress().num_validation_batches > 0);
        if of_validation && validates && !self.validated {
            return Ok(());
        }
        let Some(value) = context.metric(&self.monitor)? else {
            let known: Vec<String> = context.metrics()?.into_keys().collect();
            let message = format!("`{}` is no metric of this run; there are: {}", self.monitor, known.join(", "));
            ensure!(!self.strict || (of_validation && !validates), "{message}. strict = false lets the run go on");
            warn!("{message}");
            return Ok(());
        };
        self.observe(value).map_or(Ok(()), |reason| context.stop(&reason))
    }
}

#[cfg(feature = "export")]
export_plugin!(callbacks: [EarlyStopping]);

#[cfg(test)]
mod tests;
