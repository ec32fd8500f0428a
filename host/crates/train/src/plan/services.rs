//! What hooks can ask of a planned run.

use std::ffi::c_void;

use serde_json::{Value, json};
use thaw_plugin_api::abi::torch_versions;
use thaw_plugin_api::context::{Request, Services, no_outcome};
use thaw_plugin_api::optimizer::{Optimizer as View, no_optimizer, set_lr};
use thaw_plugin_api::tensor_sets::SetState;
use thaw_plugin_api::{Error, Result};

use super::Simulation;
use crate::parts::{check_settings, replace_optimizer};
use thaw_optim::scheduler::Restart;

impl Services for Simulation<'_> {
    fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        match Request::parse(operation, payload)? {
            Request::Model => return Ok(serde_json::to_value(self.model.tree())?),
            Request::Optimizer => {
                let optimizer = self.optimizer.as_ref().ok_or_else(no_optimizer)?;
                let config = optimizer.config();
                let view = View::new(
                    config.algorithm.id(),
                    config.lr,
                    config.weight_decay,
                    optimizer.groups().to_vec(),
                );
                return Ok(serde_json::to_value(view)?);
            }
            Request::Metrics => return Ok(json!({})),
            Request::BatchSamples | Request::BatchNumbers { .. } => return Err(no_outcome()),
            Request::SetLr { group, lr } => {
                set_lr(self.optimizer.as_mut().ok_or_else(no_optimizer)?.groups_mut(), &group, lr)?;
            }
            Request::Apply { model, optimizer } => {
                self.changed = true;
                if let Some(tree) = model {
                    self.model.apply_tree(tree)?;
                }
                if let Some(view) = optimizer {
                    self.optimizer.as_mut().ok_or_else(no_optimizer)?.set_groups(view.groups().to_vec())?;
                }
            }
            Request::RestartScheduler { settings, until_epoch, until_step } => {
                self.optimizer.as_ref().ok_or_else(no_optimizer)?;
                self.restart = Some(Restart::read(settings, until_epoch, until_step)?);
                self.changed = true;
            }
            Request::CheckSettings { scheduler, options, optimizer } => {
                check_settings(self.config, &self.model, scheduler, options, optimizer)?;
            }
            Request::ReplaceOptimizer { id, options } => {
                replace_optimizer(self.optimizer.as_mut(), self.scheduler.as_mut(), &id, options)?;
                self.changed = true;
            }
            Request::Stop { reason } => drop(self.stop.get_or_insert(reason)),
            Request::Note { text } => self.notes.push(text),
            Request::TensorSet { .. } => return Ok(serde_json::to_value(SetState::default())?),
            Request::Libtorch => return Ok(serde_json::to_value(torch_versions())?),
            // Nothing trains: there is nothing to tell, to write or to restore.
            Request::Loss
            | Request::Exception
            | Request::Log { .. }
            | Request::SaveCheckpoint { .. }
            | Request::Validate
            | Request::UpdateBatchNorms
            | Request::RestoreWeights { .. }
            | Request::Monitor { .. } => {}
        }
        Ok(Value::Null)
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        Err(Error::new(format_args!("a plan has no values: `{name}` cannot be read")))
    }
}
