//! Predictions of numbers.

use tch::{Kind, TchError, Tensor};
use thaw_metrics::{ErrorSums, Numbers};

use super::numbers_of;

/// Batches of predictions and targets.
#[derive(Default)]
pub(super) struct NumberBatches {
    width: usize,
    predicted: Vec<Tensor>,
    targets: Vec<Tensor>,
}

impl NumberBatches {
    /// Takes as many predictions as targets.
    pub(super) fn push(&mut self, output: &Tensor, target: &Tensor) -> Result<(), TchError> {
        let samples = output.size().first().copied().unwrap_or(1).max(1);
        self.width = usize::try_from(output.numel() as i64 / samples).unwrap_or(1);
        self.predicted.push(output.f_detach()?);
        self.targets.push(target.shallow_clone());
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<Numbers, TchError> {
        let (predicted, targets) = (numbers_of(&self.predicted)?, numbers_of(&self.targets)?);
        Ok(Numbers { width: self.width, predicted, targets })
    }
}

/// Batches of predictions that are summed up: of each count, absolute and squared errors.
#[derive(Default)]
pub(super) struct ErrorBatches(Vec<Tensor>);

impl ErrorBatches {
    /// Takes as many predictions as targets.
    pub(super) fn push(&mut self, output: &Tensor, target: &Tensor) -> Result<(), TchError> {
        let target = target.f_view(output.size().as_slice())?.f_to_kind(Kind::Double)?;
        let errors = output.f_detach()?.f_to_kind(Kind::Double)?.f_sub(&target)?;
        let count = errors.f_new_full([0_i64; 0], errors.numel() as f64, (Kind::Double, errors.device()))?;
        let sums = [count, errors.f_abs()?.f_sum(Kind::Double)?, errors.f_square()?.f_sum(Kind::Double)?];
        self.0.push(Tensor::f_stack(&sums, 0)?);
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<ErrorSums, TchError> {
        let sums = numbers_of(&self.0)?;
        let of = |sums: &[f64]| ErrorSums { count: sums[0], absolute: sums[1], squared: sums[2] };
        Ok(sums.chunks_exact(3).map(of).fold(ErrorSums::default(), ErrorSums::and))
    }
}
