//! A small convolutional classifier with a backbone and a head.

use thaw_plugin_api::nn::{
    Activation, ActivationKind, BatchNorm2d, Conv2d, Conv2dOptions, Linear, Module as _, Sequential,
};
use thaw_plugin_api::prelude::*;

/// The table `[model]` besides `id` and `weights`.
#[derive(Config)]
struct TinyCnnConfig {
    /// Number of classes.
    #[config(default = 10, range = 1..)]
    num_classes: i64,
    /// Channels of the first layer; the second has twice as many.
    #[config(default = 16, range = 1..)]
    channels: i64,
}

struct TinyCnn {
    backbone: Sequential,
    head: Linear,
}

impl Model for TinyCnn {
    const ID: &'static str = "tiny-cnn";
    type Config = TinyCnnConfig;

    fn new(config: TinyCnnConfig, root: &nn::Path) -> Result<Self> {
        let width = config.channels;
        let halving = Conv2dOptions { stride: 2, padding: 1, bias: false, ..Default::default() };
        let backbone = Sequential::new(&(root / "backbone"), |layers| {
            for (inputs, outputs) in [(3, width), (width, 2 * width)] {
                layers.push(|path| Conv2d::new(path, inputs, outputs, 3, halving))?;
                layers.push(|path| BatchNorm2d::new(path, outputs))?;
                layers.push(|path| Activation::new(path, ActivationKind::ReLU))?;
            }
            Ok(())
        })?;
        Ok(Self { backbone, head: Linear::new(&(root / "head"), 2 * width, config.num_classes)? })
    }

    fn stages(&self) -> Vec<Stage> {
        vec![Stage::new("backbone", ["backbone"]), Stage::new("head", ["head"])]
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        inputs.map_first(|x| match stage {
            "backbone" => Ok(self.backbone.forward(x)?.f_mean_dim([2_i64, 3].as_slice(), false, None)?),
            _ => self.head.forward(x),
        })
    }
}

export_plugin!(models: [TinyCnn]);

#[cfg(test)]
mod tests;
