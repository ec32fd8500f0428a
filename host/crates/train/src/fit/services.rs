//! What hooks can ask of the run.

use std::ffi::c_void;

use serde_json::{Value, json};
use thaw_plugin_api::abi::{RawTensor, torch_versions};
use thaw_plugin_api::context::{CheckpointName, Request, Services, no_outcome, number_to_json};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::{Optimizer as View, no_optimizer, set_lr};
use thaw_plugin_api::tensor_sets::{SetAction, SetState};
use thaw_plugin_api::{Error, Result};

use super::state::{Trained, restore_optimizer_state, restored_sets, values_of};
use super::{BatchOutcome, Monitored, RunState, is_of_batch};
use crate::checkpoint::{BEST, Checkpoint, LAST};
use crate::parts::{check_settings, replace_optimizer};
use thaw_optim::scheduler::Restart;
use thaw_weights::{apply, plan_checkpoint, read};

/// Names that the loop itself logs.
const RESERVED: [&str; 3] = ["epoch", "step", "batch"];

impl Services for RunState {
    fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        match Request::parse(operation, payload)? {
            Request::Model => return Ok(serde_json::to_value(self.trained.model.tree())?),
            Request::Optimizer => return Ok(serde_json::to_value(self.optimizer_view()?)?),
            Request::Metrics => {
                let metrics =
                    self.measured.metrics.iter().map(|(name, value)| (name.clone(), number_to_json(*value)));
                return Ok(Value::Object(metrics.collect()));
            }
            Request::Loss => {
                self.read_all()?;
                return Ok(self.measured.loss.map_or(Value::Null, number_to_json));
            }
            Request::BatchSamples => return Ok(self.outcome()?.samples()),
            Request::BatchNumbers { name } => return self.outcome()?.numbers(&name),
            Request::Exception => return Ok(json!(self.position.exception)),
            Request::Log { name, value } => self.log(name, value)?,
            Request::Stop { reason } => self.ask_to_stop(reason),
            Request::SaveCheckpoint { name } => self.requests.checkpoints.push(name),
            Request::Validate => {
                if self.progress().num_validation_batches == 0 {
                    return Err(Error::new("the run has no validation data"));
                }
                self.requests.validate = true;
            }
            Request::UpdateBatchNorms => self.requests.norms = true,
            Request::RestoreWeights { checkpoint, optimizer } => {
                self.restore_weights(&checkpoint, optimizer)?
            }
            Request::SetLr { group, lr } => {
                set_lr(self.trained.optimizer.as_mut().ok_or_else(no_optimizer)?.groups_mut(), &group, lr)?
            }
            Request::Apply { model, optimizer } => self.apply(model, optimizer)?,
            Request::RestartScheduler { settings, until_epoch, until_step } => {
                self.trained.optimizer.as_ref().ok_or_else(no_optimizer)?;
                self.requests.restart = Some(Restart::read(settings, until_epoch, until_step)?);
                self.watched.changed = true;
            }
            Request::CheckSettings { scheduler, options, optimizer } => {
                check_settings(&self.config, &self.trained.model, scheduler, options, optimizer)?;
            }
            Request::Note { .. } => {}
            Request::Monitor { metric, key } => {
                self.watched.monitored.insert(Monitored { metric, key });
            }
            Request::Libtorch => return Ok(serde_json::to_value(torch_versions())?),
            Request::TensorSet { name, action } => {
                return Ok(serde_json::to_value(self.act_on_set(&name, &action)?)?);
            }
            Request::ReplaceOptimizer { id, options } => {
                replace_optimizer(
                    self.trained.optimizer.as_mut(),
                    self.trained.scheduler.as_mut(),
                    &id,
                    options,
                )?;
                tracing::info!("from here on the optimizer is {id}");
                self.watched.changed = true;
            }
        }
        Ok(Value::Null)
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        if is_of_batch(name) {
            return self.outcome()?.tensor(name);
        }
        let tensor = self.trained.model.tensor(name)?;
        Ok(RawTensor::from(tensor.shallow_clone()).into_raw())
    }
}

impl RunState {
    fn outcome(&self) -> Result<&BatchOutcome> {
        self.outcome.as_ref().ok_or_else(no_outcome)
    }

    fn optimizer_view(&self) -> Result<View> {
        let optimizer = self.trained.optimizer.as_ref().ok_or_else(no_optimizer)?;
        let config = optimizer.config();
        Ok(View::new(config.algorithm.id(), config.lr, config.weight_decay, optimizer.groups().to_vec()))
    }

    fn apply(&mut self, model: Option<ModuleTree>, optimizer: Option<View>) -> Result<()> {
        if let Some(tree) = model {
            self.trained.model.apply_tree(tree)?;
            self.watched.changed = true;
        }
        if let Some(view) = optimizer {
            self.trained.optimizer.as_mut().ok_or_else(no_optimizer)?.set_groups(view.groups().to_vec())?;
            self.watched.changed = true;
        }
        Ok(())
    }

    fn act_on_set(&mut self, name: &str, action: &SetAction) -> Result<SetState> {
        let Trained { model, sets, .. } = &mut self.trained;
        let state = sets.act(name, action, model.tree(), &mut values_of(model))?;
        let is_meant = *action == SetAction::LoadIntoModel;
        let is_back = self.watched.frozen_in_set && self.trained.sets.in_model().is_none();
        if is_meant || is_back {
            self.watched.frozen.renew()?;
            self.watched.frozen_in_set = false;
        }
        Ok(state)
    }

    fn log(&mut self, name: String, value: f64) -> Result<()> {
        if RESERVED.contains(&name.as_str()) {
            return Err(Error::new(format_args!(
                "`{name}` is a name of the loop's own; log under another one"
            )));
        }
        self.set_metric(&name, value);
        self.requests.logged.insert(name, value);
        Ok(())
    }

    fn restore_weights(&mut self, checkpoint: &str, optimizer: bool) -> Result<()> {
        if ![BEST, LAST].contains(&checkpoint) {
            CheckpointName::new(checkpoint)?;
        }
        if let Some(writing) = &mut self.kept.writing {
            writing.wait();
        }
        let folder = self.kept.store.folder().join(checkpoint);
        if !folder.is_dir() {
            let error = Error::new(format_args!("this run has no checkpoint `{checkpoint}`"));
            return Err(if self.config.checkpoint.enabled {
                error
            } else {
                error.help("checkpoint.enabled = false writes none, hooks' own neither")
            });
        }
        let file = read(folder.join(crate::checkpoint::MODEL))?;
        let plan = plan_checkpoint(&self.trained.model.tensor_specs(), &file)?;
        let opened = Checkpoint::open(&folder)?;
        apply(&plan, &file, |name| self.trained.model.tensor(name).ok().map(tch::Tensor::shallow_clone))?;
        // Averages belong to the weights that they were made of.
        self.trained.sets = restored_sets(&self.trained.model, &opened).map_err(Error::new)?;
        self.watched.frozen.renew()?;
        self.prefix.forget_all();
        self.watched.frozen_in_set = false;
        if let Some(own) = self.trained.optimizer.as_mut().filter(|_| optimizer) {
            let tensors = opened.optimizer()?;
            restore_optimizer_state(own, tensors, self.trained.model.device())?;
        }
        tracing::info!("weights of checkpoint `{checkpoint}` restored");
        Ok(())
    }
}
