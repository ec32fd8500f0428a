//! Folders of Hugging Face in the place of the files in them.

mod head;
mod vocabulary;

pub(super) use head::settle_head;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thaw_plugin_api::abi::Kind;

use crate::checkpoint::Checkpoint;
use crate::config::RunConfig;
use thaw_data::Source;
use thaw_plugins::PluginSet;

const CONFIG: &str = "config.json";
const TOKENIZER: &str = "tokenizer.json";
/// The layout with transformers' names, and its head.
const LAYOUT: &str = "sequence-classification";

/// Where a run config names a folder, the file in it is meant: `model.config` its `config.json`,
/// `data.tokenizer` its `tokenizer.json`. Where the model takes a `config` and none is given, it is the
/// `config.json` of the folder that `weights` names, and said.
///
/// A folder that does not have the file stays as it is: who opens it says what it lacks.
pub fn name_files(config: &mut RunConfig, plugins: &PluginSet) {
    let schema = plugins.schema(&[Kind::Model], &config.model.id);
    if schema.pointer("/properties/config").is_some_and(is_path) {
        match config.model.config.get("config").and_then(Value::as_str) {
            Some(given) => {
                if let Some(file) = file_in(Path::new(given), CONFIG) {
                    config.set_model_key("config", json!(file));
                }
            }
            None => take_beside_weights(config),
        }
    }
    if let Some(Source::Text(text)) = config.data.as_mut().map(|data| &mut data.source)
        && let Some(file) = file_in(&text.tokenizer, TOKENIZER)
    {
        if let Some(given) = config.table.pointer_mut("/data/tokenizer") {
            *given = json!(file);
        }
        text.tokenizer = file;
    }
    name_tokenizer_of_plugin(config);
    vocabulary::make_tokenizer(config);
    take_layout(config, schema);
}

/// A directory that is the model has transformers' names of modules, where nothing else is asked for.
fn take_layout(config: &mut RunConfig, schema: &Value) {
    let has = |key: &str| config.model.config.get(key).is_some();
    let is_free =
        !has("layout") && !has("pooling") && config.model.config.get("num_classes") != Some(&json!(0));
    let offers =
        schema.pointer("/properties/layout").is_some_and(|layout| layout.to_string().contains(LAYOUT));
    if config.hub.is_some() && is_free && offers {
        config.set_model_key("layout", json!(LAYOUT));
    }
}

/// The weights that a resumed run started from, where the same directory names them: what was left out of
/// them depended on the data.
pub(super) fn take_weights(config: &mut RunConfig, checkpoint: &Checkpoint) {
    let saved = checkpoint.state.given.config.pointer("/model/weights");
    let path = |weights: &Value| weights.get("path").or(Some(weights)).cloned();
    let given = config.table.pointer("/model/weights");
    let is_same = saved.and_then(path) == given.and_then(path);
    if let (true, true, Some(saved)) = (config.hub.is_some(), is_same, saved)
        && let Some(weights) = config.table.pointer_mut("/model/weights")
    {
        weights.clone_from(saved);
    }
}

/// The same for the texts of a plugin's data set.
fn name_tokenizer_of_plugin(config: &mut RunConfig) {
    let Some(Source::Plugin(plugin)) = config.data.as_mut().map(|data| &mut data.source) else { return };
    let folder = plugin.keys.get("tokenizer").and_then(serde_json::Value::as_str).map(PathBuf::from);
    let Some(file) = folder.and_then(|folder| file_in(&folder, TOKENIZER)) else { return };
    let Some(text) = file.to_str() else { return };
    plugin.keys.insert("tokenizer".to_owned(), text.into());
    if let Some(given) = config.table.pointer_mut("/data/tokenizer") {
        *given = json!(text);
    }
}

fn take_beside_weights(config: &mut RunConfig) {
    let weights = config.model.weights.as_ref().map(|weights| weights.path.as_path());
    if let Some(file) = weights.and_then(|folder| file_in(folder, CONFIG)) {
        tracing::info!("model.config = {file:?}: it lies beside the weights, and nothing else was given");
        config.set_model_key("config", json!(file));
    }
}

fn file_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let file = folder.join(name);
    (folder.is_dir() && file.is_file()).then_some(file)
}

/// Whether a schema is that of a path, or of a path or nothing.
fn is_path(schema: &Value) -> bool {
    schema.get("format").is_some_and(|format| format == "path")
}
