//! The losses of the tasks, as PyTorch defines them. Each is a mean over the batch.

use tch::{Kind, Reduction, TchError, Tensor};

use crate::config::{LossConfig, LossKind};

/// PyTorch's `ignore_index`: a sample with this label counts for nothing.
pub(super) const IGNORED: i64 = -100;

/// What a step of a task computes its loss by: one part for tasks of classes, one for those of numbers.
#[derive(Debug, Default)]
pub struct Loss {
    /// For classes.
    pub(super) classes: ClassLoss,
    /// For numbers.
    pub(super) numbers: NumberLoss,
}

/// A loss of logits per class. Weights are one number per class, in float32 on the model's device.
#[derive(Debug)]
pub enum ClassLoss {
    /// `torch.nn.CrossEntropyLoss(weight, label_smoothing)`, of one class per sample: with weights, the sum
    /// over the batch is divided by the sum of the weights of its labels.
    CrossEntropy {
        /// How much each class counts.
        weight: Option<Tensor>,
        /// Share of the target that is spread over all classes, 0 to 1.
        label_smoothing: f64,
    },
    /// `torch.nn.BCEWithLogitsLoss(pos_weight)`, of any number of labels per sample.
    Bce {
        /// How much the presence of each label counts.
        pos_weight: Option<Tensor>,
    },
}

impl Default for ClassLoss {
    fn default() -> Self {
        Self::CrossEntropy { weight: None, label_smoothing: 0.0 }
    }
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
    /// What `[loss]` says, with its weights as tensors.
    pub fn new(config: &LossConfig, weight: Option<Tensor>, pos_weight: Option<Tensor>) -> Self {
        let numbers = match config.kind {
            None | Some(LossKind::CrossEntropy | LossKind::Bce | LossKind::Mse) => NumberLoss::Mse,
            Some(LossKind::L1) => NumberLoss::L1,
            Some(LossKind::SmoothL1) => NumberLoss::SmoothL1(config.beta.unwrap_or(1.0)),
            Some(LossKind::Huber) => NumberLoss::Huber(config.delta.unwrap_or(1.0)),
        };
        let classes = match config.is_multi_label() {
            true => ClassLoss::Bce { pos_weight },
            false => ClassLoss::CrossEntropy { weight, label_smoothing: config.label_smoothing },
        };
        Self { classes, numbers }
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
    /// The key of its weights and for how many classes they are; None without weights.
    pub(super) fn weighted_classes(&self) -> Option<(&'static str, usize)> {
        let (key, weights) = match self {
            Self::CrossEntropy { weight, .. } => ("class_weights", weight),
            Self::Bce { pos_weight } => ("pos_weight", pos_weight),
        };
        weights.as_ref().map(|weights| (key, weights.numel()))
    }

    /// What the mean over a batch with these labels is divided by; None where that is its samples.
    ///
    /// # Errors
    /// libtorch's.
    pub(super) fn weight_of(&self, labels: &Tensor) -> Result<Option<f64>, TchError> {
        let Self::CrossEntropy { weight, .. } = self else { return Ok(None) };
        if labels.kind() != Kind::Int64 {
            return Ok(None);
        }
        let counted = labels.f_ne(IGNORED)?.f_to_kind(Kind::Double)?;
        let weights = match weight {
            Some(weight) => weight.f_index_select(0, &labels.f_clamp_min(0)?)?.f_mul(&counted)?,
            None => counted,
        };
        weights.f_sum(Kind::Double)?.f_double_value(&[]).map(Some)
    }

    /// Of logits `[batch, classes]` in float32. Of one class per sample, the target is labels `[batch]`, of
    /// which PyTorch's `ignore_index`, -100, counts for nothing; of several it is float32 of the logits'
    /// shape.
    ///
    /// # Errors
    /// libtorch's.
    pub(super) fn of(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor, TchError> {
        match self {
            Self::CrossEntropy { weight, label_smoothing } => logits.f_cross_entropy_loss(
                target,
                weight.as_ref(),
                Reduction::Mean,
                IGNORED,
                *label_smoothing,
            ),
            Self::Bce { pos_weight } => {
                let weight = None::<&Tensor>;
                let pos_weight = pos_weight.as_ref();
                logits.f_binary_cross_entropy_with_logits(target, weight, pos_weight, Reduction::Mean)
            }
        }
    }
}
