//! One entry of the module list.

use std::collections::HashMap;

use serde::Deserialize;
use thaw_plugin_api::nn::{self, Module, init};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

/// A module as `case.json` describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleEntry {
    pub name: String,
    #[serde(rename = "type")]
    kind: String,
    /// Only modules with others in them have this key.
    own_parameters: Option<Vec<String>>,
    #[serde(default)]
    in_features: i64,
    #[serde(default)]
    out_features: i64,
    #[serde(default)]
    in_channels: i64,
    #[serde(default)]
    out_channels: i64,
    #[serde(default)]
    kernel_size: i64,
    #[serde(default = "one")]
    stride: i64,
    #[serde(default)]
    padding: i64,
    #[serde(default)]
    bias: bool,
    #[serde(default)]
    num_features: i64,
    #[serde(default)]
    eps: f64,
    #[serde(default)]
    momentum: f64,
    #[serde(default = "yes")]
    affine: bool,
    #[serde(default = "yes")]
    track_running_stats: bool,
    #[serde(default)]
    p: f64,
    /// A `Linear` whose weight this one shares.
    #[serde(default)]
    tied_to: Option<String>,
}

fn one() -> i64 {
    1
}

fn yes() -> bool {
    true
}

/// A module without children.
pub type Layer = Box<dyn Module>;

/// Weights of linear layers by path, for those that share them.
pub type Weights = HashMap<String, Tensor>;

impl ModuleEntry {
    /// Registers the module; gives its layer if it is one.
    pub fn build(&self, path: &nn::Path, weights: &mut Weights) -> Result<Option<Layer>> {
        Ok(Some(match self.kind.as_str() {
            "Linear" => Box::new(self.linear(path, weights)?),
            "Conv2d" => {
                let options = nn::Conv2dOptions {
                    stride: self.stride,
                    padding: self.padding,
                    bias: self.bias,
                    ..Default::default()
                };
                Box::new(nn::Conv2d::new(
                    path,
                    self.in_channels,
                    self.out_channels,
                    self.kernel_size,
                    options,
                )?)
            }
            kind if kind.starts_with("BatchNorm") => {
                let name = &self.name;
                ensure!(
                    self.affine && self.track_running_stats,
                    "`{name}` is a {kind} without affine or stored statistics"
                );
                Box::new(nn::BatchNorm2d::of_kind(path, kind, self.num_features, self.eps, self.momentum)?)
            }
            "ReLU" => Box::new(nn::Activation::new(path, nn::ActivationKind::ReLU)?),
            "Dropout" => Box::new(nn::Dropout::new(path, self.p)?),
            kind => {
                let is_iterable = kind.contains("Sequential");
                ensure!(
                    is_iterable || self.own_parameters.is_some(),
                    "there is no layer {kind} for `{}`",
                    self.name
                );
                let module = path.module(kind)?;
                if is_iterable {
                    module.iterable();
                }
                for name in self.own_parameters.iter().flatten() {
                    let _: Tensor = module.parameter(name, init::ones(&[1])?)?;
                }
                return Ok(None);
            }
        }))
    }

    fn linear(&self, path: &nn::Path, weights: &mut Weights) -> Result<nn::Linear> {
        let Some(tied_to) = &self.tied_to else {
            let linear = nn::Linear::with_bias(path, self.in_features, self.out_features, self.bias)?;
            weights.insert(self.name.clone(), linear.weight().shallow_clone());
            return Ok(linear);
        };
        let weight = weights.get(tied_to).ok_or_else(|| {
            Error::new(format_args!("`{}` is tied to `{tied_to}`, which is no Linear before it", self.name))
        })?;
        let bias =
            if self.bias { Some(init::bias_for(&[self.out_features, self.in_features])?) } else { None };
        nn::Linear::with_values(path, weight.shallow_clone(), bias)
    }
}
