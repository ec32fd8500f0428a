//! The plugins of this process, and what they offer together.

use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use thaw_plugin_api::abi::{BoxedModel, Item, Kind};

use super::{DatasetInstance, Instance, LoadedPlugin, PluginError, PluginFile, SearchPath, spelling};

/// All plugins that were loaded, in order. An id is offered by one of them only.
#[derive(Clone, Default)]
pub struct PluginSet {
    plugins: Vec<Rc<LoadedPlugin>>,
    /// Of strategies that took over in the run that is resumed: files that the user named, or that the search
    /// path has.
    of_swaps: Vec<Rc<LoadedPlugin>>,
}

impl PluginSet {
    /// Loads plugins by name or path.
    ///
    /// # Errors
    /// One that is not found or refused, or an id that is there twice.
    pub fn load<'n>(
        names: impl IntoIterator<Item = &'n str>,
        search: &SearchPath,
        base: &Path,
    ) -> Result<Self, PluginError> {
        let mut set = Self::default();
        for name in names {
            set.add(&search.find(name, base)?)?;
        }
        Ok(set)
    }

    /// Loads one more file; a file that is there already stays as it is.
    ///
    /// # Errors
    /// The file is refused, or offers an id that is there already.
    pub fn add(&mut self, path: &Path) -> Result<&LoadedPlugin, PluginError> {
        self.add_pinned(path, None)
    }

    /// The same for a file that must have this SHA-256, where there is one.
    ///
    /// # Errors
    /// As [`Self::add`], or another file.
    pub fn add_pinned(&mut self, path: &Path, pin: Option<&str>) -> Result<&LoadedPlugin, PluginError> {
        let known = path
            .canonicalize()
            .ok()
            .and_then(|path| self.plugins.iter().position(|plugin| plugin.path() == path));
        if let Some(index) = known {
            let known = &self.plugins[index];
            return match pin.filter(|expected| !known.sha256().eq_ignore_ascii_case(expected)) {
                None => Ok(known),
                Some(expected) => {
                    let (found, expected) = (known.sha256().to_owned(), expected.to_owned());
                    Err(PluginError::Pin { path: path.to_path_buf(), found, expected })
                }
            };
        }
        let plugin = match pin {
            Some(sha256) => LoadedPlugin::open_pinned(path, sha256)?,
            None => LoadedPlugin::open(path)?,
        };
        self.insert(plugin)
    }

    /// The same for a private copy that another process keeps.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_file(&mut self, file: &PluginFile) -> Result<&LoadedPlugin, PluginError> {
        self.insert(LoadedPlugin::open_file(file)?)
    }

    /// The same for a plugin that is open already.
    ///
    /// # Errors
    /// It offers an id that is there already.
    pub fn insert(&mut self, plugin: LoadedPlugin) -> Result<&LoadedPlugin, PluginError> {
        for item in &plugin.metadata().items {
            if let Some(first) = self.plugins.iter().find(|first| first.offers(item.kind, &item.id)) {
                return Err(PluginError::DuplicateId {
                    kind: item.kind,
                    id: item.id.clone(),
                    first: first.path().to_path_buf(),
                    second: plugin.path().to_path_buf(),
                });
            }
        }
        self.plugins.push(Rc::new(plugin));
        Ok(&self.plugins[self.plugins.len() - 1])
    }

    /// Takes a plugin beside those there are. It may offer ids that are there already: by their ids those
    /// before it are found.
    pub fn add_beside(&mut self, plugin: Rc<LoadedPlugin>) {
        if !self.plugins.iter().any(|known| known.path() == plugin.path()) {
            self.plugins.push(plugin);
        }
    }

    /// Keeps a plugin for the strategy that took over in a run, which is resumed.
    pub fn keep_for_swap(&mut self, plugin: LoadedPlugin) {
        self.of_swaps.push(Rc::new(plugin));
    }

    /// The plugin with this SHA-256, kept for a strategy that took over or loaded anyway.
    pub fn for_swap(&self, sha256: &str) -> Option<Rc<LoadedPlugin>> {
        let mut plugins = self.of_swaps.iter().chain(&self.plugins);
        plugins.find(|plugin| plugin.sha256().eq_ignore_ascii_case(sha256)).cloned()
    }

    /// The plugins, in the order in which they were loaded.
    pub fn plugins(&self) -> impl Iterator<Item = &LoadedPlugin> {
        self.plugins.iter().map(Rc::as_ref)
    }

    /// Whether a loaded plugin offers the strategy or callback.
    pub fn offers_instance(&self, id: &str) -> bool {
        self.plugins
            .iter()
            .any(|plugin| plugin.offers(Kind::Strategy, id) || plugin.offers(Kind::Callback, id))
    }

    /// Whether a loaded plugin offers the model.
    pub fn offers_model(&self, id: &str) -> bool {
        let id = self.model_id(id);
        self.plugins.iter().any(|plugin| plugin.offers(Kind::Model, id))
    }

    /// Whether a loaded plugin offers the data set.
    pub fn offers_dataset(&self, id: &str) -> bool {
        self.plugins.iter().any(|plugin| plugin.offers(Kind::Dataset, id))
    }

    /// Whether a loaded plugin offers the id, as whatever.
    pub fn offers_any(&self, id: &str) -> bool {
        self.plugins.iter().any(|plugin| plugin.metadata().items.iter().any(|item| item.id == id))
    }

    /// JSON Schema of the configuration of an id of one of these kinds; null where no plugin offers it.
    pub fn schema(&self, kinds: &[Kind], id: &str) -> &Value {
        let id = if kinds.contains(&Kind::Model) { self.model_id(id) } else { id };
        let mut items = self.plugins.iter().flat_map(|plugin| &plugin.metadata().items);
        items
            .find(|item| kinds.contains(&item.kind) && item.id == id)
            .map_or(&Value::Null, |item| &item.schema)
    }

    /// The metrics that a strategy or callback logs, where its plugin says so.
    pub fn declared_metrics(&self, instance: &Instance) -> Option<&[String]> {
        let plugin = self.plugins.iter().find(|plugin| plugin.path() == instance.path())?;
        let mut items = plugin.metadata().items.iter();
        let item = items.find(|item| item.kind == instance.kind() && item.id == instance.id())?;
        item.metrics.as_deref()
    }

    /// Makes the strategy or callback of an id.
    ///
    /// # Errors
    /// No plugin offers it, or its configuration does not fit.
    pub fn create(&self, id: &str, config: &Value) -> Result<Instance, PluginError> {
        let offered = self.plugins.iter().find_map(|plugin| {
            let kind = [Kind::Strategy, Kind::Callback].into_iter().find(|&kind| plugin.offers(kind, id))?;
            Some((plugin, kind))
        });
        match offered {
            Some((plugin, kind)) => plugin.create(kind, id, config),
            None => Err(self.unknown("strategy or callback", id, is_instance)),
        }
    }

    /// Another instance of a strategy or callback, with its configuration and state.
    ///
    /// # Errors
    /// The plugin fails.
    pub fn twin(&self, instance: &mut Instance) -> Result<Instance, PluginError> {
        let plugin = self.plugins.iter().find(|plugin| plugin.path() == instance.path());
        let plugin =
            plugin.ok_or_else(|| self.unknown("strategy or callback", instance.id(), is_instance))?;
        let config = instance.config()?;
        plugin.create(instance.kind(), instance.id(), &config)
    }

    /// Makes the model of an id; gives its plugin's name, too.
    ///
    /// # Errors
    /// No plugin offers it, or its configuration does not fit.
    pub fn create_model(&self, id: &str, config: &Value) -> Result<(BoxedModel, String), PluginError> {
        let asked = id;
        let id = self.model_id(asked);
        if id != asked {
            tracing::info!("model `{}` is `{id}`", thaw_terminal::escape(asked));
        }
        match self.plugins.iter().find(|plugin| plugin.offers(Kind::Model, id)) {
            Some(plugin) => Ok((plugin.create_model(id, config)?, plugin.metadata().name.clone())),
            None => Err(self.unknown_model(id)),
        }
    }

    /// Opens the data set of an id.
    ///
    /// # Errors
    /// No plugin offers it, or its configuration does not fit.
    pub fn create_dataset(&self, id: &str, config: &Value) -> Result<DatasetInstance, PluginError> {
        match self.plugins.iter().find(|plugin| plugin.offers(Kind::Dataset, id)) {
            Some(plugin) => plugin.create_dataset(id, config),
            None => Err(self.unknown("dataset", id, |item| item.kind == Kind::Dataset)),
        }
    }

    /// The id of the model that a run config means, which may have another library's name for it; `name`
    /// itself where there is none.
    pub fn model_id<'n>(&'n self, name: &'n str) -> &'n str {
        if self.plugins.iter().any(|plugin| plugin.offers(Kind::Model, name)) {
            return name;
        }
        spelling::model(name, self.plugins.iter().flat_map(|plugin| &plugin.metadata().items)).unwrap_or(name)
    }

    fn unknown_model(&self, id: &str) -> PluginError {
        let models = self.plugins.iter().flat_map(|plugin| &plugin.metadata().items);
        let models: Vec<&Item> = models.filter(|item| item.kind == Kind::Model).collect();
        match spelling::hint(id, &models) {
            Some(hint) => PluginError::UnknownId { kind: "model".to_owned(), id: id.to_owned(), hint },
            None => self.unknown("model", id, |item| item.kind == Kind::Model),
        }
    }

    fn unknown(&self, kind: &str, id: &str, fits: impl Fn(&Item) -> bool) -> PluginError {
        let items = self.plugins.iter().flat_map(|plugin| &plugin.metadata().items);
        let ids: Vec<&str> = items.filter(|item| fits(item)).map(|item| item.id.as_str()).collect();
        let hint = match thaw_plugin_api::nearest(id, ids.iter().copied()) {
            Some(nearest) => format!("; did you mean `{nearest}`?"),
            None if ids.is_empty() => "; name its plugin under `plugins` or with --plugin".to_owned(),
            None => spelling::listed(&ids),
        };
        PluginError::UnknownId { kind: kind.to_owned(), id: id.to_owned(), hint }
    }

    /// What goes into a run's `plugins.json`: path, version and SHA-256 of each.
    pub fn record(&self) -> Value {
        let plugins = self.plugins.iter().map(|plugin| {
            let metadata = plugin.metadata();
            json!({
                "name": metadata.name, "version": metadata.version, "plugin_api": metadata.plugin_api,
                "rustc": metadata.rustc,
                "path": plugin.path().to_string_lossy(), "sha256": plugin.sha256(),
                "ids": metadata.items.iter().map(|item| item.id.as_str()).collect::<Vec<_>>(),
            })
        });
        plugins.collect()
    }
}

fn is_instance(item: &Item) -> bool {
    matches!(item.kind, Kind::Strategy | Kind::Callback)
}
