//! Stochastic weight averaging.

mod start;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::f64::consts::PI;

pub use start::Start;
use thaw_plugin_api::config::{ByGroup, above};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;
use thaw_plugin_api::tensor_sets::{SetBuffers, SetContents};

/// Name of the tensor set, and of the checkpoint.
const SET: &str = "swa";

/// The curve between two rates.
#[derive(Clone, Copy, Config, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Half a cosine.
    Cos,
    /// A straight line.
    Linear,
}

impl Anneal {
    /// The share of the new rate, `t` of the way.
    fn share(self, t: f64) -> f64 {
        match self {
            Self::Cos => (1.0 - (PI * t).cos()) / 2.0,
            Self::Linear => t,
        }
    }
}

/// Stochastic weight averaging (Izmailov et al. 2018): from an epoch on the rates go to a constant, and the
/// weights at the start of each epoch go into a mean. The run ends with the mean in the model and writes it
/// as checkpoint `swa`; validation and the other checkpoints have the weights that train.
///
/// Where batch norms train, a pass over the training data at the end makes their statistics anew for the
/// mean.
///
/// Source: `lightning.pytorch.callbacks.StochasticWeightAveraging`. Other than there, batch norms that are
/// frozen in evaluation mode keep their statistics, and no validation follows the pass.
#[derive(Clone, Config, Debug)]
#[config(check = Swa::check)]
pub struct Swa {
    /// The rate to anneal to: one for all groups, or a list by group.
    #[config(range = above(0.0))]
    pub swa_lrs: ByGroup,
    /// The epoch to begin with: below 1 a share of the run's epochs, else its number, from 1.
    #[config(default = Start(0.8), range = 0.0..)]
    pub swa_epoch_start: Start,
    /// Epochs until the rate is reached; 0 for at once.
    #[config(default = 10)]
    pub annealing_epochs: usize,
    /// The curve that the rates follow.
    #[config(default = Anneal::Cos)]
    pub annealing_strategy: Anneal,
    /// Averages buffers as well, such as the statistics of batch norms, and makes no pass over the data.
    #[config(default = false)]
    pub use_buffers: bool,
    /// The first epoch of averaging, once it has begun.
    #[config(state)]
    first_epoch: Option<usize>,
    /// Rates of the groups when it began.
    #[config(state)]
    rates_before: BTreeMap<String, f64>,
    /// The epoch at whose start the last update was.
    #[config(state)]
    latest_update_epoch: Option<usize>,
}

impl Swa {
    fn check(&mut self) -> Result<()> {
        ensure!(!self.swa_lrs.values().is_empty(), "`swa_lrs` is an empty list, expected rates above 0");
        self.swa_epoch_start.check()
    }

    /// Compares a list of rates with the groups that there are.
    fn check_count(&self, groups: usize) -> Result<()> {
        match &self.swa_lrs {
            ByGroup::Each(rates) if rates.len() != groups => Err(Error::of(
                ErrorKind::Config,
                format_args!("`swa_lrs` has {} rates, the optimizer {groups} groups", rates.len()),
            )),
            _ => Ok(()),
        }
    }

    /// Notes the rates, and takes the run's scheduler out of the way.
    fn begin(&mut self, context: &mut Context) -> Result<()> {
        let groups = context.optimizer()?.groups();
        let count = groups.len();
        self.rates_before = groups.iter().map(|group| (group.name.clone(), group.lr)).collect();
        self.check_count(count)?;
        self.first_epoch = Some(context.epoch());
        context.restart_scheduler(Some(&json!({ "id": "constant" })), None, None)
    }

    /// Sets the rates of the epoch, `advances` after the first one. A group that has appeared since starts
    /// from its own rate.
    fn set_rates(&mut self, context: &mut Context, advances: usize) -> Result<()> {
        let t = match self.annealing_epochs {
            0 => 1.0,
            epochs => (advances as f64 / epochs as f64).min(1.0),
        };
        let share = self.annealing_strategy.share(t);
        for (index, group) in context.optimizer()?.groups_mut().iter_mut().enumerate() {
            let before = *self.rates_before.entry(group.name.clone()).or_insert(group.lr);
            group.lr = self.swa_lrs.at(index).unwrap_or_default() * share + before * (1.0 - share);
        }
        Ok(())
    }

    fn update(&self, context: &mut Context) -> Result<()> {
        let mut average = context.tensor_set(SET)?;
        if !average.is_empty()? {
            return average.update_mean();
        }
        let buffers = if self.use_buffers { SetBuffers::Averaged } else { SetBuffers::Copied };
        average.copy_from_model(&SetContents::all().with_buffers(buffers))
    }

    /// Statistics belong to the weights that gave them.
    fn lacks_statistics(&self, context: &mut Context) -> Result<bool> {
        let tracks = |module: &Module| module.training && module.track_running_stats == Some(true);
        Ok(!self.use_buffers && context.model()?.modules().iter().any(tracks))
    }
}

impl Callback for Swa {
    const ID: &'static str = "swa";
    const DESCRIPTION: &'static str = "Stochastic weight averaging: Lightning's StochasticWeightAveraging";

    const METRICS: Option<&'static [&'static str]> = Some(&[]);

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        let epoch = context.epoch();
        let first = match self.first_epoch {
            Some(first) => first,
            None => self.swa_epoch_start.first_epoch(context.progress().max_epochs),
        };
        if epoch < first {
            return Ok(());
        }
        if self.first_epoch.is_none() {
            self.begin(context)?;
        }
        self.set_rates(context, epoch - self.first_epoch.unwrap_or(epoch))?;
        if self.latest_update_epoch.is_none_or(|latest| epoch > latest) {
            self.update(context)?;
            self.latest_update_epoch = Some(epoch);
        }
        Ok(())
    }

    fn on_train_end(&mut self, context: &mut Context) -> Result<()> {
        let mut average = context.tensor_set(SET)?;
        if average.is_empty()? {
            warn!(
                "the run has ended before `swa_epoch_start` ({}): there is no average",
                self.swa_epoch_start.0
            );
            return Ok(());
        }
        // The weights that train stay in the checkpoint, beside their average.
        average.save_as_weights(true)?;
        average.swap_in()?;
        if self.lacks_statistics(context)? {
            context.update_batch_norms()?;
        }
        context.save_checkpoint(SET)
    }
}
