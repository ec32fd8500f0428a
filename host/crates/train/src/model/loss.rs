//! The losses of the tasks, as PyTorch defines them. Each is a mean over the batch.

use tch::{Reduction, TchError, Tensor};

use crate::config::{LossConfig, LossKind};

/// What a step of a task computes its loss by: one part for tasks of classes, one for those of numbers.
#[derive(Debug, Default)]
pub struct Loss {
    /// For classes.
    pub(super) classes: ClassLoss,
    /// For numbers.
    pub(super) numbers: NumberLoss,
}

/// `torch.nn.CrossEntropyLoss(weight, label_smoothing)`: with weights, the sum over the batch is divided by
/// the sum of the weights of its labels.
#[derive(Debug, Default)]
pub struct ClassLoss {
    /// One weight per class, in float32 on the model's device.
    weight: Option<Tensor>,
    /// Share of the target that is spread over all classes, 0 to 1.
    label_smoothing: f64,
}

/// A loss of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum NumberLoss {
    /// `torch.nn.MSELoss`.
    #[default]
    Mse,
    /// `torch.nn.L1Loss`.
    L1,
    /// `torch.nn.SmoothL1Loss(beta)`, of a `beta` from 0.
    SmoothL1(f64),
    /// `torch.nn.HuberLoss(delta)`, of a `delta` above 0.
    Huber(f64),
}

impl Loss {
    /// What `[loss]` says, with its class weights as a tensor.
    pub fn new(config: &LossConfig, weight: Option<Tensor>) -> Self {
        let numbers = match config.kind {
            None | Some(LossKind::CrossEntropy | LossKind::Mse) => NumberLoss::Mse,
            Some(LossKind::L1) => NumberLoss::L1,
            Some(LossKind::SmoothL1) => NumberLoss::SmoothL1(config.beta.unwrap_or(1.0)),
            Some(LossKind::Huber) => NumberLoss::Huber(config.delta.unwrap_or(1.0)),
        };
        Self { classes: ClassLoss { weight, label_smoothing: config.label_smoothing }, numbers }
    }
}

impl NumberLoss {
    /// Of output and target with the same shape, in float32.
    ///
    /// # Errors
    /// libtorch's.
    pub(super) fn of(self, output: &Tensor, target: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::Mse => output.f_mse_loss(target, Reduction::Mean),
            Self::L1 => output.f_l1_loss(target, Reduction::Mean),
            Self::SmoothL1(beta) => output.f_smooth_l1_loss(target, Reduction::Mean, beta),
            Self::Huber(delta) => output.f_huber_loss(target, Reduction::Mean, delta),
        }
    }
}

impl ClassLoss {
    /// How many classes it has weights for; None without weights.
    pub(super) fn weighted_classes(&self) -> Option<usize> {
        self.weight.as_ref().map(Tensor::numel)
    }

    /// Of logits `[batch, classes]` in float32 and labels `[batch]`. PyTorch's `ignore_index`, -100, counts
    /// for nothing.
    ///
    /// # Errors
    /// libtorch's.
    pub(super) fn of(&self, logits: &Tensor, labels: &Tensor) -> Result<Tensor, TchError> {
        let weight = self.weight.as_ref();
        logits.f_cross_entropy_loss(labels, weight, Reduction::Mean, -100, self.label_smoothing)
    }
}
