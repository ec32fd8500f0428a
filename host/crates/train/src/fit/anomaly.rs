//! Numbers that are none: `trainer.detect_anomaly`.
//!
//! Losses of training and norms of gradients are looked at as soon as they are read ([`RunState::take`]),
//! those of validation at its end, weights and buffers before each checkpoint: a run does not end well with a
//! model of NaN.

use std::collections::HashSet;

use tch::{Kind, Tensor};

use super::{FitError, RunState};
use crate::error::torch;
use thaw_data::first_names;

/// Names in a message.
const SHOWN: usize = 4;

impl RunState {
    /// The mean loss of a validation.
    ///
    /// # Errors
    /// It is not finite, and `detect_anomaly` is on.
    pub(super) fn check_validation_loss(&self, loss: Option<f64>) -> Result<(), FitError> {
        let epoch = self.progress().epoch;
        match loss.filter(|loss| !loss.is_finite() && self.config.trainer.detect_anomaly) {
            Some(loss) => Err(FitError::NotFiniteValidation { loss, epoch }),
            None => Ok(()),
        }
    }

    /// Weights and buffers, before they are kept. Costs a pass over them, and one wait for a GPU.
    ///
    /// # Errors
    /// One of them holds NaN, or one that trains infinity, and `detect_anomaly` is on; else that is told.
    pub(super) fn check_weights(&self) -> Result<(), FitError> {
        let found = self.not_finite()?;
        if found.is_empty() {
            return Ok(());
        }
        let names: Vec<&str> = found.iter().map(String::as_str).collect();
        let (tensors, step) = (first_names(&names, SHOWN), self.progress().global_step);
        if self.config.trainer.detect_anomaly {
            return Err(FitError::NotFiniteWeights { tensors, step });
        }
        self.warnings.warn(format_args!("the model holds numbers that are not finite: {tensors}"));
        Ok(())
    }

    /// Tensors with NaN, and those with infinity where training writes: a mask of the author's own may be
    /// infinite.
    fn not_finite(&self) -> Result<Vec<String>, FitError> {
        let tree = self.trained.model.tree();
        let mut trained: HashSet<String> = tree.trainable().into_iter().map(str::to_owned).collect();
        for norm in tree.modules().iter().filter(|module| module.is_batch_norm()) {
            trained.extend(["running_mean", "running_var"].map(|name| format!("{}.{name}", norm.path)));
        }
        let tensors = self.trained.model.state_dict().iter();
        let float: Vec<&(String, Tensor)> =
            tensors.filter(|(_, tensor)| tensor.is_floating_point() && tensor.numel() > 0).collect();
        let is_wrong = |(name, tensor): &(String, Tensor)| {
            let tensor = tensor.detach();
            if trained.contains(name) {
                tensor.f_isfinite()?.f_logical_not()?.f_any()
            } else {
                tensor.f_isnan()?.f_any()
            }
        };
        let flags = || {
            let flags = float.iter().map(|entry| is_wrong(entry)).collect::<Result<Vec<Tensor>, _>>()?;
            if flags.is_empty() {
                Ok(Vec::new())
            } else {
                Tensor::f_stack(&flags, 0)?.f_to_kind(Kind::Int64)?.try_into()
            }
        };
        let flags: Vec<i64> = tch::no_grad(flags).map_err(torch("looking for NaN in the weights"))?;
        let wrong = float.iter().zip(flags).filter(|(_, flag)| *flag != 0);
        Ok(wrong.map(|((name, _), _)| name.clone()).collect())
    }
}
