//! `config.json` of an export: the one that the model was built from, with what the run changed.

use std::path::Path;

use serde_json::{Map, Value, json};
use tch::Kind;
use thaw_plugin_api::model::Task;

use super::Named;
use crate::Error;
use crate::error::io;
use thaw_train::checkpoint::Checkpoint;
use thaw_train::config::RunConfig;

/// Keys of `[model]` that are none of transformers'.
const OWN: [&str; 10] = [
    "config",
    "num_classes",
    "layout",
    "pooling",
    "add_pooling_layer",
    "freeze_features",
    "normalize",
    "output_attentions",
    "output_last_hidden_state",
    "classifier_dropout",
];
/// What the families call the dropout before the head.
const CLASSIFIER_DROPOUT: [&str; 4] =
    ["classifier_dropout", "classifier_dropout_prob", "seq_classif_dropout", "cls_dropout"];

/// The file of the model as it was trained. `kind` is the number format of its weights, where it is another
/// than theirs.
pub(super) fn of(
    config: &RunConfig,
    checkpoint: &Checkpoint,
    named: &Named,
    kind: Option<Kind>,
) -> Result<Value, Error> {
    let given = config.model.config.get("config").and_then(Value::as_str).ok_or_else(|| {
        Error::Usage(format!(
            "--hf: the model `{}` was not built from a config.json, which the directory needs: train with \
             `path = \"DIR\"` in [model], or with `config`",
            config.model.id
        ))
    })?;
    let mut keys = read(Path::new(given))?;
    for (key, value) in config.model.config.as_object().into_iter().flatten() {
        if !OWN.contains(&key.as_str()) && !value.is_null() {
            keys.insert(key.clone(), value.clone());
        }
    }
    if let Some(rate) = config.model.config.get("classifier_dropout").filter(|rate| !rate.is_null()) {
        for name in CLASSIFIER_DROPOUT.iter().filter(|name| keys.contains_key(**name)).collect::<Vec<_>>() {
            keys.insert((*name).to_string(), rate.clone());
        }
    }
    let class = class(&keys, &named.class);
    keys.insert("architectures".to_owned(), json!([class]));
    add_labels(&mut keys, &checkpoint.state.given.class_names, named);
    let problem = match named.model.task() {
        Task::Regression => "regression",
        _ if config.is_multi_label() => "multi_label_classification",
        _ => "single_label_classification",
    };
    keys.insert("problem_type".to_owned(), json!(problem));
    let dtype = json!(dtype(kind, named));
    // Older versions of transformers read the second.
    for key in ["dtype", "torch_dtype"] {
        if key == "dtype" || keys.contains_key(key) {
            keys.insert(key.to_owned(), dtype.clone());
        }
    }
    Ok(Value::Object(keys))
}

fn read(path: &Path) -> Result<Map<String, Value>, Error> {
    let text = std::fs::read_to_string(path).map_err(io(path))?;
    serde_json::from_str(&text).map_err(|error| io(path)(error.into()))
}

/// The class with the family's own name, where several families share the model: `XLMRobertaModel` becomes
/// `XLMRobertaForSequenceClassification`.
fn class(keys: &Map<String, Value>, of_model: &str) -> String {
    let ending = of_model.find("For").map(|place| &of_model[place..]).unwrap_or_default();
    let before = keys.get("architectures").and_then(|classes| classes.get(0)).and_then(Value::as_str);
    let family = before
        .and_then(|class| class.find("For").or_else(|| class.find("Model")).map(|place| &class[..place]));
    match family {
        Some(family) if !family.is_empty() => format!("{family}{ending}"),
        _ => of_model.to_owned(),
    }
}

/// Names of the outputs; where the run has none, transformers' `LABEL_0`, ….
fn add_labels(keys: &mut Map<String, Value>, names: &[String], named: &Named) {
    let outputs = named.model.description().num_classes.unwrap_or(1).max(1);
    let outputs = usize::try_from(outputs).unwrap_or(1);
    let name = |place: usize| match names.get(place).filter(|_| names.len() == outputs) {
        Some(name) => name.clone(),
        None => format!("LABEL_{place}"),
    };
    let by_number: Map<String, Value> =
        (0..outputs).map(|place| (place.to_string(), json!(name(place)))).collect();
    let by_name: Map<String, Value> = (0..outputs).map(|place| (name(place), json!(place))).collect();
    keys.remove("num_labels");
    keys.insert("id2label".to_owned(), Value::Object(by_number));
    keys.insert("label2id".to_owned(), Value::Object(by_name));
}

fn dtype(kind: Option<Kind>, named: &Named) -> &'static str {
    let own = named.tensors.iter().map(|(_, tensor)| tensor.kind());
    let own =
        own.into_iter().find(|kind| matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double));
    match kind.or(own) {
        Some(Kind::Half) => "float16",
        Some(Kind::BFloat16) => "bfloat16",
        Some(Kind::Double) => "float64",
        _ => "float32",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_keeps_the_familys_name() {
        let class_of = |before: Value| {
            let keys = Map::from_iter([("architectures".to_owned(), before)]);
            class(&keys, "RobertaForSequenceClassification")
        };
        for before in ["XLMRobertaModel", "XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification"] {
            assert_eq!(class_of(json!([before])), "XLMRobertaForSequenceClassification");
        }
        assert_eq!(class_of(Value::Null), "RobertaForSequenceClassification");
        assert_eq!(class_of(json!([])), "RobertaForSequenceClassification");
    }
}
