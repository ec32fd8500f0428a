//! The host's side of a fake run: freeze state, groups, metrics, and what hooks ask for.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;

use serde_json::{Value, json};

use super::Event;
use super::run::OfName;
use super::sets::FakeTensor;
use crate::audit::{as_error, audit};
use crate::context::{Numbers, OUTPUTS, Progress, Request, Services, TARGETS, no_outcome, number_to_json};
use crate::error::{Error, Result};
use crate::module_tree::ModuleTree;
use crate::optimizer::{Optimizer, no_optimizer, set_lr};
use crate::tensor_sets::TensorSets;

/// What the fake run knows and hooks see.
pub(super) struct Host {
    pub progress: Progress,
    pub tree: ModuleTree,
    pub optimizer: Option<Optimizer>,
    pub metrics: BTreeMap<String, f64>,
    pub loss: Option<f64>,
    /// Outputs and targets of the batch of validation that is done, and its position.
    pub outcome: Option<(Numbers, Option<Numbers>)>,
    pub exception: Option<String>,
    /// Whether every trainable parameter must be in a group.
    pub audited: bool,
    pub stop: Option<String>,
    /// Whether somebody asked for a validation.
    pub validate: bool,
    pub checkpoints: BTreeSet<String>,
    pub logged: Vec<(String, f64)>,
    pub events: Vec<Event>,
    /// Copies of tensors that hooks asked to be kept.
    pub sets: TensorSets<FakeTensor>,
    /// Handles of tensors, where somebody has them.
    pub tensors: Option<OfName>,
    /// Those that hooks asked for where nobody has them.
    #[cfg(feature = "torch")]
    pub values: super::values::Values,
}

impl Host {
    pub fn new(tree: ModuleTree) -> Self {
        Self {
            progress: Progress::default(),
            tree,
            optimizer: None,
            metrics: BTreeMap::new(),
            loss: None,
            outcome: None,
            exception: None,
            audited: true,
            stop: None,
            validate: false,
            checkpoints: BTreeSet::new(),
            logged: Vec::new(),
            events: Vec::new(),
            sets: TensorSets::default(),
            tensors: None,
            #[cfg(feature = "torch")]
            values: Default::default(),
        }
    }

    pub fn event(&mut self, what: impl Into<String>) {
        let Progress { epoch, global_step, .. } = self.progress;
        self.events.push(Event { epoch, global_step, what: what.into() });
    }

    /// The invariant of fine-tuning, as soon as there are groups.
    pub fn audit(&self) -> Result<()> {
        match &self.optimizer {
            Some(optimizer) if self.audited => match audit(&self.tree, optimizer.groups()).as_slice() {
                [] => Ok(()),
                findings => Err(as_error(findings)),
            },
            _ => Ok(()),
        }
    }

    fn apply(&mut self, model: Option<ModuleTree>, optimizer: Option<Optimizer>) -> Result<()> {
        let before = (self.tree.clone(), self.optimizer.clone());
        if let Some(mut model) = model {
            let paths = |tree: &ModuleTree| {
                tree.modules().iter().map(|module| module.path.clone()).collect::<Vec<_>>()
            };
            if paths(&model) != paths(&self.tree) {
                return Err(Error::new("the tree has other modules than the model"));
            }
            model.mark_unchanged();
            self.tree = model;
        }
        if let Some(mut optimizer) = optimizer {
            optimizer.check()?;
            optimizer.mark_unchanged();
            self.optimizer = Some(optimizer);
        }
        self.audit().inspect_err(|_| (self.tree, self.optimizer) = before)
    }

