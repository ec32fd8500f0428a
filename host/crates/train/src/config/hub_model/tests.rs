//! What becomes of `[model] path`.

use serde_json::{Value, json};

use super::super::RunConfig;
use super::*;

fn directory(config: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(CONFIG), config.to_string()).unwrap();
    folder
}

fn expanded(folder: &tempfile::TempDir, mut table: Value) -> (Value, HubModel) {
    table["model"]["path"] = json!(folder.path());
    let config = RunConfig::from_table("run.toml".as_ref(), table, &[]).unwrap();
    (config.table, config.hub.unwrap())
}

/// As transformers writes a model of its two default labels.
#[test]
fn a_head_without_names_has_two_outputs() {
    let folder = directory(&json!({
        "model_type": "bert", "architectures": ["BertForSequenceClassification"],
    }));
    let data = json!({ "kind": "text", "path": "a.csv" });
    let (table, hub) = expanded(&folder, json!({ "model": {}, "data": data }));
    assert_eq!((hub.head, hub.classes), (HubHead::Trained, vec!["LABEL_0".to_owned(), "LABEL_1".to_owned()]));
    assert_eq!(table["data"].get("target"), None);
}

#[test]
fn a_directory_gives_what_the_run_config_leaves_open() {
    let folder = directory(&json!({
        "model_type": "bert", "architectures": ["BertForSequenceClassification"],
        "problem_type": "multi_label_classification",
    }));
    let data = json!({ "kind": "text", "path": "a.csv" });
    let (table, hub) = expanded(&folder, json!({ "model": { "pooling": "mean" }, "data": data }));
    assert_eq!(table["model"]["id"], "bert");
    assert_eq!(table["model"]["pooling"], "mean");
    assert_eq!(table["model"].get("path"), None);
    assert_eq!(table["model"]["weights"], json!(folder.path()));
    assert_eq!(table["model"]["config"], json!(folder.path().join(CONFIG)));
    assert_eq!(table["data"]["tokenizer"], json!(folder.path()));
    assert_eq!((&table["data"]["target"], &table["loss"]["kind"]), (&json!("labels"), &json!("bce")));
    assert_eq!(hub.head, HubHead::Trained);

    let data = json!({ "kind": "text", "path": "a.csv", "tokenizer": "own.json", "target": "class" });
    let model = json!({ "weights": "own.safetensors" });
    let (table, hub) = expanded(&folder, json!({ "model": model, "data": data }));
    assert_eq!(table["data"], data);
    assert_eq!(table["model"]["weights"], "own.safetensors");
    assert_eq!((table.get("loss"), hub.head), (None, HubHead::NotAsked));
}

#[test]
fn what_is_no_such_directory_is_refused_with_what_is() {
    let refused = |path: &str| {
        let table = json!({ "model": { "path": path } });
        RunConfig::from_table("run.toml".as_ref(), table, &[]).unwrap_err().to_string()
    };
    let nothing = refused("no-such-model");
    assert!(nothing.contains("model.path") && nothing.contains("save_pretrained"), "{nothing}");
    assert!(refused("hf://bert").contains("hf://organisation/name"), "{}", refused("hf://bert"));
    let folder = directory(&json!({}));
    let unnamed = refused(folder.path().to_str().unwrap());
    assert!(unnamed.contains("model_type"), "{unnamed}");
}

#[test]
fn with_an_id_the_key_is_the_models_own() {
    let table = json!({ "model": { "id": "torch-export", "path": "a.pt2" } });
    let config = RunConfig::from_table("run.toml".as_ref(), table.clone(), &[]).unwrap();
    assert_eq!((config.table, config.hub), (table, None));
}
