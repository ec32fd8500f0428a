//! Loss scaling for float16, as `torch.amp.GradScaler`: everything it needs stays on the device.

use tch::{Device, Kind, Tensor};

use super::FitError;
use crate::checkpoint::SavedScaler;
use crate::error::torch;
use thaw_optim::optimizer::{Optimizer, Parameters};
use thaw_torch::gradients::update_scale;

/// Grows the scale while gradients stay finite, halves it when they do not. Nothing of it waits for the
/// device but [`LossScaler::saved`].
#[derive(Debug)]
pub struct LossScaler {
    /// What the loss is multiplied by, float32.
    scale: Tensor,
    /// Steps without infinities in a row, int32.
    growth: Tensor,
    /// 1 where the gradients of the present step are not finite, else 0.
    found_inf: Tensor,
    growth_interval: i64,
}

/// PyTorch's `init_scale` and `growth_interval`.
const INITIAL: SavedScaler = SavedScaler { scale: 65536.0, good_steps: 0 };
const GROWTH_INTERVAL: i64 = 2000;

impl LossScaler {
    /// A scaler with PyTorch's start on a device.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn new(device: Device) -> Result<Self, FitError> {
        Self::of(&INITIAL, GROWTH_INTERVAL, device)
    }

    fn of(saved: &SavedScaler, growth_interval: i64, device: Device) -> Result<Self, FitError> {
        let full = |value: f64, kind| Tensor::f_full([0; 0], value, (kind, device));
        let make = || {
            Ok(Self {
                scale: full(saved.scale, Kind::Float)?,
                growth: full(f64::from(saved.good_steps), Kind::Int)?,
                found_inf: full(0.0, Kind::Float)?,
                growth_interval,
            })
        };
        make().map_err(torch("making the loss scaler"))
    }

    /// Takes over what a checkpoint has.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn restore(&mut self, saved: &SavedScaler) -> Result<(), FitError> {
        *self = Self::of(saved, self.growth_interval, self.scale.device())?;
        Ok(())
    }

    /// What a checkpoint keeps; waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn saved(&self) -> Result<SavedScaler, FitError> {
        let read = |tensor: &Tensor| tensor.f_double_value(&[]).map_err(torch("reading the loss scale"));
        Ok(SavedScaler { scale: read(&self.scale)?, good_steps: read(&self.growth)? as u32 })
    }

    /// The loss times the scale.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn scale(&self, loss: &Tensor) -> Result<Tensor, tch::TchError> {
        loss.f_mul(&self.scale)
    }

    /// Divides the gradients by the scale and by `divisor`, and looks for what is not finite.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn unscale(
        &mut self,
        optimizer: &mut Optimizer,
        parameters: &Parameters,
        divisor: f64,
    ) -> Result<(), FitError> {
        let _ = self.found_inf.f_zero_().map_err(torch("unscaling the gradients"))?;
        Ok(optimizer.unscale(parameters, divisor, Some(&self.scale), &self.found_inf)?)
    }

    /// 1 on the device where the step is to be left out.
    pub fn found_inf(&self) -> &Tensor {
        &self.found_inf
    }

    /// A number of this step; 0 where the step is left out.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn where_finite(&self, number: &Tensor) -> Result<Tensor, tch::TchError> {
        number.f_masked_fill(&self.found_inf.f_to_kind(Kind::Bool)?, 0.0)
    }

    /// The step is over: the scale for the next one.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn update(&mut self) -> Result<(), FitError> {
        let (scale, growth) = (&self.scale, &self.growth);
        update_scale(scale, growth, &self.found_inf, self.growth_interval)
            .map_err(|error| FitError::Config(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use thaw_optim::optimizer::OptimizerConfig;
    use thaw_torch::reading::WaitCounter;

    fn recorded() -> Value {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/grad_scaler/sequences.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn numbers(list: &Value) -> Vec<f64> {
        let number =
            |value: &Value| value.as_f64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap());
        list.as_array().unwrap().iter().map(number).collect()
    }

    /// One step of PyTorch's recipe: scale, backward, unscale, step, update.
    fn step(scaler: &mut LossScaler, optimizer: &mut Optimizer, parameters: &Parameters, slope: f64) {
        optimizer.zero_grad(parameters).unwrap();
        let weight = parameters.get("w").unwrap();
        let loss = (weight * slope).sum(Kind::Float);
        scaler.scale(&loss).unwrap().backward();
        scaler.unscale(optimizer, parameters, 1.0).unwrap();
        optimizer.step_unless(parameters, Some(scaler.found_inf())).unwrap();
        scaler.update().unwrap();
    }

    #[test]
    fn scales_counts_and_weights_are_those_of_pytorchs_grad_scaler() {
        for case in recorded().as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let config: OptimizerConfig = serde_json::from_value(case["optimizer"].clone()).unwrap();
            let weight = Tensor::from_slice(&[1.0_f32, -2.0]).set_requires_grad(true);
            let parameters = Parameters::new([("w".to_owned(), weight.shallow_clone())]).unwrap();
            let group = config.group("default", vec!["w".to_owned()]);
            let mut optimizer = Optimizer::new(config, vec![group]).unwrap();
            let start = SavedScaler { scale: case["init_scale"].as_f64().unwrap(), good_steps: 0 };
            let interval = case["growth_interval"].as_i64().unwrap();
            let mut scaler = LossScaler::of(&start, interval, Device::Cpu).unwrap();
            let slopes = numbers(&case["slopes"]);
            for (index, (slope, after)) in slopes.iter().zip(case["steps"].as_array().unwrap()).enumerate() {
                step(&mut scaler, &mut optimizer, &parameters, *slope);
                let expected = SavedScaler {
                    scale: after["scale"].as_f64().unwrap(),
                    good_steps: u32::try_from(after["growth_tracker"].as_u64().unwrap()).unwrap(),
                };
                assert_eq!(scaler.saved().unwrap(), expected, "{name}, step {index}");
                let weights: Vec<f64> = Vec::try_from(weight.detach().to_kind(Kind::Double)).unwrap();
                for (found, expected) in weights.iter().zip(numbers(&after["weight"])) {
                    assert!((found - expected).abs() <= 1e-7, "{name}, step {index}: {found} {expected}");
                }
            }
        }
    }

    /// With SGD: the CPU's Adam kernels read their own count of steps, which those of a GPU do not.
    #[test]
    fn a_step_of_the_scaler_reads_nothing() {
        let weight = Tensor::from_slice(&[1.0_f32]).set_requires_grad(true);
        let parameters = Parameters::new([("w".to_owned(), weight)]).unwrap();
        let config: OptimizerConfig = serde_json::from_value(json!({ "id": "sgd" })).unwrap();
        let group = config.group("default", vec!["w".to_owned()]);
        let mut optimizer = Optimizer::new(config, vec![group]).unwrap();
        let mut scaler = LossScaler::new(Device::Cpu).unwrap();
        let counter = WaitCounter::start().unwrap();
        for slope in [1.0, f64::INFINITY, 2.0] {
            step(&mut scaler, &mut optimizer, &parameters, slope);
        }
        assert_eq!(counter.count(), 0);
        assert_eq!(scaler.saved().unwrap(), SavedScaler { scale: 32768.0, good_steps: 1 });
    }

    #[test]
    fn a_saved_scaler_goes_on_where_it_was() {
        let saved = SavedScaler { scale: 1024.0, good_steps: 7 };
        let mut scaler = LossScaler::new(Device::Cpu).unwrap();
        scaler.restore(&saved).unwrap();
        assert_eq!(scaler.saved().unwrap(), saved);
    }
}
