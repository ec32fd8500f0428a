//! `host export --hf`: a directory that transformers' `from_pretrained` loads.

mod config;
mod processor;
mod tokenizer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::{Kind, Tensor};
use thaw_plugin_api::abi;

use crate::Error;
use crate::cli::outputs::Inputs;
use crate::cli::run_plugins::{self, Needs};
use crate::cli::{Options, print};
use crate::error::io;
use thaw_data::{DataConfig, Source};
use thaw_files::durable;
use thaw_plugins::PluginSet;
use thaw_train::checkpoint::Checkpoint;
use thaw_train::config::RunConfig;
use thaw_train::fit::{input_defaults, name_files, take_count};
use thaw_train::model::HostModel;
use thaw_train::parts::in_layout;
use thaw_weights::{WriteOptions, write_safetensors};

const CONFIG: &str = "config.json";
const MODEL: &str = "model.safetensors";
/// The layout of models that have several which has transformers' names.
const LAYOUT: &str = "sequence-classification";
/// How transformers' classes end that are written here, and what loads them.
const CLASSES: [(&str, &str); 2] = [
    ("ForSequenceClassification", "AutoModelForSequenceClassification"),
    ("ForImageClassification", "AutoModelForImageClassification"),
];

/// A model under transformers' names.
struct Named {
    model: HostModel,
    tensors: Vec<(String, Tensor)>,
    /// transformers' class, such as `BertForSequenceClassification`.
    class: String,
    /// What loads it.
    auto: &'static str,
}

/// Writes the directory; it appears when it is complete.
///
/// # Errors
/// There is something at its place, transformers has no class for the model, a file that cannot be written.
pub(super) fn write(
    options: &Options,
    checkpoint: &Checkpoint,
    folder: &Path,
    kind: Option<Kind>,
    tensors: Vec<(String, Tensor)>,
) -> Result<(), Error> {
    Inputs::default().checkpoint(checkpoint).refuse("--hf", folder)?;
    if folder.symlink_metadata().is_ok() && !is_empty(folder) {
        let shown = folder.display();
        let message = format!("--hf {shown}: there is something already; name a new directory");
        return Err(Error::Usage(message));
    }
    let mut config = checkpoint.config(&[])?;
    let plugins = run_plugins::load(options, &config, Some(checkpoint), Needs::Model)?;
    name_files(&mut config, &plugins);
    take_count(&mut config, checkpoint);
    let named = named(&config, &plugins, tensors)?;
    let written = config::of(&config, checkpoint, &named, kind)?;
    let fresh = durable::temporary(0o777).prefix(".export-").tempdir_in(durable::folder_of(folder));
    let fresh = fresh.map_err(io(folder))?;
    let within = |name: &str| fresh.path().join(name);
    let json = |name: &str, value: &Value| -> Result<(), Error> {
        let text = serde_json::to_string_pretty(value).map_err(|error| io(folder)(error.into()))?;
        durable::write(&within(name), (text + "\n").as_bytes()).map_err(io(folder))
    };
    json(CONFIG, &written)?;
    let mut files = vec![CONFIG.to_owned()];
    let write = WriteOptions { kind, ..WriteOptions::default() };
    let weights = write_safetensors(&within(MODEL), &named.tensors, &BTreeMap::new(), &write)?;
    if let Some(file) = tokenizer_of(&config) {
        let made = tokenizer::of(&file, &config, &named.model, &written)?;
        durable::write(&within(tokenizer::FILE), &made.tokenizer).map_err(io(folder))?;
        json(tokenizer::CONFIG, &made.config)?;
        files.extend([tokenizer::FILE, tokenizer::CONFIG].map(str::to_owned));
    }
    if let Some(data) = config.data.as_ref().filter(|data| data.has_pictures()) {
        json(processor::FILE, &processor::of(&data.images, &input_defaults(&named.model)))?;
        files.push(processor::FILE.to_owned());
    }
    durable::replace_folder(fresh, folder).map_err(io(folder))?;
    if options.quiet {
        return Ok(());
    }
    print(format_args!(
        "{}: {}, {MODEL} ({} tensors, {} bytes, SHA-256 {})\nin Python: {}.from_pretrained({:?})",
        folder.display(),
        files.join(", "),
        weights.tensors,
        weights.bytes,
        weights.sha256,
        named.auto,
        folder.display().to_string()
    ))
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().is_ok_and(|mut entries| entries.next().is_none())
}

/// The trained model in the layout that has transformers' names.
fn named(config: &RunConfig, plugins: &PluginSet, tensors: Vec<(String, Tensor)>) -> Result<Named, Error> {
    let mut table = config.model.clone();
    let schema = plugins.schema(&[abi::Kind::Model], &table.id);
    let layouts = schema.pointer("/properties/layout").map(Value::to_string).unwrap_or_default();
    let mut tensors = tensors;
    let mut model = HostModel::create(plugins, &table.id, &table.config)?;
    if layouts.contains(LAYOUT) && class_of(&model).is_none() {
        tensors = in_layout(plugins, &table, LAYOUT, tensors).map_err(|error| {
            Error::Usage(format!(
                "--hf: transformers has no model with this head ({error}); train in the layout \"{LAYOUT}\", \
                 which `path = \"DIR\"` takes where neither `layout` nor `pooling` is given"
            ))
        })?;
        if let Some(keys) = table.config.as_object_mut() {
            keys.remove("freeze_features");
            keys.insert("layout".to_owned(), json!(LAYOUT));
        }
        model = HostModel::create(plugins, &table.id, &table.config)?;
    }
    let Some((class, auto)) = class_of(&model) else {
        return Err(Error::Usage(format!(
            "--hf: transformers has no class for the model `{}` with these names; those of the plugin \
             `text`, and the `…-classifier`s of `vision`, can be written so",
            table.id
        )));
    };
    Ok(Named { model, tensors, class, auto })
}

/// The class that the whole model is called, where transformers has such.
fn class_of(model: &HostModel) -> Option<(String, &'static str)> {
    let root = model.tree().modules().iter().find(|module| module.path.is_empty())?;
    let (_, auto) = CLASSES.iter().find(|(end, _)| root.kind.ends_with(end))?;
    Some((root.kind.clone(), auto))
}

/// The file of the run's tokenizer.
fn tokenizer_of(config: &RunConfig) -> Option<PathBuf> {
    match config.data.as_ref().map(|data: &DataConfig| &data.source)? {
        Source::Text(text) => Some(text.tokenizer.clone()),
        Source::Plugin(plugin) => plugin.keys.get("tokenizer").and_then(Value::as_str).map(PathBuf::from),
        _ => None,
    }
}
