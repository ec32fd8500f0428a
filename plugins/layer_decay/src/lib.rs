//! Layer-wise decay of the learning rate, as timm's `--layer-decay`: everything trains, the lower the slower.
//!
#![doc = concat!("```\n", include_str!("../tests/as_a_library.rs"), "```")]

mod layers;

use std::collections::BTreeMap;

use thaw_plugin_api::prelude::*;

/// Gives every layer a rate of its own: the run's rate for the last one, and `decay` times the next one's for
/// each layer below it.
///
/// Groups are laid out anew at the start of the run: one per layer, and a second one, `….no_decay`, for its
/// parameters without weight decay. Rates, weight decays and options come from the groups that the parameters
/// were in; what is in no group stays in none. Nothing is frozen.
#[derive(Config, Debug)]
pub struct LayerDecay {
    /// Factor on the rate from one layer to the one below it.
    #[config(default = 0.75, range = 0.0..=1.0)]
    pub decay: f64,
    /// Smallest factor on the run's rate.
    #[config(default = 0.0, range = 0.0..=1.0)]
    pub min_scale: f64,
    /// The layers, the first one of the forward first: module paths or globs. Empty for the model's stages,
    /// or for its modules where it declares none: the children of containers such as `Sequential`, else the
    /// top modules.
    ///
    /// What no layer has goes with the last one; what a module around layers owns itself, such as a class
    /// token, with the first one.
    #[config(default = Vec::new())]
    pub layers: Vec<String>,
    /// Whether parameters of one dimension (biases, weights of norms) go without weight decay.
    #[config(default = true)]
    pub no_weight_decay_1d: bool,
    #[config(state)]
    laid_out: bool,
}

impl LayerDecay {
    fn lay_out(&self, model: &ModuleTree, optimizer: &Optimizer) -> Result<Vec<ParamGroup>> {
        let layers = layers::of(model, &self.layers)?;
        let homes = layers::homes(model, &layers)?;
        let top = layers.len() - 1;
        let mut groups: BTreeMap<(usize, usize, bool), ParamGroup> = BTreeMap::new();
        for (position, old) in optimizer.groups().iter().enumerate() {
            for parameter in &old.parameters {
                let layer = homes.get(parameter).copied().unwrap_or(top);
                let without_decay = self.no_weight_decay_1d && model.parameter(parameter)?.shape.len() <= 1;
                let group = groups.entry((layer, position, without_decay)).or_insert_with(|| {
                    let scale = self.decay.powi((top - layer) as i32).max(self.min_scale);
                    let suffix = if without_decay { ".no_decay" } else { "" };
                    let mut name = format!("{}{suffix}", layers[layer].name);
                    if optimizer.groups().len() > 1 {
                        name = format!("{}/{name}", old.name);
                    }
                    ParamGroup {
                        name,
                        lr: old.lr * scale,
                        initial_lr: old.initial_lr * scale,
                        weight_decay: if without_decay { 0.0 } else { old.weight_decay },
                        parameters: Vec::new(),
                        options: old.options.clone(),
                    }
                });
                group.parameters.push(parameter.clone());
            }
        }
        Ok(groups.into_values().collect())
    }
}

impl Strategy for LayerDecay {
    const ID: &'static str = "layer-decay";
    const DESCRIPTION: &'static str =
        "Everything trains, lower layers at smaller rates (timm's --layer-decay)";
    const METRICS: Option<&'static [&'static str]> = Some(&[]);

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        // Only to find a wrong name before anything is trained.
        layers::of(model, &self.layers).map(drop)
    }

    fn finetune(&mut self, _: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if !self.laid_out {
            let groups = self.lay_out(model, optimizer)?;
            optimizer.set_groups(groups)?;
            self.laid_out = true;
        }
        Ok(())
    }
}

#[cfg(feature = "export")]
export_plugin!(strategies: [LayerDecay]);

#[cfg(test)]
mod tests;

// As an author of another crate would write them.
#[cfg(test)]
extern crate self as thaw_layer_decay;
#[cfg(test)]
#[path = "../tests/as_a_library.rs"]
mod as_a_library;