    fn answer(&mut self, request: Request) -> Result<Value> {
        match request {
            Request::Model => return Ok(serde_json::to_value(&self.tree)?),
            Request::Optimizer => {
                return Ok(serde_json::to_value(self.optimizer.as_ref().ok_or_else(no_optimizer)?)?);
            }
            Request::Metrics => return Ok(self.known_metrics()),
            Request::Loss => return Ok(self.loss.map_or(Value::Null, number_to_json)),
            Request::Exception => return Ok(json!(self.exception)),
            Request::Log { name, value } => {
                self.metrics.insert(name.clone(), value);
                self.logged.push((name, value));
            }
            Request::Stop { reason } => {
                self.event(format!("stop {reason}"));
                self.stop.get_or_insert(reason);
            }
            Request::SaveCheckpoint { name } => {
                self.event(format!("save-checkpoint {name}"));
                self.checkpoints.insert(name.to_string());
            }
            Request::Validate => self.ask_to_validate()?,
            Request::UpdateBatchNorms => self.event("update-batch-norms"),
            Request::RestoreWeights { checkpoint, .. } => self.restore_weights(&checkpoint)?,
            Request::SetLr { group, lr } => {
                let optimizer = self.optimizer.as_mut().ok_or_else(no_optimizer)?;
                set_lr(optimizer.groups_mut(), &group, lr)?;
            }
            Request::Apply { model, optimizer } => self.apply(model, optimizer)?,
            Request::RestartScheduler { settings, .. } => {
                let id = settings.as_ref().and_then(|settings| settings["id"].as_str());
                self.event(format!("restart-scheduler {}", id.unwrap_or("of the run")));
            }
            Request::ReplaceOptimizer { id, .. } => {
                self.event(format!("replace-optimizer {id}"));
                let own = self.optimizer.as_ref().ok_or_else(no_optimizer)?;
                self.optimizer = Some(own.replaced_by(id));
            }
            Request::TensorSet { name, action } => {
                return Ok(serde_json::to_value(self.act_on_set(&name, &action)?)?);
            }
            Request::BatchSamples => return self.sample_names(),
            Request::BatchNumbers { name } => return Ok(serde_json::to_value(self.numbers(&name)?)?),
            Request::Libtorch => return libtorch(),
            // A fake run knows no schedulers, no options, and no metrics but those that it is given.
            Request::CheckSettings { .. } | Request::Note { .. } | Request::Monitor { .. } => {}
        }
        Ok(Value::Null)
    }

    /// Samples are rows, counted over batches of as many.
    fn sample_names(&self) -> Result<Value> {
        let samples = self.outcome.as_ref().ok_or_else(no_outcome)?.0.samples();
        let first = self.progress.batch_index * samples;
        Ok((first..first + samples).map(|row| row.to_string()).collect())
    }

    fn numbers(&self, name: &str) -> Result<Numbers> {
        let (outputs, targets) = self.outcome.as_ref().ok_or_else(no_outcome)?;
        match name.strip_prefix(OUTPUTS) {
            Some("") => Ok(outputs.clone()),
            None if name == TARGETS => Ok(targets.clone().unwrap_or_default()),
            _ => Err(Error::new(format_args!("a fake run has one output, and none of the name `{name}`"))),
        }
    }

    fn known_metrics(&self) -> Value {
        self.metrics.iter().map(|(name, value)| (name.clone(), number_to_json(*value))).collect()
    }

    fn ask_to_validate(&mut self) -> Result<()> {
        if self.progress.num_validation_batches == 0 {
            return Err(Error::new("the run has no validation data"));
        }
        self.event("validate");
        self.validate = true;
        Ok(())
    }

    fn restore_weights(&mut self, checkpoint: &str) -> Result<()> {
        if !self.checkpoints.contains(checkpoint) {
            let known: Vec<&str> = self.checkpoints.iter().map(String::as_str).collect();
            let message = format!("this run has no checkpoint `{checkpoint}`, it has: {}", known.join(", "));
            return Err(Error::new(message));
        }
        self.event(format!("restore-weights {checkpoint}"));
        Ok(())
    }
}

#[cfg(feature = "torch")]
fn libtorch() -> Result<Value> {
    Ok(serde_json::to_value(crate::abi::torch_versions())?)
}

#[cfg(not(feature = "torch"))]
fn libtorch() -> Result<Value> {
    Err(Error::new("this fake run has no libtorch: give `thaw-plugin-api` the feature `torch`"))
}

impl Host {
    #[cfg(feature = "torch")]
    fn own_tensor(&mut self, name: &str) -> Result<*mut c_void> {
        self.values.tensor(&self.tree, name)
    }

    #[cfg(not(feature = "torch"))]
    fn own_tensor(&mut self, name: &str) -> Result<*mut c_void> {
        self.tree.parameter(name)?;
        Err(Error::new(format_args!("a fake model has no tensors, `{name}` neither")))
    }

    /// An optimizer step: values of what trains are moved.
    pub fn move_values(&mut self) -> Result<()> {
        #[cfg(feature = "torch")]
        self.values.step(&self.tree, self.progress.global_step + 1)?;
        Ok(())
    }

    /// The sum of the values of each tensor that hooks asked for, and of what they have kept.
    pub fn sums(&self) -> Result<Vec<(String, f64)>> {
        #[cfg(feature = "torch")]
        return Ok([self.values.sums()?, self.sums_of_sets()?].concat());
        #[cfg(not(feature = "torch"))]
        Ok(Vec::new())
    }
}

impl Services for Host {
    fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        let request = Request::parse(operation, payload)?;
        self.answer(request)
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        #[cfg(feature = "torch")]
        if name.starts_with(OUTPUTS) || name == TARGETS {
            return super::values::tensor_of(&self.numbers(name)?, name == TARGETS);
        }
        if let Some(tensors) = &mut self.tensors {
            return tensors(name);
        }
        self.own_tensor(name)
    }
}
