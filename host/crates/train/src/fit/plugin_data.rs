//! A plugin's data set as the data of a run.

use std::sync::Arc;

use serde_json::Value;
use thaw_plugin_api::Result as PluginResult;
use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::config::ConfigError as KeyError;
use thaw_plugin_api::dataset::{Form, Sample, Split, Target};

use crate::Error;
use crate::checkpoint::EarlierData;
use crate::config::{ConfigError, RunConfig};
use crate::parts::of_table;
use thaw_data::{DataConfig, Samples, SamplesConfig, Source};
use thaw_plugins::{DatasetInstance, Failure, PluginSet};

/// Samples of a plugin, and how the run config wants them.
pub struct PluginData {
    /// The data set.
    pub samples: Arc<dyn Samples>,
    /// How its samples are prepared.
    pub config: SamplesConfig,
}

impl PluginData {
    /// Opens the data set that `data` names, where it names one, in the state that the checkpoint has of it.
    ///
    /// # Errors
    /// No plugin offers it, its configuration or its state does not fit, or the plugin fails.
    pub fn open(
        config: &RunConfig,
        data: &DataConfig,
        plugins: &PluginSet,
        earlier: &EarlierData,
    ) -> Result<Option<Self>, Error> {
        let Source::Plugin(plugin) = &data.source else { return Ok(None) };
        let schema = plugins.schema(&[Kind::Dataset], &plugin.id);
        let of_config = |error: KeyError| of_data(config, error);
        // Without a plugin that offers it there is no schema either; that is said first.
        let own = match plugins.offers_dataset(&plugin.id) {
            true => plugin.own(schema).map_err(of_config)?,
            false => Value::Null,
        };
        let dataset = plugins.create_dataset(&plugin.id, &own);
        let dataset = dataset.map_err(|error| of_table(config, "[data]", error.into()))?;
        let mut samples = PluginSamples(dataset);
        if let Some((_, state)) = earlier.state.as_ref().filter(|(id, _)| *id == plugin.id) {
            samples.0.load_state(state)?;
        }
        let prepared = plugin.samples(schema, &samples.0.description().form, &data.loading);
        Ok(Some(Self { samples: Arc::new(samples), config: prepared.map_err(of_config)? }))
    }
}

/// Keys of `[data]` that do not fit are the run config's fault.
fn of_data(config: &RunConfig, error: KeyError) -> Error {
    ConfigError::Key { path: config.path.clone(), error }.into()
}

/// A data set behind the boundary, as the data side takes it.
struct PluginSamples(DatasetInstance);

fn told<T>(outcome: Result<T, Failure>) -> PluginResult<T> {
    outcome.map_err(thaw_plugin_api::Error::from)
}

impl Samples for PluginSamples {
    fn form(&self) -> Form {
        self.0.description().form.clone()
    }

    fn len(&self, split: Split) -> Option<usize> {
        self.0.description().len(split)
    }

    fn get(&self, split: Split, index: usize) -> PluginResult<Sample> {
        told(self.0.get(split, index))
    }

    fn name(&self) -> String {
        format!("dataset `{}`", self.0.id())
    }

    fn class_names(&self) -> Vec<String> {
        self.0.description().class_names.clone()
    }

    fn target(&self, split: Split, index: usize) -> PluginResult<Option<Target>> {
        told(self.0.target(split, index))
    }

    fn length(&self, split: Split, index: usize) -> Option<usize> {
        self.0.length(split, index)
    }

    fn identity(&self, split: Split, index: usize) -> String {
        self.0.identity(split, index)
    }

    fn in_memory(&self) -> bool {
        self.0.description().in_memory
    }

    fn state(&self) -> PluginResult<Value> {
        told(self.0.state())
    }

    fn load_state(&mut self, state: &Value) -> PluginResult<()> {
        told(self.0.load_state(state))
    }
}
