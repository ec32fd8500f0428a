//! An id of a plugin, as a check gets it.

use serde_json::{Map, Value};
use thaw_plugin_api::Error;
use thaw_plugin_api::abi::{BoxedDataset, BoxedInstance, Item, Kind, contain};
use thaw_plugin_api::dataset::Description;

use super::values::complete;
use super::{Job, Outcome};
use thaw_data::CounterRng;
use thaw_plugins::{LoadedPlugin, PluginSet};
use thaw_train::model::HostModel;

/// An id of an open plugin.
pub struct Subject {
    job: Job,
    item: Item,
    plugins: PluginSet,
    config: Map<String, Value>,
}

impl Subject {
    /// Opens the plugin of a job.
    ///
    /// # Errors
    /// [`Outcome::Skipped`] where the host refuses the plugin, or where it is not known how to configure the
    /// id.
    pub fn open(job: Job) -> Result<Self, Outcome> {
        thaw_torch::init().map_err(|error| Outcome::skipped(error.to_string()))?;
        let mut plugins = PluginSet::default();
        let plugin = plugins
            .add_file(&job.file)
            .map_err(|error| Outcome::skipped(format!("the host refuses the plugin: {error}")))?;
        let item = job.item.as_ref().and_then(|(kind, id)| {
            plugin.metadata().items.iter().find(|item| (item.kind, &item.id) == (*kind, id))
        });
        let item = item.cloned().ok_or_else(|| Outcome::skipped("the plugin does not offer the id"))?;
        let given = job.config.as_object().cloned().unwrap_or_default();
        let config = complete(&item.schema, given).map_err(|keys| {
            Outcome::skipped(format!(
                "required without a default, and not to be guessed: {}; give them with --config",
                keys.join(", ")
            ))
        })?;
        Ok(Self { job, item, plugins, config })
    }

    /// What is to be done.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// What the plugin says of the id.
    pub fn item(&self) -> &Item {
        &self.item
    }

    /// The plugin.
    pub fn plugin(&self) -> Result<&LoadedPlugin, Outcome> {
        self.plugins.plugins().next().ok_or_else(|| Outcome::skipped("the plugin is not open"))
    }

    /// The given keys and the required ones; the others have their defaults.
    pub fn config(&self) -> &Map<String, Value> {
        &self.config
    }

    /// Random numbers for one purpose.
    pub fn random(&self, purpose: u64) -> CounterRng {
        CounterRng::new(&[self.job.seed, purpose])
    }

    /// Makes a strategy or callback of any configuration.
    ///
    /// # Errors
    /// The plugin's.
    pub fn create(&self, config: &Map<String, Value>) -> Result<BoxedInstance, Error> {
        let plugin = self.plugin().map_err(|_| Error::new("the plugin is not open"))?;
        let (kind, config) = (self.item.kind.to_string(), Value::Object(config.clone()).to_string());
        contain(|| {
            Ok(plugin.root().create()(
                kind.as_str().into(),
                self.item.id.as_str().into(),
                config.as_str().into(),
            )
            .into_result()?)
        })
    }

    /// Makes a strategy or callback of the usual configuration.
    ///
    /// # Errors
    /// [`Outcome::Skipped`]: that it can be made is another check's.
    pub fn instance(&self) -> Result<BoxedInstance, Outcome> {
        self.create(&self.config).map_err(|error| Outcome::skipped(format!("it cannot be made: {error}")))
    }

    /// Makes a model of any configuration, its initial values those of the seed.
    ///
    /// # Errors
    /// The plugin's.
    pub fn create_model(
        &self,
        config: &Map<String, Value>,
        seed: u64,
    ) -> Result<HostModel, thaw_train::Error> {
        thaw_torch::manual_seed(seed)?;
        Ok(HostModel::create(&self.plugins, &self.item.id, &Value::Object(config.clone()))?)
    }

    /// Opens a data set of any configuration.
    ///
    /// # Errors
    /// The plugin's.
    pub fn create_dataset(&self, config: &Map<String, Value>) -> Result<BoxedDataset, Error> {
        let plugin = self.plugin().map_err(|_| Error::new("the plugin is not open"))?;
        plugin.raw_dataset(&self.item.id, &Value::Object(config.clone()))
    }

    /// Makes whatever the id stands for and gives the configuration as the plugin resolved it; none where it
    /// does not say.
    ///
    /// # Errors
    /// The plugin's.
    pub fn resolved(&self, config: &Map<String, Value>) -> Result<Option<Value>, Error> {
        if self.item.kind == Kind::Model {
            let made = self.create_model(config, self.job.seed);
            return made.map(|model| model.description().config.clone()).map_err(plugins_own);
        }
        if self.item.kind == Kind::Dataset {
            let dataset = self.create_dataset(config)?;
            let text = contain(|| Ok(dataset.describe().into_result()?))?;
            return Ok(Some(serde_json::from_str::<Description>(&text)?.config));
        }
        let instance = self.create(config)?;
        let text = contain(|| Ok(instance.config().into_result()?))?;
        Ok(Some(serde_json::from_str(&text)?))
    }
}

/// The plugin's words in an error of the host's.
fn plugins_own(error: thaw_train::Error) -> Error {
    use thaw_plugins::PluginError;
    use thaw_train::model::ModelError;
    match error {
        thaw_train::Error::Plugin(PluginError::Failed(failure))
        | thaw_train::Error::Model(ModelError::Plugin(failure)) => failure.error,
        other => Error::new(other),
    }
}
