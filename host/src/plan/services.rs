//! What hooks can ask of a planned run.

use std::ffi::c_void;

use serde_json::{Value, json};
use thaw_plugin_api::context::{Services, unknown_operation};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::Optimizer as View;
use thaw_plugin_api::{Error, Result};

use super::Simulation;

impl Services for Simulation {
    fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        match operation {
            "model" => Ok(serde_json::to_value(self.model.tree())?),
            "optimizer" => {
                let optimizer = self.optimizer.as_ref().ok_or_else(|| Error::new("there is no optimizer yet"))?;
                let config = optimizer.config();
                let view = View::new(config.algorithm.id(), config.lr, config.weight_decay, optimizer.groups().to_vec());
                Ok(serde_json::to_value(view)?)
            }
            "apply" => self.apply(payload),
            "metrics" => Ok(json!({})),
            "loss" | "exception" => Ok(Value::Null),
            // Nothing trains: what would be written, stopped or restored is not.
            "log" | "stop" | "save-checkpoint" | "validate" | "restore-weights" => Ok(Value::Null),
            other => Err(unknown_operation(other)),
        }
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        Err(Error::new(format_args!("a plan has no values: `{name}` cannot be read")))
    }
}

impl Simulation {
    fn apply(&mut self, mut payload: Value) -> Result<Value> {
        let mut part = |name: &str| payload.get_mut(name).map(Value::take).filter(|value| !value.is_null());
        let (model, optimizer) = (part("model"), part("optimizer"));
        if let Some(model) = model {
            let tree: ModuleTree = serde_json::from_value(model)?;
            self.model.apply_tree(tree)?;
        }
        if let Some(optimizer) = optimizer {
            let view: View = serde_json::from_value(optimizer)?;
            let ours = self.optimizer.as_mut().ok_or_else(|| Error::new("there is no optimizer yet"))?;
            ours.set_groups(view.groups().to_vec())?;
        }
        Ok(Value::Null)
    }
}
