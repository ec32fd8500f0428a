//! From a request to a strategy that can take over.

use std::path::Path;
use std::rc::Rc;

use serde_json::{Value, json};
use thaw_plugin_api::abi::Kind;

use super::Incoming;
use crate::Error;
use crate::config::{apply_override, make_absolute};
use crate::fit::Fit;
use crate::run_dir::{PLUGIN_FILES, PrivateCopy, RunDirError};
use crate::swap::{Swap, SwapError, SwapRequest};
use thaw_plugins::{Instance, LoadedPlugin, PluginError, self_contained};

impl Fit {
    /// Opens the plugin of a request and makes its strategy.
    pub(super) fn prepare_swap(&self, request: &SwapRequest) -> Result<Incoming, Error> {
        let index = self.replaced(request.replace.as_deref())?;
        let copy = PrivateCopy::make(&request.plugin, &self.state.kept.run_dir.path().join(PLUGIN_FILES))
            .map_err(|error| match error {
                RunDirError::Io { path, source } => PluginError::Io { path, source }.into(),
                other => Error::RunDir(other),
            })?;
        match self.make(request, index, &copy) {
            Ok((swap, instance, plugin)) => {
                Ok(Incoming { swap, instance, plugin, asked: Some((request.clone(), copy)) })
            }
            Err(error) => {
                copy.discard();
                Err(error)
            }
        }
    }

    fn make(
        &self,
        request: &SwapRequest,
        index: usize,
        copy: &PrivateCopy,
    ) -> Result<(Swap, Instance, Rc<LoadedPlugin>), Error> {
        let plugin = LoadedPlugin::open_copy(&request.plugin, &copy.path, &copy.sha256)?;
        let old = &self.state.config.callbacks[index];
        let mut given = json!({});
        request.set.iter().try_for_each(|text| apply_override(&mut given, text))?;
        let id = chosen(&plugin, &request.plugin, given.get("id").and_then(Value::as_str), &old.id)?;
        // The same strategy, built anew or with other settings, keeps those that nobody sets.
        let mut config = if id == old.id { old.config.clone() } else { json!({}) };
        request.set.iter().try_for_each(|text| apply_override(&mut config, text))?;
        config.as_object_mut().and_then(|table| table.remove("id"));
        // A resumed run may work elsewhere.
        let item = plugin.metadata().items.iter().find(|item| item.kind == Kind::Strategy && item.id == id);
        make_absolute(
            &mut config,
            item.map_or(&Value::Null, |item| &item.schema),
            &request.set,
            &request.folder,
        );
        let mut instance = plugin.create(Kind::Strategy, &id, &config).map_err(|error| match error {
            PluginError::Failed(failure) if failure.is_config() => Error::from(SwapError::Config(format!(
                "{} `{}` of plugin `{}`: {}",
                failure.kind, failure.id, failure.plugin, failure.error
            ))),
            other => other.into(),
        })?;
        let config =
            self_contained(&config, &mut instance, |config| plugin.create(Kind::Strategy, &id, config))?;
        let swap = Swap {
            epoch: 0,
            index,
            replaced: old.id.clone(),
            id,
            config,
            plugin: plugin.metadata().name.clone(),
            version: plugin.metadata().version.clone(),
            source: request.plugin.clone(),
            file: copy.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            sha256: plugin.sha256().to_owned(),
        };
        Ok((swap, instance, Rc::new(plugin)))
    }

    /// Place of the strategy to replace.
    fn replaced(&self, id: Option<&str>) -> Result<usize, SwapError> {
        let strategies =
            || self.callbacks.iter().enumerate().filter(|(_, callback)| callback.kind() == Kind::Strategy);
        let fitting: Vec<usize> = strategies()
            .filter(|(_, callback)| id.is_none_or(|id| id == callback.id()))
            .map(|(index, _)| index)
            .collect();
        let problem = match (fitting.as_slice(), id) {
            ([index], _) => return Ok(*index),
            ([], None) => "there is no strategy to replace".to_owned(),
            ([], Some(id)) => format!("there is no strategy `{id}` to replace"),
            (_, None) => "name the one to replace with --replace".to_owned(),
            (_, Some(id)) => format!("there are several `{id}`, which cannot be told apart"),
        };
        let known: Vec<&str> = strategies().map(|(_, callback)| callback.id()).collect();
        Err(SwapError::Replaced { problem, known: known.join(", ") })
    }
}

/// The strategy of a plugin that is meant: as named, or that of the old one's id, or the only one.
fn chosen(plugin: &LoadedPlugin, file: &Path, named: Option<&str>, old: &str) -> Result<String, SwapError> {
    let items = plugin.metadata().items.iter().filter(|item| item.kind == Kind::Strategy);
    let ids: Vec<&str> = items.map(|item| item.id.as_str()).collect();
    let offered = ids.join(", ");
    let problem = match (named, ids.as_slice()) {
        (_, []) => "it offers no strategy".to_owned(),
        (Some(id), ids) if ids.contains(&id) => return Ok(id.to_owned()),
        (Some(id), _) => format!("it offers no strategy `{id}`, but {offered}"),
        (None, ids) if ids.contains(&old) => return Ok(old.to_owned()),
        (None, [id]) => return Ok((*id).to_owned()),
        (None, _) => format!("it offers several strategies; choose one with --set id=…: {offered}"),
    };
    Err(SwapError::Offered { plugin: file.to_path_buf(), problem })
}
