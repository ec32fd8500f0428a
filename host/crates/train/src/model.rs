//! A plugin's model as the host holds it: tensors by name, freeze state, modes, forward and step.

mod label_range;
mod labels;
mod layout;
mod loss;
mod narrow;
mod recompute;
mod sample_losses;
mod state;
mod task;
mod weights;
mod whole_numbers;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;
use tch::{Device, Tensor};
use thaw_plugin_api::abi::abi_stable::std_types::{ROption, RVec};
use thaw_plugin_api::abi::{BoxedModel, Kind, RawTensor, contain};
use thaw_plugin_api::context::number_from_json;
use thaw_plugin_api::model::{Batch, Description, Stage, Task, Tensors};
use thaw_plugin_api::module_tree::ModuleTree;

use label_range::LabelRange;
pub use labels::LabelCounts;
use loss::ClassLoss;
pub use loss::Loss;
use narrow::Narrow;
pub use narrow::Narrowed;
pub use recompute::Tape;
pub use weights::load_weights;

use crate::config::LossConfig;
use thaw_plugins::calls::Caller;
use thaw_plugins::{Failure, PluginError, PluginSet};
use thaw_torch::reading::Reading;

/// What can fail around a model.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The plugin's code failed.
    #[error(transparent)]
    Plugin(#[from] Failure),
    /// libtorch refused something.
    #[error("model `{model}`, {what}: {message}")]
    Torch {
        /// The model's id.
        model: String,
        /// What was done.
        what: String,
        /// libtorch's words.
        message: String,
    },
    /// A tensor that the model does not have.
    #[error("model `{model}` has no parameter or buffer `{name}`")]
    NoTensor {
        /// The model's id.
        model: String,
        /// The name.
        name: String,
    },
    /// A tree that is not this model's.
    #[error("model `{model}`: {reason}")]
    Tree {
        /// The model's id.
        model: String,
        /// What differs.
        reason: String,
    },
    /// A loss for a model that computes its own.
    #[error(
        "model `{model}` computes its loss itself, in a `{step}` of its own: [loss] would have no effect. \
         Take the table out of the run config; what the model's loss can be told is among its keys in [model]"
    )]
    OwnLoss {
        /// The model's id.
        model: String,
        /// The method.
        step: &'static str,
    },
    /// Stages that are to be computed again, of a model that the host does not run stage by stage.
    #[error(
        "model `{model}` computes its loss in a `training_step` of its own, which has no stages: take \
         `activation_checkpointing` out of [trainer]"
    )]
    OwnStep {
        /// The model's id.
        model: String,
    },
    /// Stages are chosen that the model does not have.
    #[error("`activation_checkpointing` in [trainer], of model `{model}`: {reason}")]
    Stages {
        /// The model's id.
        model: String,
        /// What it has.
        reason: String,
    },
    /// Frozen weights are to be rounded, and there are none whose products are so anyway.
    #[error(
        "model `{model}`: `frozen_precision` in [trainer] is of the weights of linear and convolutional \
         layers, of which it has none by their PyTorch names; take the key out"
    )]
    Narrow {
        /// The model's id.
        model: String,
    },
    /// The generators of random numbers cannot be read or set.
    #[error(transparent)]
    Random(#[from] thaw_torch::TorchError),
    /// Data and model do not go together.
    #[error("model `{model}`: {reason}")]
    Data {
        /// The model's id.
        model: String,
        /// What does not fit, and what to do.
        reason: String,
    },
}

/// Training or validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Modules are in the mode that the freeze state says.
    Train,
    /// All modules are in evaluation mode.
    Validate,
}

