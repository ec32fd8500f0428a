//! What hooks can ask of the run.

use std::ffi::c_void;

use serde_json::{Value, json};
use thaw_plugin_api::abi::RawTensor;
use thaw_plugin_api::context::{Services, unknown_operation};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::{Error, Result};

use super::RunState;
use crate::weights::{WeightsConfig, apply, plan_load, read};

/// Names that the loop itself logs.
const RESERVED: [&str; 3] = ["epoch", "step", "batch"];

impl Services for RunState {
    fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        match operation {
            "model" => Ok(serde_json::to_value(self.model.tree())?),
            "optimizer" => Ok(serde_json::to_value(self.optimizer_view()?)?),
            "apply" => self.apply(payload),
            "metrics" => Ok(serde_json::to_value(&self.metrics)?),
            "loss" => Ok(json!(self.loss)),
            "exception" => Ok(json!(self.exception)),
            "log" => self.log(&payload),
            "stop" => {
                self.requests.stop = Some(text(&payload, "reason")?.to_owned());
                Ok(Value::Null)
            }
            "save-checkpoint" => {
                self.requests.checkpoints.push(text(&payload, "name")?.to_owned());
                Ok(Value::Null)
            }
            "validate" => {
                if self.progress.num_validation_batches == 0 {
                    return Err(Error::new("the run has no validation data"));
                }
                self.requests.validate = true;
                Ok(Value::Null)
            }
            "restore-weights" => self.restore_weights(text(&payload, "checkpoint")?),
            other => Err(unknown_operation(other)),
        }
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        let tensor = self.model.tensor(name)?;
        Ok(RawTensor::from(tensor.shallow_clone()).into_raw())
    }
}

fn text<'p>(payload: &'p Value, key: &str) -> Result<&'p str> {
    payload.get(key).and_then(Value::as_str).ok_or_else(|| Error::new(format_args!("the request lacks a text `{key}`")))
}

impl RunState {
    fn optimizer_view(&self) -> Result<thaw_plugin_api::optimizer::Optimizer> {
        let optimizer = self.optimizer.as_ref().ok_or_else(|| {
            Error::new("there is no optimizer yet").help("it is built after `setup` and `freeze_before_training`; use `on_fit_start`")
        })?;
        let config = optimizer.config();
        Ok(thaw_plugin_api::optimizer::Optimizer::new(config.algorithm.id(), config.lr, config.weight_decay, optimizer.groups().to_vec()))
    }

    fn apply(&mut self, mut payload: Value) -> Result<Value> {
        let model = payload.get_mut("model").map(Value::take).filter(|value| !value.is_null());
        if let Some(model) = model {
            let tree: ModuleTree = serde_json::from_value(model)?;
            self.model.apply_tree(tree)?;
            self.changed = true;
        }
        let optimizer = payload.get_mut("optimizer").map(Value::take).filter(|value| !value.is_null());
        if let Some(optimizer) = optimizer {
            let view: thaw_plugin_api::optimizer::Optimizer = serde_json::from_value(optimizer)?;
            let ours = self.optimizer.as_mut().ok_or_else(|| Error::new("there is no optimizer yet"))?;
            ours.set_groups(view.groups().to_vec())?;
            self.changed = true;
        }
        Ok(Value::Null)
    }

    fn log(&mut self, payload: &Value) -> Result<Value> {
        let name = text(payload, "name")?;
        if RESERVED.contains(&name) {
            return Err(Error::new(format_args!("`{name}` is a name of the loop's own; log under another one")));
        }
        let value = match payload.get("value") {
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.parse().ok(),
            _ => None,
        };
        let value = value.ok_or_else(|| Error::new(format_args!("the value of `{name}` is no number")))?;
        self.metrics.insert(name.to_owned(), value);
        self.requests.logged.insert(name.to_owned(), value);
        Ok(Value::Null)
    }

    fn restore_weights(&mut self, checkpoint: &str) -> Result<Value> {
        let folder = self.store.folder().join(checkpoint);
        if !folder.is_dir() {
            return Err(Error::new(format_args!("this run has no checkpoint `{checkpoint}`")));
        }
        let file = read(folder.join(crate::checkpoint::MODEL))?;
        let plan = plan_load(&self.model.tensor_specs(), &file, &WeightsConfig::new(&folder))?;
        apply(&plan, &file, |name| self.model.tensor(name).ok().map(tch::Tensor::shallow_clone))?;
        tracing::info!("weights of checkpoint `{checkpoint}` restored");
        Ok(Value::Null)
    }
}
