//! `[model] path`: a directory of Hugging Face in the place of an id and its files.

mod pictures;
mod place;

use serde_json::{Map, Value, json};
use thaw_plugin_api::config::ConfigError as KeyError;

use place::Place;

const KEY: &str = "model.path";
const CONFIG: &str = "config.json";
const PREPROCESSOR: &str = "preprocessor_config.json";
/// How the classes end that have a trained head.
const TRAINED: [&str; 2] = ["ForSequenceClassification", "ForImageClassification"];
/// Kinds of data with keys of pictures.
const OF_PICTURES: [&str; 3] = ["image-folder", "list", "cifar10"];

/// A model that a run config names by its directory alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubModel {
    /// As given.
    pub path: String,
    /// The class that its `config.json` names, such as `BertForSequenceClassification`.
    pub class: Option<String>,
    /// What comes of the head in its files.
    pub head: HubHead,
    /// What the outputs of that head mean, in their order, as `id2label` says.
    pub classes: Vec<String>,
}

/// The head in the files of a [`HubModel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HubHead {
    /// It classifies texts or pictures, and is kept where its classes are the data's.
    Trained,
    /// There is none, or it is one of another task: a new one is trained.
    None,
    /// The run config names weights of its own.
    NotAsked,
}

/// Puts what a directory says in the place of `[model] path`: id, `config` and `weights` of the model,
/// tokenizer or preparation of pictures in `[data]`, target and loss of its problem. What the run config says
/// itself stays. With an `id` the key is the model's own.
///
/// # Errors
/// There is no such directory, or it is no model's.
pub(super) fn expand(table: &mut Value) -> Result<Option<HubModel>, KeyError> {
    let Some(model) = table.get("model").and_then(Value::as_object) else { return Ok(None) };
    let (Some(path), None) = (model.get("path"), model.get("id")) else { return Ok(None) };
    let found = path.to_string();
    let path = path.as_str().ok_or_else(|| KeyError::value(KEY, found, "a text: a directory"))?.to_owned();
    let place = Place::of(&path)?;
    let file = place.file(CONFIG).map_err(|reason| {
        let expected = format!(
            "a directory as transformers' save_pretrained writes it, with a {CONFIG}, or \
             hf://organisation/name; other models have an `id` ({reason})"
        );
        KeyError::value(KEY, format!("{path:?}"), expected)
    })?;
    let config = read(&file)?;
    let id = config.get("model_type").and_then(Value::as_str).ok_or_else(|| {
        let expected = "one that says its `model_type`: give `id`, `weights` and `config` instead";
        KeyError::value(KEY, format!("{path:?}, whose {CONFIG} does not say what it is"), expected)
    })?;
    let class = config.pointer("/architectures/0").and_then(Value::as_str).map(str::to_owned);
    let is_trained = class.as_ref().is_some_and(|class| TRAINED.iter().any(|end| class.ends_with(end)));
    let head = match (model.contains_key("weights"), is_trained) {
        (true, _) => HubHead::NotAsked,
        (false, true) => HubHead::Trained,
        (false, false) => HubHead::None,
    };
    let data = of_data(table, &place, &config)?;
    let mut said = vec![format!("model.id = {id:?}")];
    said.extend(data.iter().map(|(key, value)| format!("data.{key} = {value}")));
    let given = [("id", json!(id)), ("config", json!(file)), ("weights", json!(place.weights()))];
    fill(table, "model", given.map(|(key, value)| (key.to_owned(), value)));
    fill(table, "data", data);
    if let Some(loss) = of_loss(table, &config) {
        said.push(format!("loss.kind = {}", loss["kind"]));
        table["loss"] = loss;
    }
    if let Some(model) = table.get_mut("model").and_then(Value::as_object_mut) {
        model.remove("path");
    }
    tracing::info!("model.path = {path:?}: {}", said.join(", "));
    Ok(Some(HubModel { path, class, head, classes: labels(&config) }))
}

fn read(file: &std::path::Path) -> Result<Value, KeyError> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let json = text.and_then(|text| serde_json::from_str(&text).map_err(|error| error.to_string()));
    json.map_err(|error| KeyError::value(KEY, format!("{}: {error}", file.display()), "JSON"))
}

/// Gives a section keys that it does not have; one that is not there stays so.
fn fill(table: &mut Value, section: &str, keys: impl IntoIterator<Item = (String, Value)>) {
    let Some(section) = table.get_mut(section).and_then(Value::as_object_mut) else { return };
    for (key, value) in keys {
        section.entry(key).or_insert(value);
    }
}

/// The keys of `[data]` that the directory gives, and the run config does not.
fn of_data(table: &Value, place: &Place, config: &Value) -> Result<Map<String, Value>, KeyError> {
    let mut keys = Map::new();
    let Some(data) = table.get("data").and_then(Value::as_object) else { return Ok(keys) };
    let kind = data.get("kind").and_then(Value::as_str).unwrap_or_default();
    if kind == "text" && !data.contains_key("tokenizer") {
        keys.insert("tokenizer".to_owned(), json!(place.tokenizer()));
    }
    if OF_PICTURES.contains(&kind) {
        match place.file(PREPROCESSOR) {
            Ok(file) => keys.extend(pictures::keys(&read(&file)?, &file)),
            Err(_) => tracing::warn!(
                "the directory of model.path has no {PREPROCESSOR}: pictures are prepared as [data] says, \
                 which by default is as torchvision's models have it"
            ),
        }
    }
    if ["text", "list"].contains(&kind)
        && let Some(target) = target(config)
    {
        keys.insert("target".to_owned(), json!(target));
    }
    keys.retain(|key, _| !data.contains_key(key));
    Ok(keys)
}

/// The names of `id2label`, in the order of the outputs, as far as they are there in a row; those of two
/// outputs where it is missing, which is how transformers writes its default.
fn labels(config: &Value) -> Vec<String> {
    match config.get("id2label").filter(|labels| !labels.is_null()) {
        Some(labels) => {
            let label = |index: usize| Some(labels.get(index.to_string())?.as_str()?.to_owned());
            (0..).map_while(label).collect()
        }
        None => ["LABEL_0", "LABEL_1"].map(str::to_owned).into(),
    }
}

/// What labels are, where the model's problem is not one class of several.
fn target(config: &Value) -> Option<&'static str> {
    match config.get("problem_type").and_then(Value::as_str) {
        Some("regression") => Some("value"),
        Some("multi_label_classification") => Some("labels"),
        // One output is a number.
        None if labels(config).len() == 1 => Some("value"),
        _ => None,
    }
}

/// The loss of several labels, where the data has such and the run config says nothing.
fn of_loss(table: &Value, config: &Value) -> Option<Value> {
    let has_labels = table.pointer("/data/target").and_then(Value::as_str) == Some("labels");
    let is_free = table.get("loss").is_none_or(Value::is_null);
    (target(config) == Some("labels") && has_labels && is_free).then(|| json!({ "kind": "bce" }))
}

#[cfg(test)]
mod tests;
