//! What hooks can ask for where nothing is trained.

use std::collections::BTreeMap;
use std::ffi::c_void;

use serde_json::{Value, json};
use thaw_plugin_api::abi::{RawTensor, torch_versions};
use thaw_plugin_api::context::{Request, Services, no_outcome, number_to_json};
use thaw_plugin_api::{Error, Result};

use crate::fit::{BatchOutcome, is_of_batch};
use crate::model::HostModel;

/// Model and metrics, lent to a hook.
pub(super) struct View<'r> {
    pub(super) model: &'r mut HostModel,
    pub(super) metrics: &'r mut BTreeMap<String, f64>,
    /// What a batch of validation gave that is done.
    pub(super) outcome: Option<&'r BatchOutcome>,
    /// Why it ends, after a failure.
    pub(super) exception: Option<&'r str>,
}

impl Services for View<'_> {
    fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        match Request::parse(operation, payload)? {
            Request::Model => Ok(serde_json::to_value(self.model.tree())?),
            Request::Metrics => {
                let metrics = self.metrics.iter().map(|(name, value)| (name.clone(), number_to_json(*value)));
                Ok(Value::Object(metrics.collect()))
            }
            Request::Loss => Ok(Value::Null),
            Request::BatchSamples => Ok(self.outcome.ok_or_else(no_outcome)?.samples()),
            Request::BatchNumbers { name } => self.outcome.ok_or_else(no_outcome)?.numbers(&name),
            Request::Libtorch => Ok(serde_json::to_value(torch_versions())?),
            Request::Exception => Ok(json!(self.exception)),
            Request::Log { name, value } => {
                self.metrics.insert(name, value);
                Ok(Value::Null)
            }
            Request::Apply { model: Some(model), optimizer: None } => {
                self.model.apply_tree(model)?;
                Ok(json!(null))
            }
            _ => Err(Error::new(format_args!(
                "`{operation}` is for training: this is a validation or prediction"
            ))
            .help("see `Context::progress().stage`")),
        }
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        if is_of_batch(name) {
            return self.outcome.ok_or_else(no_outcome)?.tensor(name);
        }
        let tensor = self.model.tensor(name)?;
        Ok(RawTensor::from(tensor.shallow_clone()).into_raw())
    }
}
