//! What hooks can look at of a batch of validation that is done.

use std::sync::Arc;

use serde_json::{Value, json};
use tch::{Device, Kind, TchError, Tensor};
use thaw_plugin_api::abi::RawTensor;
use thaw_plugin_api::context::{Numbers, OUTPUTS, TARGETS, no_outcome};
use thaw_plugin_api::model::Tensors;
use thaw_plugin_api::{Error, Result};

use thaw_data::Dataset;

/// Outputs and targets of a batch, and which samples it had. Nothing is copied before a hook asks.
pub struct Outcome {
    outputs: Tensors,
    target: Option<Tensor>,
    samples: Vec<usize>,
    data: Option<Arc<dyn Dataset>>,
}

impl Outcome {
    /// Of samples of `data` by their numbers.
    pub fn new(
        outputs: Tensors,
        target: Option<&Tensor>,
        samples: &[usize],
        data: Option<Arc<dyn Dataset>>,
    ) -> Self {
        Self { outputs, target: target.map(Tensor::shallow_clone), samples: samples.to_vec(), data }
    }

    /// What its samples are called.
    pub fn samples(&self) -> Value {
        let name = |index: &usize| self.data.as_ref().map_or(index.to_string(), |data| data.identity(*index));
        json!(self.samples.iter().map(name).collect::<Vec<_>>())
    }

    /// The numbers that a hook asks for by this name; none of targets that are not there.
    ///
    /// # Errors
    /// There is no such output, or the device failed.
    pub fn numbers(&self, name: &str) -> Result<Value> {
        let numbers = match self.find(name)? {
            Some(tensor) => numbers(tensor).map_err(Error::new)??,
            None => Numbers::default(),
        };
        Ok(serde_json::to_value(numbers)?)
    }

    /// The handle of a tensor that a hook asks for by this name.
    ///
    /// # Errors
    /// There is no such tensor.
    pub fn tensor(&self, name: &str) -> Result<*mut std::ffi::c_void> {
        let tensor = self.find(name)?.ok_or_else(|| Error::new("the batch has no targets"))?;
        Ok(RawTensor::from(tensor.shallow_clone()).into_raw())
    }

    fn find(&self, name: &str) -> Result<Option<&Tensor>> {
        match name.strip_prefix(OUTPUTS) {
            Some("") => self.outputs.first().map(Some),
            Some(output) => self.outputs.get(output.trim_start_matches('/')).map(Some),
            None if name == TARGETS => Ok(self.target.as_ref()),
            None => Err(no_outcome()),
        }
    }
}

/// Whether a hook asks for a tensor of a batch, and not of the model.
pub fn is_of_batch(name: &str) -> bool {
    name.starts_with(OUTPUTS) || name.starts_with(TARGETS)
}

fn numbers(tensor: &Tensor) -> std::result::Result<Result<Numbers>, TchError> {
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
    let tensor = if tensor.dim() == 0 { tensor.f_reshape([1])? } else { tensor };
    let shape: Vec<usize> = tensor.size().iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect();
    Ok(Numbers::new(&shape, Vec::<f32>::try_from(tensor.f_reshape([-1])?)?))
}
