//! `nn.BatchNorm1d` and `nn.BatchNorm2d`.

use tch::{Kind, Tensor};

use super::{Mode, Module, Path, init};
use crate::error::{Error, Result};

/// Batch norm over the channels (dimension 1), as PyTorch's `nn.BatchNorm2d`.
///
/// In training mode batch statistics normalise, and update the stored ones unless the host cleared
/// `track_running_stats`; in evaluation mode the stored ones normalise. As in PyTorch, a batch with a single
/// value per channel is refused in training: its variance is not defined.
pub struct BatchNorm2d {
    path: String,
    dimensions: Dimensions,
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
            path: path.as_str().to_owned(),
            dimensions: Dimensions::of_kind(kind),
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

    /// What PyTorch's layer checks before libtorch's function, which computes NaN from a single value.
    fn check(&self, size: &[i64], training: bool) -> Result<()> {
        let wrong = |what: String| {
            Err(Error::new(format_args!("batch norm `{}`: {what}, got input size {size:?}", self.path)))
        };
        if !self.dimensions.allow(size.len()) {
            return wrong(format!("expected {} input", self.dimensions.words()));
        }
        let values: i64 =
            size.iter().enumerate().filter(|(dim, _)| *dim != 1).map(|(_, size)| *size).product();
        if training && values == 1 {
            return wrong("expected more than 1 value per channel when training".to_owned());
        }
        Ok(())
    }
}

/// How many dimensions an input has, by PyTorch's class.
#[derive(Clone, Copy)]
enum Dimensions {
    One,
    Two,
    /// A class that PyTorch does not have: samples, channels, and what there is.
    Any,
}

impl Dimensions {
    fn of_kind(kind: &str) -> Self {
        match kind {
            "BatchNorm1d" => Self::One,
            "BatchNorm2d" => Self::Two,
            _ => Self::Any,
        }
    }

    fn allow(self, dimensions: usize) -> bool {
        match self {
            Self::One => matches!(dimensions, 2 | 3),
            Self::Two => dimensions == 4,
            Self::Any => dimensions >= 2,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::One => "2D or 3D",
            Self::Two => "4D",
            Self::Any => "at least 2D",
        }
    }
}

impl Module for BatchNorm2d {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let training = self.mode.is_training();
        self.check(&input.size(), training)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(norm: &BatchNorm2d, size: &[i64]) -> std::result::Result<(), String> {
        let input = Tensor::ones(size, (Kind::Float, tch::Device::Cpu));
        norm.forward(&input).map(drop).map_err(|error| error.to_string())
    }

    #[test]
    fn one_value_per_channel_does_not_train_and_leaves_the_statistics_alone() {
        let root = Path::root();
        let norm = BatchNorm2d::new(&(&root / "bn"), 2).unwrap();
        let flat = BatchNorm2d::one_dimensional(&(&root / "flat"), 2).unwrap();
        let registry = root.into_registry();
        for (norm, size) in [(&norm, &[1, 2, 1, 1][..]), (&flat, &[1, 2][..]), (&flat, &[1, 2, 1][..])] {
            let error = forward(norm, size).unwrap_err();
            assert!(error.contains("expected more than 1 value per channel when training"), "{error}");
            assert!(error.contains(&format!("{size:?}")), "{error}");
            assert_eq!(norm.num_batches_tracked.int64_value(&[]), 0);
        }
        for (norm, size) in
            [(&norm, &[2, 2, 1, 1][..]), (&norm, &[1, 2, 1, 2]), (&flat, &[2, 2]), (&flat, &[1, 2, 3])]
        {
            forward(norm, size).unwrap();
        }
        // Statistics of the batch without those that are stored: as little.
        registry.set_modes(&[Mode::to_bits(true, false); 3]);
        assert!(forward(&norm, &[1, 2, 1, 1]).is_err());
        registry.set_modes(&[Mode::to_bits(false, true); 3]);
        forward(&norm, &[1, 2, 1, 1]).unwrap();
    }

    #[test]
    fn inputs_of_other_dimensions_are_refused_by_the_names_of_pytorchs_classes() {
        let root = Path::root();
        let norm = BatchNorm2d::new(&(&root / "bn"), 2).unwrap();
        let flat = BatchNorm2d::one_dimensional(&(&root / "flat"), 2).unwrap();
        assert!(
            forward(&norm, &[4, 2]).unwrap_err().contains("`bn`: expected 4D input, got input size [4, 2]")
        );
        assert!(forward(&flat, &[4, 2, 3, 3]).unwrap_err().contains("expected 2D or 3D input"));
    }
}
