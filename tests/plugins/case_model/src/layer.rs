//! One entry of the module list.

use serde::Deserialize;
use thaw_plugin_api::nn::{self, Module, init};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

/// A module as `case.json` describes it.
#[derive(Deserialize)]
pub struct ModuleEntry {
    pub name: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    own_parameters: Vec<String>,
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
    #[serde(default)]
    p: f64,
}

fn one() -> i64 {
    1
}

/// A module without children.
pub type Layer = Box<dyn Module>;

impl ModuleEntry {
    /// Registers the module; gives its layer if it is one.
    pub fn build(&self, path: &nn::Path) -> Result<Option<Layer>> {
        Ok(Some(match self.kind.as_str() {
            "Linear" => Box::new(nn::Linear::with_bias(path, self.in_features, self.out_features, self.bias)?),
            "Conv2d" => {
                let options = nn::Conv2dOptions { stride: self.stride, padding: self.padding, bias: self.bias, ..Default::default() };
                Box::new(nn::Conv2d::new(path, self.in_channels, self.out_channels, self.kernel_size, options)?)
            }
            kind if kind.starts_with("BatchNorm") => {
                Box::new(nn::BatchNorm2d::of_kind(path, kind, self.num_features, self.eps, self.momentum)?)
            }
            "ReLU" => Box::new(nn::Activation::new(path, nn::ActivationKind::ReLU)?),
            "Dropout" => Box::new(nn::Dropout::new(path, self.p)?),
            kind => {
                let module = path.module(kind)?;
                if kind.contains("Sequential") {
                    module.iterable();
                }
                for name in &self.own_parameters {
                    let _: Tensor = module.parameter(name, init::ones(&[1])?)?;
                }
                return Ok(None);
            }
        }))
    }
}
