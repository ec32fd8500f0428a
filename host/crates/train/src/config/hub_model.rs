//! `[model] path`: a directory of Hugging Face in the place of an id and its files.

mod family;
mod pictures;
mod place;
mod problem;
mod processor;
mod size;

use serde_json::{Map, Value, json};
use thaw_plugin_api::config::ConfigError as KeyError;

pub use family::{FAMILIES, Family, Inputs, PictureSize};
use place::Place;
use problem::Problem;

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
    /// There is none, or one that does not classify: a new one is trained.
    None,
    /// It gives numbers, and the data has classes, or the other way round: a new one is trained.
    OtherProblem,
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
             hf://organisation/name; other models have an `id` ({reason}). A run that began with it goes \
             on by `host fit --resume RUN_DIR`"
        );
        KeyError::value(KEY, format!("{path:?}"), expected)
    })?;
    let config = read(&file)?;
    let id = config.get("model_type").and_then(Value::as_str).ok_or_else(|| {
        let expected = "one that says its `model_type`: give `id`, `weights` and `config` instead";
        KeyError::value(KEY, format!("{path:?}, whose {CONFIG} does not say what it is"), expected)
    })?;
    let class = config.pointer("/architectures/0").and_then(Value::as_str).map(str::to_owned);
    let id = id.to_owned();
    let mut model = model.clone();
    let (mut said, mut fit) = (vec![format!("model.id = {id:?}")], size::Fit::AsTheyAre);
    let mut keys = of_data(table, &place, &config)?;
    let data = table.get("data").and_then(Value::as_object).cloned().unwrap_or_default();
    if let (Some(size), true) = (Family::of(&id).and_then(Family::picture_size), has_pictures(&data)) {
        fit = size::settle(&mut model, &data, &mut keys, &config, size)?;
    }
    keys.retain(|key, _| !data.contains_key(key));
    let asked = Problem::of_data(&data, &keys);
    let head = head_of(&model, class.as_deref(), &config, asked);
    if head == HubHead::OtherProblem && asked == Some(Problem::Number) {
        model.entry("num_classes").or_insert(json!(1));
    }
    let own = table.get("model").and_then(Value::as_object).cloned().unwrap_or_default();
    let more = model.iter().filter(|(key, _)| !own.contains_key(*key));
    said.extend(more.map(|(key, value)| format!("model.{key} = {value}")));
    said.extend(keys.iter().map(|(key, value)| format!("data.{key} = {value}")));
    let given = [("id", json!(id)), ("config", json!(file)), ("weights", weights(&place, fit))]
        .map(|(key, value)| (key.to_owned(), value));
    table["model"] = Value::Object(model);
    fill(table, "model", given);
    fill(table, "data", keys);
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

/// What comes of the head in the files of a directory.
fn head_of(
    model: &Map<String, Value>,
    class: Option<&str>,
    config: &Value,
    asked: Option<Problem>,
) -> HubHead {
    let is_trained = class.is_some_and(|class| TRAINED.iter().any(|end| class.ends_with(end)));
    let is_number = |problem| problem == Problem::Number;
    let several = labels(config).len() != 1;
    match asked {
        _ if model.contains_key("weights") => HubHead::NotAsked,
        _ if !is_trained => HubHead::None,
        Some(asked) if is_number(asked) != is_number(Problem::of_config(config)) => HubHead::OtherProblem,
        Some(Problem::Number) if several => HubHead::OtherProblem,
        _ => HubHead::Trained,
    }
}

/// `[model] weights`.
fn weights(place: &Place, fit: size::Fit) -> Value {
    match fit {
        size::Fit::AsTheyAre => json!(place.weights()),
        size::Fit::Interpolated => {
            json!({ "path": place.weights(), "interpolate_embeddings": "transformers" })
        }
    }
}

/// Whether data has keys of pictures.
fn has_pictures(data: &Map<String, Value>) -> bool {
    data.get("kind").and_then(Value::as_str).is_some_and(|kind| OF_PICTURES.contains(&kind))
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
    if has_pictures(data) {
        let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
        let usual = Family::of(model_type).map_or("", Family::processor);
        match place.file(PREPROCESSOR) {
            Ok(file) => keys.extend(pictures::keys(&read(&file)?, &file, usual, data)?),
            Err(_) => tracing::warn!(
                "the directory of model.path has no {PREPROCESSOR}: pictures are prepared as [data] says, \
                 which by default is as torchvision's models have it"
            ),
        }
    }
    if ["text", "list"].contains(&kind) && !data.contains_key("target") {
        keys.extend(Problem::target(config)?.map(|target| ("target".to_owned(), json!(target))));
    }
    Ok(keys)
}

/// The names of `id2label`, in the order of the outputs, as far as they are there in a row; where it is
/// missing, those that transformers makes of `num_labels`, which is 2 by default.
fn labels(config: &Value) -> Vec<String> {
    match config.get("id2label").filter(|labels| !labels.is_null()) {
        Some(labels) => {
            let label = |index: usize| Some(labels.get(index.to_string())?.as_str()?.to_owned());
            (0..).map_while(label).collect()
        }
        None => {
            let count = config.get("num_labels").and_then(Value::as_u64).unwrap_or(2);
            (0..count).map(|index| format!("LABEL_{index}")).collect()
        }
    }
}

/// The loss of several labels, where the data has such and the run config says nothing.
fn of_loss(table: &Value, config: &Value) -> Option<Value> {
    let has_labels = table.pointer("/data/target").and_then(Value::as_str) == Some("labels");
    let is_free = table.get("loss").is_none_or(Value::is_null);
    (Problem::of_config(config) == Problem::Labels && has_labels && is_free).then(|| json!({ "kind": "bce" }))
}

#[cfg(test)]
mod tests;
