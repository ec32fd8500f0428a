//! The exponential moving average of the weights.

use thaw_plugin_api::context::Stage;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tensor_sets::{SetBuffers, SetContents};

/// Name of the tensor set.
const SET: &str = "ema";

/// Keeps an exponential moving average of the weights, `average = decay * average + (1 - decay) * weights`.
/// Validation is of the average, checkpoints have it as the model's weights, and the run ends with it.
///
/// Source: `lightning.pytorch.callbacks.EMAWeightAveraging`. Other than there, until the first update
/// validation and checkpoints have the weights that train, and not those that the run began with.
#[derive(Clone, Config, Debug)]
pub struct Ema {
    /// Share of the average that an update keeps.
    #[config(default = 0.999, range = 0.0..=1.0)]
    pub decay: f64,
    /// Optimizer steps from one update to the next; 0 for none after steps.
    #[config(default = 1)]
    pub update_every_n_steps: usize,
    /// The optimizer step, counted from 0, before which no update is.
    pub update_starting_at_step: Option<usize>,
    /// The epoch, counted from 0, from which on there is an update after each epoch, besides those after
    /// steps. Default: none after epochs.
    pub update_starting_at_epoch: Option<usize>,
    /// Averages buffers as well, such as the statistics of batch norms. Where false they are those of the
    /// last update.
    #[config(default = true)]
    pub use_buffers: bool,
    /// Optimizer steps so far at the last update.
    #[config(state)]
    latest_update_step: usize,
    /// The epoch after which the last update was.
    #[config(state)]
    latest_update_epoch: Option<usize>,
}

impl Ema {
    /// Whether there is an update after the optimizer step of this number, from 0.
    fn is_due_after(&self, step: usize) -> bool {
        self.update_every_n_steps > 0
            && step.is_multiple_of(self.update_every_n_steps)
            && self.update_starting_at_step.is_none_or(|first| step >= first)
    }

    fn update(&self, context: &mut Context) -> Result<()> {
        let mut average = context.tensor_set(SET)?;
        if !average.is_empty()? {
            return average.lerp_to_model(1.0 - self.decay);
        }
        let buffers = if self.use_buffers { SetBuffers::Averaged } else { SetBuffers::Copied };
        average.copy_from_model(&SetContents::all().with_buffers(buffers))?;
        // In a plan there is still none.
        if average.is_empty()? { Ok(()) } else { average.save_as_weights(true) }
    }
}

/// The average, where there is one.
fn with_average(
    context: &mut Context,
    act: impl FnOnce(&mut thaw_plugin_api::context::TensorSet) -> Result<()>,
) -> Result<()> {
    if context.progress().stage != Stage::Fit {
        return Ok(());
    }
    let mut average = context.tensor_set(SET)?;
    if average.is_empty()? { Ok(()) } else { act(&mut average) }
}

impl Callback for Ema {
    const ID: &'static str = "ema";
    const DESCRIPTION: &'static str =
        "Exponential moving average of the weights: Lightning's EMAWeightAveraging";

    const METRICS: Option<&'static [&'static str]> = Some(&[]);

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        let steps = context.global_step();
        // Batches of one accumulation window share a step.
        if steps > self.latest_update_step && self.is_due_after(steps - 1) {
            self.update(context)?;
            self.latest_update_step = steps;
        }
        Ok(())
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        let epoch = context.epoch();
        let is_new = self.latest_update_epoch.is_none_or(|latest| epoch > latest);
        if is_new && self.update_starting_at_epoch.is_some_and(|first| epoch >= first) {
            self.update(context)?;
            self.latest_update_epoch = Some(epoch);
        }
        Ok(())
    }

    fn on_validation_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        with_average(context, |average| average.swap_in())
    }

    fn on_validation_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        with_average(context, |average| average.swap_out())
    }

    fn on_train_end(&mut self, context: &mut Context) -> Result<()> {
        with_average(context, |average| average.swap_in())
    }
}
