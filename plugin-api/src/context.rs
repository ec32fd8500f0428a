//! What a hook sees of the run, and what it can ask for.

mod progress;
mod services;

use std::collections::BTreeMap;

pub use progress::{Progress, Stage};
use serde_json::{Value, json};
pub use services::Services;

use crate::error::{Error, ErrorKind, Result};
use crate::module_tree::ModuleTree;
use crate::optimizer::Optimizer;

/// A hook's view of the run.
///
/// Numbers of progress are there at once. Model and optimizer are asked for when first needed, and changes to them
/// are given to the host when the hook returns. Whatever is asked for (a stop, a checkpoint, a validation) the host
/// does as soon as the loop allows, and says so in the log.
pub struct Context<'a> {
    progress: Progress,
    services: &'a mut dyn Services,
    model: Option<ModuleTree>,
    optimizer: Option<Optimizer>,
    implemented: bool,
}

impl<'a> Context<'a> {
    /// A context over what a host offers.
    pub fn new(progress: Progress, services: &'a mut dyn Services) -> Self {
        Self { progress, services, model: None, optimizer: None, implemented: true }
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The epoch, from 0.
    pub fn epoch(&self) -> usize {
        self.progress.epoch
    }

    /// Optimizer steps so far.
    pub fn global_step(&self) -> usize {
        self.progress.global_step
    }

    /// The batch within the epoch, from 0.
    pub fn batch_index(&self) -> usize {
        self.progress.batch_index
    }

    /// The model's modules, with their freeze state, to read and to change.
    ///
    /// # Errors
    /// The host cannot give it.
    pub fn model(&mut self) -> Result<&mut ModuleTree> {
        Ok(self.loaded()?.0)
    }

    /// The parameter groups, to read and to change.
    ///
    /// # Errors
    /// There is no optimizer yet (in `setup`).
    pub fn optimizer(&mut self) -> Result<&mut Optimizer> {
        if self.optimizer.is_none() {
            self.optimizer = Some(serde_json::from_value(self.services.request("optimizer", Value::Null)?)?);
        }
        self.optimizer.as_mut().ok_or_else(|| Error::new("there is no optimizer yet"))
    }

    /// Both at once, for what changes freeze state and groups together.
    ///
    /// # Errors
    /// There is no optimizer yet (in `setup`).
    pub fn model_and_optimizer(&mut self) -> Result<(&mut ModuleTree, &mut Optimizer)> {
        self.optimizer()?;
        match self.loaded()? {
            (model, Some(optimizer)) => Ok((model, optimizer)),
            (_, None) => Err(Error::new("there is no optimizer yet")),
        }
    }

    fn loaded(&mut self) -> Result<(&mut ModuleTree, Option<&mut Optimizer>)> {
        if self.model.is_none() {
            self.model = Some(serde_json::from_value(self.services.request("model", Value::Null)?)?);
        }
        match self.model.as_mut() {
            Some(model) => Ok((model, self.optimizer.as_mut())),
            None => Err(Error::new("there is no model")),
        }
    }

    /// The latest value of every metric, by Lightning's names: `train_loss`, `val_acc`, ….
    ///
    /// # Errors
    /// The host cannot give them.
    pub fn metrics(&mut self) -> Result<BTreeMap<String, f64>> {
        Ok(serde_json::from_value(self.services.request("metrics", Value::Null)?)?)
    }

    /// The latest value of one metric; `None` if it was not logged yet.
    ///
    /// # Errors
    /// The host cannot give it.
    pub fn metric(&mut self, name: &str) -> Result<Option<f64>> {
        Ok(self.metrics()?.remove(name))
    }

    /// The last batch's loss, before any division for accumulation; `None` before the first one.
    ///
    /// # Errors
    /// The host cannot give it.
    pub fn loss(&mut self) -> Result<Option<f64>> {
        Ok(self.services.request("loss", Value::Null)?.as_f64())
    }

    /// Why the run ends, in `on_exception`.
    ///
    /// # Errors
    /// The host cannot give it.
    pub fn exception(&mut self) -> Result<Option<String>> {
        Ok(self.services.request("exception", Value::Null)?.as_str().map(str::to_owned))
    }

    /// Logs a metric: it goes into `metrics.jsonl` with this epoch and step, and to the progress line.
    ///
    /// # Errors
    /// A name that the host reserves.
    pub fn log(&mut self, name: &str, value: f64) -> Result<()> {
        self.services.request("log", json!({ "name": name, "value": finite_or_text(value) })).map(drop)
    }

    /// Asks the run to stop after this batch.
    ///
    /// # Errors
    /// The host cannot stop.
    pub fn stop(&mut self, reason: &str) -> Result<()> {
        self.services.request("stop", json!({ "reason": reason })).map(drop)
    }

    /// Asks for a checkpoint of this name, after this batch or epoch.
    ///
    /// # Errors
    /// A name that is no file name.
    pub fn save_checkpoint(&mut self, name: &str) -> Result<()> {
        self.services.request("save-checkpoint", json!({ "name": name })).map(drop)
    }

    /// Asks for a validation after this batch.
    ///
    /// # Errors
    /// The run has no validation data.
    pub fn validate(&mut self) -> Result<()> {
        self.services.request("validate", Value::Null).map(drop)
    }

    /// Puts the weights and buffers of a checkpoint of this run back (`best`, `last`, or one of your own) at once;
    /// optimizer state, groups and freeze state stay.
    ///
    /// # Errors
    /// No such checkpoint.
    pub fn restore_weights(&mut self, checkpoint: &str) -> Result<()> {
        self.services.request("restore-weights", json!({ "checkpoint": checkpoint })).map(drop)
    }

    /// Asks the host for something that this version of the API has no method for.
    ///
    /// # Errors
    /// The host does not know the operation.
    pub fn request(&mut self, operation: &str, payload: Value) -> Result<Value> {
        self.services.request(operation, payload)
    }

    /// Handle of a parameter or buffer, owned by the caller.
    #[doc(hidden)]
    pub fn raw_tensor(&mut self, name: &str) -> Result<*mut std::ffi::c_void> {
        self.services.tensor(name)
    }

    /// What the default body of every hook does.
    #[doc(hidden)]
    pub fn not_implemented(&mut self) -> Result<()> {
        self.implemented = false;
        Ok(())
    }

    /// Whether the hook was written by the author.
    #[doc(hidden)]
    pub fn is_implemented(&self) -> bool {
        self.implemented
    }

    /// Gives the changes to the host.
    #[doc(hidden)]
    pub fn finish(self) -> Result<()> {
        let model = self.model.filter(ModuleTree::is_changed);
        let optimizer = self.optimizer.filter(Optimizer::is_changed);
        if model.is_none() && optimizer.is_none() {
            return Ok(());
        }
        self.services.request("apply", json!({ "model": model, "optimizer": optimizer })).map(drop)
    }
}

/// JSON has no infinities and no NaN; the host reads them as text.
fn finite_or_text(value: f64) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

/// The error of a host that does not know an operation.
pub fn unknown_operation(operation: &str) -> Error {
    Error::of(ErrorKind::Other, format_args!("this host does not know the operation `{operation}`"))
        .help("use a newer host, or an older plugin")
}
