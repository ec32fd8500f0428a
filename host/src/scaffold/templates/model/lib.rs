//! The model `my-plugin`.

use thaw_plugin_api::nn::{Activation, ActivationKind, Linear, Module as _, Sequential};
use thaw_plugin_api::prelude::*;

/// The table `[model]` of a run config, besides `id` and `weights`.
#[derive(Config)]
struct Sizes {
    /// Numbers in one input.
    #[config(default = 2, range = 1..)]
    num_features: i64,
    /// Number of classes.
    #[config(default = 2, range = 1..)]
    num_classes: i64,
}

/// Width of the hidden layers.
const HIDDEN: i64 = 32;

/// A classifier of points: a backbone of two layers, and a head. Output: `logits`, `[N, num_classes]`.
struct MyPlugin {
    backbone: Sequential,
    head: Linear,
}

impl Model for MyPlugin {
    const ID: &'static str = "my-plugin";
    const DESCRIPTION: &'static str = "A classifier of points, of linear layers";
    type Config = Sizes;

    fn new(sizes: Sizes, root: &nn::Path) -> Result<Self> {
        let backbone = Sequential::new(&(root / "backbone"), |layers| {
            for inputs in [sizes.num_features, HIDDEN] {
                layers.push(|path| Linear::new(path, inputs, HIDDEN))?;
                layers.push(|path| Activation::new(path, ActivationKind::ReLU))?;
            }
            Ok(())
        })?;
        let head = Linear::new(&(root / "head"), HIDDEN, sizes.num_classes)?;
        Ok(Self { backbone, head })
    }

    fn stages(&self) -> Vec<Stage> {
        ["backbone", "head"]
            .map(|name| Stage::new(name, [name]))
            .into()
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        let input = inputs.first()?;
        match stage {
            "backbone" => Ok(Tensors::one("features", self.backbone.forward(input)?)),
            _ => Ok(Tensors::one("logits", self.head.forward(input)?)),
        }
    }
}

export_plugin!(models: [MyPlugin]);

#[cfg(test)]
mod tests;
