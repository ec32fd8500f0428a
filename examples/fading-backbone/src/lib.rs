//! `backbone-finetuning` whose backbone's rate grows ever more slowly: a strategy built on one that ships.

use thaw_backbone_finetuning::BackboneFinetuning;
use thaw_plugin_api::prelude::*;

/// `backbone-finetuning`; what its `lambda_func` adds to the backbone's rate fades from epoch to epoch.
#[derive(Config)]
#[config(check = fade)]
struct FadingBackbone {
    /// Epochs after which growth is half of what `lambda_func` says.
    #[config(default = 2.0, range = 0.1..)]
    half_life: f64,
    #[config(flatten)]
    inner: BackboneFinetuning,
}

fn fade(strategy: &mut FadingBackbone) -> Result<()> {
    let (half_life, start) = (strategy.half_life, strategy.inner.unfreeze_backbone_at_epoch);
    strategy.inner.map_lambda(move |epoch, factor| {
        let epochs_since = epoch.saturating_sub(start + 1) as f64;
        1.0 + (factor - 1.0) * 0.5_f64.powf(epochs_since / half_life)
    });
    Ok(())
}

impl Strategy for FadingBackbone {
    const ID: &'static str = "fading-backbone";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        self.inner.freeze_before_training(model)
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        self.inner.finetune(epoch, model, optimizer)
    }
}

export_plugin!(strategies: [FadingBackbone]);

#[cfg(test)]
mod tests;
