//! `nn.BatchNorm1d` and `nn.BatchNorm2d`.

use tch::{Kind, Tensor};

use super::{Mode, Module, Path, init};
use crate::error::Result;

/// Batch norm over the channels (dimension 1), as PyTorch's `nn.BatchNorm2d`.
///
/// In training mode batch statistics normalise, and update the stored ones unless the host cleared
/// `track_running_stats`; in evaluation mode the stored ones normalise.
pub struct BatchNorm2d {
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    num_batches_tracked: Tensor,
    momentum: f64,
    eps: f64,
    mode: Mode,
}

impl BatchNorm2d {
    /// PyTorch's defaults: `eps` 1e-5, `momentum` 0.1.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &Path, num_features: i64) -> Result<Self> {
        Self::with(path, num_features, 1e-5, 0.1)
    }

    /// With another `eps` and `momentum`.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn with(path: &Path, num_features: i64, eps: f64, momentum: f64) -> Result<Self> {
        Self::of_kind(path, "BatchNorm2d", num_features, eps, momentum)
    }

    /// `nn.BatchNorm1d`: `[N, C]` or `[N, C, L]`.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn one_dimensional(path: &Path, num_features: i64) -> Result<Self> {
        Self::of_kind(path, "BatchNorm1d", num_features, 1e-5, 0.1)
    }

    /// Under PyTorch's class name `kind`.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn of_kind(path: &Path, kind: &str, num_features: i64, eps: f64, momentum: f64) -> Result<Self> {
        let module = path.module(kind)?;
        let shape = [num_features];
        Ok(Self {
            weight: module.parameter("weight", init::ones(&shape)?)?,
            bias: module.parameter("bias", init::zeros(&shape)?)?,
            running_mean: module.buffer("running_mean", init::zeros(&shape)?),
            running_var: module.buffer("running_var", init::ones(&shape)?),
            num_batches_tracked: module
                .buffer("num_batches_tracked", Tensor::f_zeros([0_i64; 0], (Kind::Int64, tch::Device::Cpu))?),
            momentum,
            eps,
            mode: module.mode(),
        })
    }

    /// The weight, `[num_features]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }
}

impl Module for BatchNorm2d {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let training = self.mode.is_training();
        let tracking = training && self.mode.tracks_running_stats();
        if tracking {
            let _ = self.num_batches_tracked.shallow_clone().f_add_scalar_(1)?;
        }
        // Without stored statistics to update, libtorch leaves them alone.
        let stored = (tracking || !training).then_some((&self.running_mean, &self.running_var));
        let (mean, var) = stored.unzip();
        Ok(input.f_batch_norm(
            Some(&self.weight),
            Some(&self.bias),
            mean,
            var,
            training,
            self.momentum,
            self.eps,
            true,
        )?)
    }
}
