//! A plugin's data set in use, by many threads.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use thaw_plugin_api::abi::abi_stable::std_types::ROption;
use thaw_plugin_api::abi::{BoxedDataset, Kind, RawError, contain, split_number};
use thaw_plugin_api::dataset::{Description, Sample, Split, Target};
use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::{Error, Result as PluginResult};

use super::Failure;
use super::calls::SharedCaller;

/// The calls of a data set, as messages and signal handlers name them.
const CALLS: [&str; 7] = ["describe", "get", "target", "length", "identity", "state", "load_state"];

/// A data set of a plugin, open.
pub struct DatasetInstance {
    raw: BoxedDataset,
    id: String,
    plugin: String,
    description: Description,
    caller: SharedCaller,
    /// After a panic the author's data may be half changed: no more calls.
    panicked: Mutex<Option<String>>,
}

impl DatasetInstance {
    /// Asks what it is.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub(super) fn new(raw: BoxedDataset, id: &str, plugin: &str) -> Result<Self, Failure> {
        let description = Description {
            form: thaw_plugin_api::dataset::Form::Pictures,
            class_names: Vec::new(),
            in_memory: false,
            splits: Vec::new(),
            config: Value::Null,
        };
        let caller = SharedCaller::new(Kind::Dataset, id, plugin, &CALLS);
        let (id, plugin, panicked) = (id.to_owned(), plugin.to_owned(), Mutex::default());
        let mut dataset = Self { raw, id, plugin, description, caller, panicked };
        dataset.describe()?;
        Ok(dataset)
    }

    fn describe(&mut self) -> Result<(), Failure> {
        let text = self.call("describe", || self.raw.describe().into_result())?;
        self.description =
            serde_json::from_str(&text).map_err(|error| self.failure("describe", error.into()))?;
        Ok(())
    }

    /// The id in the run config.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Form, classes, splits and configuration.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// A sample.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn get(&self, split: Split, index: usize) -> Result<Sample, Failure> {
        let number = split_number(split);
        let raw = self.call_for("get", format_args!("for {split} sample {index}, it"), || {
            self.raw.get(number, index as u64).into_result()
        })?;
        Sample::try_from(raw).map_err(|error| self.failure("get", error))
    }

    /// A target, where it is known without its sample.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn target(&self, split: Split, index: usize) -> Result<Option<Target>, Failure> {
        let (number, index) = (split_number(split), index as u64);
        let raw = self.call("target", || self.raw.target(number, index).into_result())?;
        let target = raw.into_option().map(Target::try_from).transpose();
        target.map_err(|error| self.failure("target", error))
    }

    /// About how long a text is, where that is known. A panic ends the next call for a sample.
    pub fn length(&self, split: Split, index: usize) -> Option<usize> {
        let (number, index) = (split_number(split), index as u64);
        let length = self.call("length", || self.raw.length(number, index).into_result());
        length.ok().and_then(ROption::into_option).and_then(|length| usize::try_from(length).ok())
    }

    /// What tells a sample from all others. A panic ends the next call for a sample.
    pub fn identity(&self, split: Split, index: usize) -> String {
        let number = split_number(split);
        let identity = self.call("identity", || self.raw.identity(number, index as u64).into_result());
        identity.map_or_else(|_| index.to_string(), Into::into)
    }

    /// What goes into a checkpoint.
    ///
    /// # Errors
    /// The plugin's error or panic.
    pub fn state(&self) -> Result<Value, Failure> {
        let text = self.call("state", || self.raw.state().into_result())?;
        serde_json::from_str(&text).map_err(|error| self.failure("state", error.into()))
    }

    /// Restores what [`Self::state`] gave.
    ///
    /// # Errors
    /// State that does not fit, or a panic.
    pub fn load_state(&mut self, state: &Value) -> Result<(), Failure> {
        let text = state.to_string();
        let _entered = self.caller.enter("load_state");
        let raw = &mut self.raw;
        let loaded: PluginResult<()> = contain(|| Ok(raw.load_state(text.as_str().into()).into_result()?));
        drop(_entered);
        loaded.map_err(|error| self.failed("load_state", format_args!("it"), error))?;
        self.describe()
    }

    fn call<T>(&self, call: &'static str, run: impl FnOnce() -> Result<T, RawError>) -> Result<T, Failure> {
        self.call_for(call, format_args!("it"), run)
    }

    /// `what` is asked for: those that call after a panic are told of it.
    fn call_for<T>(
        &self,
        call: &'static str,
        what: fmt::Arguments<'_>,
        run: impl FnOnce() -> Result<T, RawError>,
    ) -> Result<T, Failure> {
        if let Some(before) = &*self.panicked.lock().unwrap_or_else(PoisonError::into_inner) {
            let error = Error::of(ErrorKind::Panic, format_args!("no more calls: {before}"));
            return Err(self.failure(call, error));
        }
        let answer = {
            let _entered = self.caller.enter(call);
            contain(|| Ok(run()?))
        };
        answer.map_err(|error| self.failed(call, what, error))
    }

    /// An error of the plugin's, after which there are no more calls if it was a panic.
    fn failed(&self, call: &str, what: fmt::Arguments<'_>, error: Error) -> Failure {
        if error.kind() == ErrorKind::Panic {
            let mut panicked = self.panicked.lock().unwrap_or_else(PoisonError::into_inner);
            panicked.get_or_insert_with(|| format!("in `{call}`, {what} {error}"));
        }
        self.failure(call, error)
    }

    fn failure(&self, call: &str, error: Error) -> Failure {
        let (plugin, id) = (self.plugin.clone(), self.id.clone());
        Failure { plugin, kind: Kind::Dataset, id, hook: call.to_owned(), error }
    }
}
