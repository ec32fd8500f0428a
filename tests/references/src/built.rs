//! A model with everything that the host sees of it.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use thaw_plugin_api::abi::{BoxedModel, create_model};
use thaw_plugin_api::model::{Description, Model, Stage, Tensors};
use thaw_plugin_api::module_tree::{Module, ModuleTree};
use thaw_plugin_api::nn::Mode;
use thaw_plugin_api::tch::{self, Device, Kind, Tensor};

use crate::reference::shape;
use crate::{Deviation, Outcome, Reference, formula};

/// A model behind the plugin boundary, in training mode at first.
pub struct Built {
    raw: BoxedModel,
    description: Description,
    tensors: Vec<(String, Tensor)>,
    positions: HashMap<String, usize>,
    device: Device,
    /// Of its float tensors.
    kind: Kind,
}

impl Built {
    /// Builds a model in process.
    ///
    /// # Errors
    /// The configuration is refused; the text is the model's.
    pub fn new<M: Model>(config: &Value) -> Result<Self, String> {
        let raw = create_model::<M>(config.to_string().as_str().into()).into_result().map_err(message)?;
        Self::from_raw(raw)
    }

    /// Takes a model that a plugin file gave.
    ///
    /// # Errors
    /// It cannot be described.
    pub fn from_raw(raw: BoxedModel) -> Result<Self, String> {
        let text = raw.describe().into_result().map_err(message)?;
        let description = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let tensors: Vec<(String, Tensor)> = Tensors::from(raw.tensors()).into_iter().collect();
        let positions = tensors.iter().enumerate().map(|(index, (name, _))| (name.clone(), index)).collect();
        Ok(Self { raw, description, tensors, positions, device: Device::Cpu, kind: Kind::Float })
    }

    /// The same model on a device; inputs and labels follow it.
    ///
    /// # Errors
    /// The device's memory is too small.
    pub fn on(mut self, device: Device) -> Result<Self, String> {
        let _guard = tch::no_grad_guard();
        for (name, tensor) in &mut self.tensors {
            let moved = tensor.f_to_device(device).and_then(|moved| tensor.f_set_data(&moved));
            moved.map_err(|error| format!("moving `{name}` to {device:?}: {error}"))?;
        }
        self.device = device;
        Ok(self)
    }

    /// Computes in `kind` from here on: float parameters, buffers and inputs are converted, as
    /// `nn.Module.to(dtype)` does.
    ///
    /// # Errors
    /// A tensor cannot be converted.
    pub fn convert(&mut self, kind: Kind) -> Result<(), String> {
        let _guard = tch::no_grad_guard();
        for (name, tensor) in &mut self.tensors {
            if tensor.kind() == self.kind {
                let converted = tensor.f_to_kind(kind).and_then(|converted| tensor.f_set_data(&converted));
                converted.map_err(|error| format!("converting `{name}` to {kind:?}: {error}"))?;
            }
        }
        self.kind = kind;
        Ok(())
    }

    /// Where the model is.
    pub fn device(&self) -> Device {
        self.device
    }

    /// What the model says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The tree as built.
    pub fn tree(&self) -> &ModuleTree {
        &self.description.tree
    }

    /// The ordered split of the forward.
    pub fn stages(&self) -> &[Stage] {
        &self.description.stages
    }