/// A metric of a batch: its name, without `train_` or `val_`, and its mean over the batch.
pub type Metric = (Cow<'static, str>, Reading);

/// What a batch gave.
pub struct StepResult {
    /// The loss to go backward from, of no dimension.
    pub loss: Tensor,
    /// The model's outputs.
    pub outputs: Tensors,
    /// Metrics besides the loss. The tasks' stay on the device until they are read.
    pub metrics: Vec<Metric>,
    /// What [`HostModel::backward`] needs where activations are computed again.
    pub tape: Option<Tape>,
}

/// A model of a plugin.
pub struct HostModel {
    id: String,
    plugin: String,
    raw: BoxedModel,
    caller: Caller,
    description: Description,
    tree: ModuleTree,
    tensors: Vec<(String, Tensor)>,
    positions: HashMap<String, usize>,
    device: Device,
    phase: Phase,
    /// Whether the model may have a step of its own for training and for validation: unknown until asked
    /// once.
    own_step: [bool; 2],
    /// Modules of a fixed mode that were asked for the other one, and told of.
    told_fixed: HashSet<String>,
    /// Names of the tensors whose values came from a file of weights.
    pretrained: HashSet<String>,
    /// Labels are below this number, where the data says so.
    classes: Option<i64>,
    /// Outputs of the last step, where they are of classes.
    width: Option<i64>,
    /// Labels of the batch that comes next, where they are to be compared with its outputs.
    labels: Option<LabelRange>,
    /// The loss of its task.
    loss: Loss,
    /// What the run config says of the loss, for checkpoints.
    given_loss: Option<GivenLoss>,
    /// Which stages are computed again in the backward pass.
    recomputed: Vec<bool>,
    /// Exact values of frozen parameters that are held in another number format.
    narrow: Narrow,
    /// How often freeze state and modes changed.
    changes: u64,
    /// Whether four-dimensional weights have their channels last in memory.
    is_channels_last: bool,
}

/// A loss that the run config asks for.
#[derive(Clone, Debug, Default)]
pub struct GivenLoss {
    /// How much each class counts, in the order of the outputs.
    pub class_weights: Option<Vec<f64>>,
    /// How much the presence of each label counts, in the order of the outputs.
    pub pos_weight: Option<Vec<f64>>,
}

impl HostModel {
    /// Builds the model of an id. Initial values come from libtorch's default generator: seed it before.
    ///
    /// # Errors
    /// No plugin offers the id, or its configuration does not fit.
    pub fn create(plugins: &PluginSet, id: &str, config: &Value) -> Result<Self, PluginError> {
        let (raw, plugin) = plugins.create_model(id, config)?;
        Self::new(raw, id, &plugin)
    }

    /// A model that is made already, under its id and the name of its plugin.
    ///
    /// # Errors
    /// It does not say what it is.
    pub(crate) fn new(raw: BoxedModel, id: &str, plugin: &str) -> Result<Self, PluginError> {
        let failure = |error| {
            PluginError::from(Failure {
                plugin: plugin.to_owned(),
                kind: Kind::Model,
                id: id.to_owned(),
                hook: "describe".to_owned(),
                error,
            })
        };
        let mut caller = Caller::new(Kind::Model, id, plugin);
        let entered = caller.enter("describe");
        let text = contain(|| Ok(raw.describe().into_result()?)).map_err(failure)?;
        let description: Description = serde_json::from_str(&text).map_err(|error| failure(error.into()))?;
        let tensors: Vec<(String, Tensor)> = Tensors::from(raw.tensors()).into_iter().collect();
        drop(entered);
        if let Some((name, _)) = tensors.iter().find(|(_, tensor)| !tensor.defined()) {
            // Whoever asks tch for its type or sizes panics.
            let name = thaw_terminal::escape(name);
            let text = format!("its tensor `{name}` has no values");
            return Err(failure(thaw_plugin_api::Error::new(text)));
        }
        let positions = tensors.iter().enumerate().map(|(index, (name, _))| (name.clone(), index)).collect();
        let mut model = Self {
            id: id.to_owned(),
            plugin: plugin.to_owned(),
            raw,
            caller,
            tree: description.tree.clone(),
            description,
            tensors,
            positions,
            device: Device::Cpu,
            phase: Phase::Train,
            own_step: [true; 2],
            told_fixed: HashSet::new(),
            pretrained: HashSet::new(),
            classes: None,
            width: None,
            labels: None,
            loss: Loss::default(),
            given_loss: None,
            recomputed: Vec::new(),
            narrow: Narrow::default(),
            changes: 0,
            is_channels_last: false,
        };
        model.push_modes();
        Ok(model)
    }

    /// The id in the run config.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What the model says of itself.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The ordered split of the forward; empty where the model declares none.
    pub fn stages(&self) -> &[Stage] {
        &self.description.stages
    }

    /// What the model is trained for.
    pub fn task(&self) -> Task {
        self.description.task
    }

    /// Modules with their freeze state.
    pub fn tree(&self) -> &ModuleTree {
        &self.tree
    }

    /// Where the model's tensors are.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Every parameter and buffer in state_dict order; tied ones under each of their names.
    pub fn state_dict(&self) -> &[(String, Tensor)] {
        &self.tensors
    }

    /// A parameter or buffer by name.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn tensor(&self, name: &str) -> Result<&Tensor, ModelError> {
        let position = self
            .positions
            .get(name)
            .ok_or_else(|| ModelError::NoTensor { model: self.id.clone(), name: name.to_owned() })?;
        Ok(&self.tensors[*position].1)
    }

    /// Inputs to outputs in the present phase, through the stages `from..to`.
    ///
    /// # Errors
    /// The model refuses the inputs.
    pub fn run_stages(&mut self, from: usize, to: usize, inputs: Tensors) -> Result<Tensors, ModelError> {
        let whole = whole_numbers::names(&inputs);
        let inputs = RVec::from(inputs);
        let raw = &mut self.raw;
        let outputs = {
            let _entered = self.caller.enter("forward");
            contain(|| Ok(raw.run_stages(from, to, inputs).into_result()?))
        };
        let explained = |error| self.failure("forward", whole_numbers::explain(error, &whole));
        Ok(outputs.map_err(explained)?.into())
    }

    /// Inputs to outputs in the present phase.
    ///
    /// # Errors
    /// The model refuses the inputs.
    pub fn forward(&mut self, inputs: Tensors) -> Result<Tensors, ModelError> {
        self.run_stages(0, usize::MAX, inputs)
    }

    /// Loss, outputs and metrics of a batch: the model's own step, or the task's.
    ///
    /// # Errors
    /// The model refuses the batch, or outputs and target do not go together.
    pub fn step(&mut self, batch: &Batch) -> Result<StepResult, ModelError> {
        self.step_from(0, batch)
    }

    /// The same where the batch's inputs are what the stages before `start` gave: of a model that has no step
    /// of its own in the present phase.
    ///
    /// # Errors
    /// As [`HostModel::step`].
    pub fn step_from(&mut self, start: usize, batch: &Batch) -> Result<StepResult, ModelError> {
        let own = if start == 0 { self.own_step(batch)? } else { None };
        if let Some(output) = own {
            return self.only_its_own(output);
        }
        let inputs = shared(&batch.inputs);
        let (outputs, tape) = if self.is_recomputing() {
            let (outputs, tape) = self.forward_in_parts(start, inputs)?;
            (outputs, Some(tape))
        } else if start > 0 {
            (self.run_stages(start, self.stages().len(), inputs)?, None)
        } else {
            (self.forward(inputs)?, None)
        };
        self.check_classes(&outputs)?;
        let step = task::step(self.task(), &self.loss, batch, outputs)
            .map_err(|reason| ModelError::Data { model: self.id.clone(), reason })?;
        Ok(StepResult { tape, ..step })
    }

    /// What a step of the model's own gave, where the run config asks nothing that it does not know.
    fn only_its_own(&self, output: StepResult) -> Result<StepResult, ModelError> {
        if self.given_loss.is_some() {
            return Err(ModelError::OwnLoss { model: self.id.clone(), step: self.step_name() });
        }
        if self.is_recomputing() {
            return Err(ModelError::OwnStep { model: self.id.clone() });
        }
        Ok(output)
    }

    /// How much a batch counts in the mean that its loss is: its samples, or the weights of its labels. Of
    /// losses over parts of a batch, the mean by these weights is the loss over all of it. A model with a
    /// step of its own is taken to have a mean over samples.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn loss_weight(&self, batch: &Batch, samples: usize) -> Result<f64, ModelError> {
        let is_own = self.own_step[usize::from(self.phase == Phase::Validate)];
        let labels = batch.target.as_ref().filter(|_| !is_own && self.task() == Task::Classification);
        let weight = labels.map(|labels| self.loss.classes.weight_of(labels)).transpose();
        let weight = weight.map_err(self.torch_error("weights of labels"))?;
        Ok(weight.flatten().unwrap_or(samples as f64))
    }

    /// Whether the model has a step of its own for batches such as this one, in the present phase.
    ///
    /// # Errors
    /// It fails at the batch.
    pub fn has_own_step(&mut self, batch: &Batch) -> Result<bool, ModelError> {
        Ok(self.own_step(batch)?.is_some())
    }

    /// Takes the loss that the run config asks for in place of the task's own. A model with a step of its own
    /// refuses it at its first batch.
    ///
    /// # Errors
    /// The weights cannot be brought to the model's device.
    pub fn set_loss(&mut self, config: &LossConfig, given: GivenLoss) -> Result<(), ModelError> {
        let to_tensor = |weights: &Vec<f64>| {
            Tensor::f_from_slice(weights)?.f_to_kind(tch::Kind::Float)?.f_to_device(self.device)
        };
        let weight = given.class_weights.as_ref().map(to_tensor).transpose();
        let weight = weight.map_err(self.torch_error("class weights"))?;
        let pos_weight = given.pos_weight.as_ref().map(to_tensor).transpose();
        let pos_weight = pos_weight.map_err(self.torch_error("weights of labels"))?;
        self.loss = Loss::new(config, weight, pos_weight);
        self.given_loss = Some(given);
        Ok(())
    }

    /// Whether samples may have several labels, each of which the model says for itself.
    pub fn is_multi_label(&self) -> bool {
        matches!(self.loss.classes, ClassLoss::Bce { .. })
    }

    /// How much each class counts in the loss; None where all count alike.
    pub fn class_weights(&self) -> Option<&[f64]> {
        let given = self.given_loss.as_ref()?;
        given.class_weights.as_deref().or(given.pos_weight.as_deref())
    }

    /// Looks at the target of a batch, on the CPU as the data gave it, before it goes to the device.
    /// `sample` names the one of a row. Labels that are classes are compared with the outputs of the step
    /// that follows, before they meet a kernel.
    ///
    /// # Errors
    /// A number of the target is none; or the loss is of several labels, and one is not from 0 to 1.
    pub fn check_labels(
        &mut self,
        target: Option<&Tensor>,
        sample: impl Fn(usize) -> String,
    ) -> Result<(), ModelError> {
        self.labels = None;
        let Some(target) = target else { return Ok(()) };
        if self.is_multi_label() && target.dim() == 2 {
            let refused = label_range::outside_shares(target).map_err(self.torch_error("labels"))?;
            let Some((row, number)) = refused else { return Ok(()) };
            return Err(self.refused_data(format!(
                "`kind = \"bce\"` in [loss] needs targets from 0 to 1, of which 1 says that a label is \
                 there, found {number} of sample {}",
                sample(row)
            )));
        }
        if let Some((row, number)) = label_range::not_finite(target).map_err(self.torch_error("labels"))? {
            return Err(self.refused_data(format!(
                "sample {} has {number} in its target, where a number is needed: mend it, or leave the \
                 sample out",
                sample(row)
            )));
        }
        if self.task() == Task::Classification && !self.is_multi_label() {
            self.labels = LabelRange::of(target, self.width, sample).map_err(self.torch_error("labels"))?;
        }
        Ok(())
    }

    fn refused_data(&self, reason: String) -> ModelError {
        ModelError::Data { model: self.id.clone(), reason }
    }

    /// Says how many classes the data has: fewer outputs than that are refused before a label meets a kernel.
    /// 0 says nothing.
    pub fn expect_classes(&mut self, classes: usize) {
        self.classes = i64::try_from(classes).ok().filter(|classes| *classes > 0);
    }

    /// Compares numbers that the host knows: no device is waited for.
    fn check_classes(&mut self, outputs: &Tensors) -> Result<(), ModelError> {
        let logits = outputs.iter().next().map(|(_, logits)| logits.size());
        let Some([_, width]) = logits.as_deref() else { return Ok(()) };
        if self.task() != Task::Classification {
            return Ok(());
        }
        self.width = Some(*width);
        if let Some(reason) = self.labels.take().and_then(|labels| labels.refusal(*width)) {
            return Err(self.refused_data(reason));
        }
        let Some(classes) = self.classes.filter(|classes| classes > width) else { return Ok(()) };
        let reason = format!(
            "the data has {classes} classes, so that a label is outside 0..{width}: the model has {width} \
             classes, set num_classes to {classes}"
        );
        Err(ModelError::Data { model: self.id.clone(), reason })
    }

    fn step_name(&self) -> &'static str {
        match self.phase {
            Phase::Train => "training_step",
            Phase::Validate => "validation_step",
        }
    }

    fn own_step(&mut self, batch: &Batch) -> Result<Option<StepResult>, ModelError> {
        let phase = usize::from(self.phase == Phase::Validate);
        if !self.own_step[phase] {
            return Ok(None);
        }
        let whole = whole_numbers::names(&batch.inputs);
        let inputs = RVec::from(shared(&batch.inputs));
        let target = batch.target.as_ref().map(|target| RawTensor::from(target.shallow_clone()));
        let hook = self.step_name();
        let raw = &mut self.raw;
        let step = {
            let _entered = self.caller.enter(hook);
            contain(|| Ok(raw.step(phase as u32, inputs, ROption::from(target)).into_result()?))
        };
        let explained = |error| self.failure(hook, whole_numbers::explain(error, &whole));
        let Some(step) = step.map_err(explained)?.into_option() else {
            self.own_step[phase] = false;
            return Ok(None);
        };
        let metrics: Vec<(String, Value)> =
            serde_json::from_str(&step.metrics).map_err(|error| self.failure(hook, error.into()))?;
        // Null is what a plugin of 1.0 writes for a number that is not finite.
        let metrics = metrics
            .into_iter()
            .map(|(name, value)| (name.into(), Reading::Known(number_from_json(&value).unwrap_or(f64::NAN))))
            .collect();
        Ok(Some(StepResult { loss: step.loss.into(), outputs: step.outputs.into(), metrics, tape: None }))
    }

    fn failure(&self, hook: &str, error: thaw_plugin_api::Error) -> Failure {
        Failure {
            plugin: self.plugin.clone(),
            kind: Kind::Model,
            id: self.id.clone(),
            hook: hook.to_owned(),
            error,
        }
    }

    fn torch_error(&self, what: &str) -> impl FnOnce(tch::TchError) -> ModelError {
        let (model, what) = (self.id.clone(), what.to_owned());
        move |error| ModelError::Torch {
            model,
            what,
            message: thaw_torch::short_message(&error.to_string()).to_owned(),
        }
    }
}

/// The same tensors for one more owner.
pub fn shared(tensors: &Tensors) -> Tensors {
    tensors.iter().map(|(name, tensor)| (name.to_owned(), tensor.shallow_clone())).collect()
}
