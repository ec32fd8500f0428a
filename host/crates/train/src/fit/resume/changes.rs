//! Which keys of a run config are others than when the checkpoint was written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Map, Value, json};
use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::config::Config;

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::config::{CallbackTable, RunConfig};
use crate::error::Change;
use crate::model::HostModel;
use crate::parts::optimizer_config;
use thaw_data::DataConfig;
use thaw_files::sha256::sha256_file;
use thaw_loggers::LoggerConfig;
use thaw_plugins::PluginSet;

/// Keys with their values, defaults included.
type Keys = BTreeMap<String, Value>;

/// What both run configs are read with.
struct Reader<'a> {
    plugins: &'a PluginSet,
    model: &'a HostModel,
}

/// Every key whose value differs. Defaults are the same as written out, a file is known by its content, and a
/// folder by where it lies, however that is spelled.
///
/// # Errors
/// The checkpoint's run config is none.
pub fn changes(
    now: &RunConfig,
    saved: &RunConfig,
    checkpoint: &Checkpoint,
    plugins: &PluginSet,
    model: &HostModel,
) -> Result<Vec<Change>, Error> {
    let reader = Reader { plugins, model };
    let now = RunConfig::from_table(&now.path, with_saved_paths(now, checkpoint, plugins), &[])?;
    let (before, after) = (reader.keys(saved)?, reader.keys(&now)?);
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let value = |keys: &Keys, name: &str| keys.get(name).cloned().unwrap_or(Value::Null);
    let mut changes: Vec<Change> = names
        .into_iter()
        .map(|name| Change { key: name.clone(), from: value(&before, name), to: value(&after, name) })
        .filter(|change| change.from != change.to)
        .collect();
    changes.extend(reader.callbacks(&saved.callbacks, &now.callbacks));
    Ok(changes)
}

impl Reader<'_> {
    /// Everything but strategies and callbacks.
    fn keys(&self, config: &RunConfig) -> Result<Keys, Error> {
        let mut keys = Keys::new();
        let mut add = |table: &str, values: Value| {
            let Value::Object(values) = values else { return };
            keys.extend(values.into_iter().map(|(key, value)| (format!("{table}.{key}"), value)));
        };
        let mut model = config.given_model();
        if let Some(model) = model.as_object_mut() {
            fill_defaults(model, self.plugins.schema(&[Kind::Model], &config.model.id));
        }
        add("model", model);
        add("model", json!({ "id": config.model.id, "weights": config.table.pointer("/model/weights") }));
        let mut data = to_json(&config.data);
        if let (Some(data), Some(id)) =
            (data.as_object_mut(), config.data.as_ref().and_then(DataConfig::dataset_id))
        {
            fill_defaults(data, self.plugins.schema(&[Kind::Dataset], id));
        }
        add("data", data);
        add("optimizer", to_json(&optimizer_config(config, self.model)?));
        add("scheduler", to_json(&config.scheduler));
        let loss = config.loss.clone().unwrap_or_default().settled(self.model.task());
        add("loss", loss.to_value());
        add("trainer", config.trainer.to_value());
        add("checkpoint", config.checkpoint.to_value());
        keys.insert("seed".to_owned(), json!(config.seed));
        let plugins: Vec<&String> = config.plugins.iter().map(|entry| &entry.path).collect();
        keys.insert("plugins".to_owned(), json!(plugins));
        let loggers: Vec<Value> = config.loggers.iter().map(LoggerConfig::to_value).collect();
        keys.insert("loggers".to_owned(), json!(loggers));
        Ok(keys.into_iter().filter(|(_, value)| !value.is_null()).collect())
    }

    /// Ids that differ, and keys of those that are in both lists.
    fn callbacks(&self, before: &[CallbackTable], after: &[CallbackTable]) -> Vec<Change> {
        let ids = |callbacks: &[CallbackTable]| -> Vec<String> {
            callbacks.iter().map(|callback| callback.id.clone()).collect()
        };
        let mut changes = Vec::new();
        if ids(before) != ids(after) {
            let (from, to) = (json!(ids(before)), json!(ids(after)));
            changes.push(Change { key: "callbacks".to_owned(), from, to });
        }
        let mut left: Vec<&CallbackTable> = before.iter().collect();
        for (index, callback) in after.iter().enumerate() {
            let Some(same) = left.iter().position(|known| known.id == callback.id) else { continue };
            let known = left.remove(same);
            if known.config != callback.config {
                let (from, to) = (self.read(known), self.read(callback));
                changes.extend(differences(&format!("callbacks.{index}"), &from, &to));
            }
        }
        changes
    }

    /// A table as its plugin reads it, with all defaults; as it is where that fails.
    fn read(&self, callback: &CallbackTable) -> Value {
        let read = self.plugins.create(&callback.id, &callback.config).ok();
        read.and_then(|mut instance| instance.config().ok()).unwrap_or_else(|| callback.config.clone())
    }
}

fn to_json(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn fill_defaults(table: &mut Map<String, Value>, schema: &Value) {
    for (key, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if let Some(default) = property.get("default").filter(|_| !table.contains_key(key)) {
            table.insert(key.clone(), default.clone());
        }
    }
}

fn differences(table: &str, before: &Value, after: &Value) -> Vec<Change> {
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().into_iter().flat_map(|object| object.keys().cloned()).collect()
    };
    let value = |of: &Value, key: &str| of.get(key).cloned().unwrap_or_default();
    keys(before)
        .union(&keys(after))
        .map(|key| Change { key: format!("{table}.{key}"), from: value(before, key), to: value(after, key) })
        .filter(|change| change.from != change.to)
        .collect()
}

/// The resumed run's table, in which paths to what the checkpoint's run had are spelled as there, and one to
/// other content is not, even if it has the same name.
fn with_saved_paths(now: &RunConfig, checkpoint: &Checkpoint, plugins: &PluginSet) -> Value {
    let mut table = now.table.clone();
    for named in now.paths(|kinds, id| plugins.schema(kinds, id)) {
        let (Some(kept), Some(given)) =
            (checkpoint.state.given.paths.get(&named.key), checkpoint.state.given.config.pointer(&named.key))
        else {
            continue;
        };
        let Some(value) = table.pointer_mut(&named.key) else { continue };
        if is_same(&named.path, &checkpoint.folder().join(kept), named.is_needed) {
            value.clone_from(given);
        } else if value == given && named.is_needed {
            *value = json!(format!("{} (with other content)", named.path.display()));
        }
    }
    table
}

/// Whether two paths lead to the same. Where the model needs it, that is a matter of content.
fn is_same(path: &Path, before: &Path, is_needed: bool) -> bool {
    if is_needed && path.is_file() && before.is_file() {
        return sha256_file(path).ok() == sha256_file(before).ok();
    }
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path)).ok();
    path == before || real(path) == real(before)
}
