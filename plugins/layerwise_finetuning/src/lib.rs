//! Thaws a frozen backbone from the top down, a few layers each epoch.
//!
#![doc = concat!("```\n", include_str!("../tests/as_a_library.rs"), "```")]

mod layers;

use thaw_plugin_api::prelude::*;

/// Trains the head on a frozen backbone; from one epoch on, every epoch thaws the next layers of the
/// backbone, the last one first.
///
/// Layers are the backbone's direct children that have parameters, or those named under `layers`. Where all
/// blocks stand in one list below the backbone, as those of a transformer do (`backbone.encoder.layer`), each
/// of them is a layer; several lists, such as the stages of a ResNet, are a layer each. Modules without
/// parameters go with the layer below them; what the backbone itself owns, or what holds the list, goes with
/// its first layer. Every layer has a group of its own, named after it.
#[derive(Config, Debug)]
pub struct LayerwiseFinetuning {
    /// Path of the backbone.
    #[config(default = "backbone")]
    pub module: String,
    /// Paths of the layers, the first one of the forward first; empty for the backbone's children or blocks.
    #[config(default = Vec::new())]
    pub layers: Vec<String>,
    /// Epoch, from 0, at which the last layers thaw.
    #[config(default = 5)]
    pub unfreeze_at_epoch: usize,
    /// Layers that thaw at that epoch and at each one after it.
    #[config(default = 2, range = 1..)]
    pub layers_per_epoch: usize,
    /// Rate of the last layer when it thaws; without it, group 0's rate at that moment divided by
    /// `initial_denom_lr`.
    #[config(range = 0.0..)]
    pub lr: Option<f64>,
    /// Divisor of group 0's rate where there is no `lr`.
    #[config(default = 10.0, range = 1.0..)]
    pub initial_denom_lr: f64,
    /// Factor on the rate for each layer further down; 1 gives all layers the same rate.
    #[config(default = 1.0, range = 0.0..=1.0)]
    pub rate_decay: f64,
    /// What batch norms of frozen layers do.
    #[config(default = BatchNorm::Eval)]
    pub frozen_bn: BatchNorm,
    /// Whether batch norms train with their layer; if not, they stay as `frozen_bn` says.
    #[config(default = true)]
    pub train_bn: bool,
}

impl LayerwiseFinetuning {
    /// The layers, the last one first.
    fn layers(&self, model: &ModuleTree) -> Result<Vec<String>> {
        let layers =
            if self.layers.is_empty() { layers::of(model, &self.module)? } else { self.layers.clone() };
        let mut owners = Vec::new();
        for layer in layers.into_iter().rev() {
            if model.parameters_of(&layer)?.next().is_some() {
                owners.push(layer);
            }
        }
        ensure!(
            !owners.is_empty(),
            "`{}` has no child with parameters, so that there is nothing to thaw layer by layer",
            self.module
        );
        Ok(owners)
    }

    /// Whether something of the module is still frozen that is to train.
    fn is_frozen(&self, model: &ModuleTree, module: &str) -> Result<bool> {
        let mut trained = model.subtree(module)?.filter(|module| self.train_bn || !module.is_batch_norm());
        Ok(trained.any(|module| module.parameters.iter().any(|parameter| !parameter.requires_grad)))
    }

    fn thaw(
        &self,
        model: &mut ModuleTree,
        optimizer: &mut Optimizer,
        module: &str,
        depth: usize,
    ) -> Result<()> {
        let top = match self.lr {
            Some(lr) => lr,
            None => optimizer.group(0)?.lr / self.initial_denom_lr,
        };
        let lr = top * self.rate_decay.powi(i32::try_from(depth)?);
        let mut module = model.module(module)?;
        if self.train_bn {
            module.unfreeze_and_add_param_group(optimizer, lr)?;
        } else {
            module.unfreeze_without_batch_norms(optimizer, lr, self.frozen_bn)?;
        }
        info!("`{}` thaws with the rate {lr:.3e}", module.path());
        Ok(())
    }

    /// Modules without parameters that follow the layer: their mode goes with it.
    fn thaw_followers(&self, model: &mut ModuleTree, layer: &str) -> Result<()> {
        let siblings = if self.layers.is_empty() {
            layers::of(model, &self.module)?
        } else {
            model.children(&self.module)?
        };
        for sibling in siblings.iter().skip_while(|sibling| *sibling != layer).skip(1) {
            if model.parameters_of(sibling)?.next().is_some() {
                break;
            }
            model.make_trainable(sibling)?;
        }
        Ok(())
    }
}

impl Strategy for LayerwiseFinetuning {
    const ID: &'static str = "layerwise-finetuning";
    const DESCRIPTION: &'static str = "Thaws a frozen backbone from the top down, a few layers each epoch";
    const METRICS: Option<&'static [&'static str]> = Some(&[]);

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        self.layers(model)?;
        model.module(&self.module)?.freeze(self.frozen_bn);
        Ok(())
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        let Some(since) = epoch.checked_sub(self.unfreeze_at_epoch) else { return Ok(()) };
        let layers = self.layers(model)?;
        let wanted = layers.len().min((since + 1).saturating_mul(self.layers_per_epoch));
        // What is to train by now follows from the epoch, and what does from the tree: a strategy that joins
        // late catches up.
        for (depth, layer) in layers[..wanted].iter().enumerate() {
            if self.is_frozen(model, layer)? {
                self.thaw(model, optimizer, layer, depth)?;
                self.thaw_followers(model, layer)?;
            }
        }
        // Last, what the backbone owns itself.
        if wanted == layers.len() && self.is_frozen(model, &self.module)? {
            self.thaw(model, optimizer, &self.module, layers.len() - 1)?;
        }
        Ok(())
    }
}

#[cfg(feature = "export")]
export_plugin!(strategies: [LayerwiseFinetuning]);

#[cfg(test)]
mod tests;

// As an author of another crate would write them.
#[cfg(test)]
extern crate self as thaw_layerwise_finetuning;
#[cfg(test)]
#[path = "../tests/as_a_library.rs"]
mod as_a_library;
