//! Loss scaling for half precision (PyTorch's `GradScaler`).

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::{Clip, Optimizer, Parameters, Result};

/// Keeps gradients of half precision from vanishing: the loss is multiplied by a scale before the backward pass, gradients are
/// divided by it before the step. A step whose gradients are not finite is left out and halves the scale; 2000 good steps
/// in a row double it. It is its own state for a checkpoint.
///
/// ```text
/// scaler.scale(&loss)?.f_backward()?;
/// let stepped = scaler.step(&mut optimizer, &parameters, clip)?;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GradScaler {
    scale: f64,
    good_steps: usize,
}

/// What a scaled step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScaledStep {
    /// Whether the parameters were updated.
    pub stepped: bool,
    /// Norm of the unscaled gradients before clipping, where clipping is by norm.
    pub grad_norm: Option<f64>,
}

impl Default for GradScaler {
    fn default() -> GradScaler {
        GradScaler { scale: 65_536.0, good_steps: 0 }
    }
}

impl GradScaler {
    /// Good steps in a row that double the scale.
    const GROWTH_INTERVAL: usize = 2000;

    /// The scale now.
    pub fn value(&self) -> f64 {
        self.scale
    }

    /// The loss to call `backward` on.
    ///
    /// # Errors
    /// libtorch's own.
    pub fn scale(&self, loss: &Tensor) -> Result<Tensor> {
        Ok(loss.f_mul_scalar(self.scale)?)
    }

    /// Unscales, clips and steps; or leaves the step out where a gradient is not finite. Then sets the scale.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn step(&mut self, optimizer: &mut Optimizer, parameters: &Parameters, clip: Option<Clip>) -> Result<ScaledStep> {
        if optimizer.unscale(parameters, self.scale)? {
            self.scale /= 2.0;
            self.good_steps = 0;
            return Ok(ScaledStep { stepped: false, grad_norm: None });
        }
        let grad_norm = match clip {
            Some(clip) => optimizer.clip(parameters, clip)?,
            None => None,
        };
        optimizer.step(parameters)?;
        self.good_steps += 1;
        if self.good_steps == Self::GROWTH_INTERVAL {
            self.scale *= 2.0;
            self.good_steps = 0;
        }
        Ok(ScaledStep { stepped: true, grad_norm })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::OptimizerConfig;
    use crate::optimizer::tests::{parameter, set_grad, values};

    fn setting() -> (Optimizer, Parameters) {
        let config: OptimizerConfig = toml::from_str("id = 'sgd'\nlr = 1.0").unwrap();
        let group = config.group("all", vec!["a".to_owned()]);
        let parameters = Parameters::new([("a".to_owned(), parameter(&[1.0, 1.0]))]).unwrap();
        (Optimizer::new(config, vec![group]).unwrap(), parameters)
    }

    #[test]
    fn a_scaled_step_equals_a_plain_one() {
        let (mut optimizer, parameters) = setting();
        let a = parameters.get("a").unwrap();
        let mut scaler = GradScaler::default();
        let loss = (a * Tensor::from_slice(&[3.0f32, 4.0])).sum(tch::Kind::Float);
        scaler.scale(&loss).unwrap().backward();
        let clip = Clip::Norm { max_norm: 10.0, norm_type: 2.0 };
        let step = scaler.step(&mut optimizer, &parameters, Some(clip)).unwrap();
        assert_eq!(step, ScaledStep { stepped: true, grad_norm: Some(5.0) });
        assert_eq!(values(a), [-2.0, -3.0]);
    }

    #[test]
    fn a_step_with_infinite_gradients_is_left_out_and_halves_the_scale() {
        let (mut optimizer, parameters) = setting();
        let mut scaler = GradScaler::default();
        set_grad(parameters.get("a").unwrap(), &[f64::INFINITY, 1.0]);
        assert!(!scaler.step(&mut optimizer, &parameters, None).unwrap().stepped);
        assert_eq!((values(parameters.get("a").unwrap()), scaler.value()), (vec![1.0, 1.0], 32_768.0));
    }

    #[test]
    fn two_thousand_good_steps_double_the_scale() {
        let (mut optimizer, parameters) = setting();
        let mut scaler = GradScaler::default();
        for step in 1..=2000 {
            assert_eq!(scaler.value(), 65_536.0, "before step {step}");
            scaler.step(&mut optimizer, &parameters, None).unwrap();
        }
        assert_eq!(scaler.value(), 131_072.0);
    }
}