    /// Every parameter and buffer in state_dict order.
    pub fn tensors(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    /// A parameter or buffer by its name.
    pub fn tensor(&self, name: &str) -> &Tensor {
        let position = self.positions.get(name).unwrap_or_else(|| panic!("there is no `{name}`"));
        &self.tensors[*position].1
    }

    /// Gives every float tensor its formula's values, under the name that `rename` gives it, and sets the
    /// counters of batch norms to zero.
    pub fn fill(&mut self, gain: f64, rename: impl Fn(&str) -> String) {
        let _guard = tch::no_grad_guard();
        for (name, tensor) in &mut self.tensors {
            if tensor.kind() != Kind::Int64 {
                tensor.copy_(&formula::values(&rename(name), &tensor.size(), gain));
            } else if name.ends_with("num_batches_tracked") {
                let _ = tensor.zero_();
            }
        }
    }

    /// Puts every module into training or evaluation mode.
    pub fn set_training(&mut self, training: bool) {
        self.set_modes(|_| training);
    }

    /// Puts those modules into training mode of which `training` says so.
    pub fn set_modes(&mut self, training: impl Fn(&Module) -> bool) {
        let modes: Vec<u8> =
            self.tree().modules().iter().map(|module| Mode::to_bits(training(module), true)).collect();
        self.set_raw_modes(&modes);
    }

    /// Sets every module's mode in tree order, as [`Mode::to_bits`] gives it.
    pub fn set_raw_modes(&mut self, modes: &[u8]) {
        self.raw.set_modes(modes.into());
    }

    /// Makes those parameters trainable whose name `trainable` takes.
    pub fn set_trainable(&mut self, trainable: impl Fn(&str) -> bool) {
        let parameters: HashSet<&str> =
            self.description.tree.parameters().map(|parameter| parameter.name.as_str()).collect();
        for (name, tensor) in &self.tensors {
            if tensor.is_leaf() && parameters.contains(name.as_str()) {
                let _ = tensor.set_requires_grad(trainable(name));
            }
        }
    }

    /// Inputs to outputs in the present modes.
    ///
    /// # Errors
    /// The model refuses the inputs.
    pub fn forward(&mut self, inputs: Tensors) -> Result<Tensors, String> {
        self.run_stages(0, usize::MAX, inputs)
    }

    /// Runs the stages `from..to`.
    ///
    /// # Errors
    /// The model refuses the inputs.
    pub fn run_stages(&mut self, from: usize, to: usize, inputs: Tensors) -> Result<Tensors, String> {
        let inputs: Tensors = inputs.into_iter().map(|(name, tensor)| (name, self.input(&tensor))).collect();
        self.raw.run_stages(from, to, inputs.into()).into_result().map(Tensors::from).map_err(message)
    }

    /// An input where the model is, and as it computes.
    pub(crate) fn input(&self, tensor: &Tensor) -> Tensor {
        let tensor = tensor.to_device(self.device);
        if tensor.is_floating_point() { tensor.to_kind(self.kind) } else { tensor }
    }

    /// Compares names, order, shapes and kinds with the reference's `state_dict` and `modules`.
    ///
    /// # Errors
    /// The first that differs.
    pub fn check_names(&self, reference: &Reference) -> Outcome {
        let json = reference.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ours: Vec<_> = self
            .tree()
            .modules()
            .iter()
            .flat_map(|module| {
                let parameters = module
                    .parameters
                    .iter()
                    .map(|parameter| (parameter.name.clone(), parameter.shape.clone(), "parameter"));
                parameters.chain(
                    module.buffers.iter().map(|buffer| (buffer.name.clone(), buffer.shape.clone(), "buffer")),
                )
            })
            .map(|(name, shape, kind)| (name, shape, kind.to_owned()))
            .collect();
        let rows =
            |key: &str| Ok::<_, String>(reference.recorded(json, key)?.as_array().into_iter().flatten());
        let theirs: Vec<_> = rows("state_dict")?
            .map(|row| (text(&row["name"]), shape(&row["shape"]), text(&row["kind"])))
            .collect();
        same_lists("state_dict", &ours, &theirs)?;
        let names = self.tensors.iter().map(|(name, tensor)| (name, tensor.size()));
        if let Some((ours, theirs)) =
            ours.iter().zip(names).find(|(ours, theirs)| ours.0 != *theirs.0 || ours.1 != theirs.1)
        {
            return Err(format!("the module tree has {ours:?}, where the tensors have {theirs:?}"));
        }
        let ours: Vec<_> = self
            .tree()
            .modules()
            .iter()
            .skip(1)
            .map(|module| (module.path.clone(), module.kind.clone()))
            .collect();
        // Of a TorchScript file the children are recorded, which are compared elsewhere.
        if json["children"].is_null() {
            let theirs: Vec<_> =
                rows("modules")?.map(|row| (text(&row["name"]), text(&row["class"]))).collect();
            same_lists("modules", &ours, &theirs)?;
        }
        Ok(Deviation::default())
    }

    /// Runs the reference's inputs in evaluation mode and compares every output.
    ///
    /// # Errors
    /// The first value that differs.
    pub fn check_eval(&mut self, reference: &Reference) -> Outcome {
        self.set_training(false);
        let outputs = tch::no_grad(|| self.forward(reference.inputs()))?;
        let names: Vec<&str> = outputs.iter().map(|(name, _)| name).collect();
        let mut deviation = Deviation::default();
        for name in reference.output_names()? {
            let ours = outputs
                .find(&name)
                .ok_or_else(|| format!("there is no output `{name}`, there are {names:?}"))?;
            deviation.join(reference.check_output(&name, ours)?);
        }
        Ok(deviation)
    }

    /// Runs the stages one by one in evaluation mode and compares the first tensor of those that `module_of`
    /// names with the recorded activation. What the last stage gives must be what the forward gives, bit by
    /// bit.
    ///
    /// # Errors
    /// The first stage that differs.
    pub fn check_stages(
        &mut self,
        reference: &Reference,
        module_of: impl Fn(&Stage) -> Option<String>,
    ) -> Outcome {
        self.set_training(false);
        let _guard = tch::no_grad_guard();
        let mut tensors = reference.inputs();
        let mut deviation = Deviation::default();
        for (index, stage) in self.stages().to_vec().iter().enumerate() {
            tensors = self.run_stages(index, index + 1, tensors)?;
            if let Some(module) = module_of(stage) {
                let found =
                    reference.check_activation(&module, tensors.first().map_err(|error| error.to_string())?);
                deviation.join(found.map_err(|difference| format!("stage `{}`, {difference}", stage.name))?);
            }
        }
        let whole = self.forward(reference.inputs())?;
        let same = |name: &str, ours: &Tensor| tensors.find(name).is_some_and(|theirs| theirs.equal(ours));
        match whole.iter().find(|(name, output)| !same(name, output)) {
            Some((name, _)) if !self.stages().is_empty() => {
                Err(format!("output `{name}` of the stages, one by one, is not that of the forward"))
            }
            _ => Ok(deviation),
        }
    }
}

fn message(error: thaw_plugin_api::abi::RawError) -> String {
    thaw_plugin_api::Error::from(error).to_string()
}

fn same_lists<T: std::fmt::Debug + PartialEq>(what: &str, ours: &[T], theirs: &[T]) -> Result<(), String> {
    for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        if ours != theirs {
            return Err(format!("{what}, entry {index}: {ours:?}, the reference has {theirs:?}"));
        }
    }
    if ours.len() == theirs.len() {
        return Ok(());
    }
    let rest = ours.get(theirs.len()).or(theirs.get(ours.len()));
    Err(format!(
        "{what} has {} entries, the reference {}: the first that one of them lacks is {rest:?}",
        ours.len(),
        theirs.len()
    ))
}
