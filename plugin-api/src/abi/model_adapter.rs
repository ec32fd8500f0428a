//! A [`Model`] behind the boundary (feature `torch`).

use std::mem::ManuallyDrop;

use abi_stable::sabi_trait::TD_Opaque;
use abi_stable::std_types::{RBox, ROption, RSlice, RStr, RString, RVec};
use serde_json::Value;
use tch::Tensor;

use super::{
    BoxedModel, DropContained, RawError, RawModel, RawModel_TO, RawNamedTensor, RawResult, RawStep,
    RawTensor, TorchVersions, contain,
};
use crate::config::{Config as _, parse};
use crate::context::number_to_json;
use crate::error::{Error, Result};
use crate::model::{Batch, Description, Model, Tensors};
use crate::nn::{self, Registry};

/// tch's version, as `Cargo.toml` pins it.
const TCH: &str = "0.24";

/// libtorch and tch as this code was built with them.
pub fn torch_versions() -> TorchVersions {
    TorchVersions {
        libtorch: env!("THAW_LIBTORCH").to_owned(),
        tch: TCH.to_owned(),
        cxx11_abi: env!("THAW_CXX11_ABI") == "1",
    }
}

impl From<Tensor> for RawTensor {
    fn from(tensor: Tensor) -> Self {
        // The handle moves on; the receiver drops it.
        Self::from_raw(ManuallyDrop::new(tensor).as_mut_ptr().cast())
    }
}

impl From<RawTensor> for Tensor {
    fn from(raw: RawTensor) -> Self {
        // SAFETY: the handle was given by the conversion above on one side of the boundary, is owned by
        // exactly one side, and both share one libtorch (compared when the plugin was loaded).
        unsafe { Self::from_ptr(raw.into_raw().cast()) }
    }
}

impl From<RVec<RawNamedTensor>> for Tensors {
    fn from(raw: RVec<RawNamedTensor>) -> Self {
        raw.into_iter().map(|named| (named.name.into_string(), named.tensor.into())).collect()
    }
}

impl From<Tensors> for RVec<RawNamedTensor> {
    fn from(tensors: Tensors) -> Self {
        tensors
            .into_iter()
            .map(|(name, tensor)| RawNamedTensor { name: name.into(), tensor: tensor.into() })
            .collect()
    }
}

/// Builds a model by its configuration (JSON).
pub fn create<M: Model>(config: RStr<'_>) -> RawResult<BoxedModel> {
    let adapter = contain(|| {
        let config = parse::<M::Config>(config.as_str())?;
        let resolved = config.to_value();
        let root = nn::Path::root();
        let model = M::new(config, &root)?;
        let stages = model.stages().into_iter().map(|stage| stage.name).collect();
        Ok(Adapter {
            model: DropContained::new(model),
            config: resolved,
            registry: root.into_registry(),
            stages,
        })
    });
    adapter.map(|adapter| RawModel_TO::from_ptr(RBox::new(adapter), TD_Opaque)).map_err(RawError::from).into()
}

struct Adapter<M> {
    model: DropContained<M>,
    config: Value,
    registry: Registry,
    stages: Vec<String>,
}

impl<M: Model> Adapter<M> {
    fn run(&self, from: usize, to: usize, inputs: Tensors) -> Result<Tensors> {
        // All stages at once are the model's forward, which may be written without stages.
        if from == 0 && to >= self.stages.len() {
            return self.model.forward(inputs);
        }
        let outside = || {
            Error::new(format_args!(
                "the stages {from}..{to} were asked for, there are {}",
                self.stages.len()
            ))
        };
        let stages = self.stages.get(from..to).ok_or_else(outside)?;
        stages.iter().try_fold(inputs, |inputs, stage| self.model.run_stage(stage, inputs))
    }
}

impl<M: Model> RawModel for Adapter<M> {
    fn describe(&self) -> RawResult<RString> {
        let text = contain(|| {
            let description = Description {
                tree: self.registry.tree()?.with_stages(self.model.stages()),
                stages: self.model.stages(),
                task: self.model.task(),
                precisions: self.model.precisions(),
                input: self.model.input_defaults(),
                optimizer: self.model.default_optimizer(),
                weight_aliases: self.model.weight_aliases(),
                unused_weights: self.model.unused_weights(),
                position_grids: self.model.position_grids(),
                weight_notes: self.model.weight_notes(),
                num_classes: self.model.num_classes(),
                class_names: self.model.class_names(),
                config: Some(self.config.clone()),
            };
            Ok(serde_json::to_string(&description)?)
        });
        text.map(RString::from).map_err(RawError::from).into()
    }

    fn tensors(&self) -> RVec<RawNamedTensor> {
        // Without any, the host misses the first one of the tree, and says which.
        let named = contain(|| Ok(self.registry.tensors())).unwrap_or_else(|error| {
            tracing::error!("the model's tensors: {error}");
            Vec::new()
        });
        let raw =
            |(name, tensor): (String, Tensor)| RawNamedTensor { name: name.into(), tensor: tensor.into() };
        named.into_iter().map(raw).collect()
    }

    fn set_modes(&mut self, modes: RSlice<'_, u8>) {
        let set = contain(|| {
            self.registry.set_modes(modes.as_slice());
            Ok(())
        });
        if let Err(error) = set {
            tracing::error!("the modes of the model's modules: {error}");
        }
    }

    fn run_stages(
        &mut self,
        from: usize,
        to: usize,
        inputs: RVec<RawNamedTensor>,
    ) -> RawResult<RVec<RawNamedTensor>> {
        contain(|| self.run(from, to, inputs.into())).map(RVec::from).map_err(RawError::from).into()
    }

    fn step(
        &mut self,
        phase: u32,
        inputs: RVec<RawNamedTensor>,
        target: ROption<RawTensor>,
    ) -> RawResult<ROption<RawStep>> {
        let step = contain(|| {
            let batch = Batch { inputs: inputs.into(), target: target.into_option().map(Tensor::from) };
            let output = if phase == 0 {
                self.model.training_step(&batch)?
            } else {
                self.model.validation_step(&batch)?
            };
            let Some(output) = output else { return Ok(None) };
            let metrics: Vec<_> =
                output.metrics.into_iter().map(|(name, value)| (name, number_to_json(value))).collect();
            let metrics = serde_json::to_string(&metrics)?;
            Ok(Some(RawStep {
                loss: output.loss.into(),
                outputs: output.outputs.into(),
                metrics: metrics.into(),
            }))
        });
        step.map(ROption::from).map_err(RawError::from).into()
    }
}
