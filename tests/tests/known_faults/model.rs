//! Small models, given by their modules, on a reference case's data (32 samples of 16 numbers, 4 classes).

use serde_json::{Value, json};
use thaw_tests::{Run, fixtures};

pub fn sequential(name: &str) -> Value {
    json!({ "name": name, "type": "Sequential" })
}

pub fn linear(name: &str, from: usize, to: usize) -> Value {
    json!({ "name": name, "type": "Linear", "in_features": from, "out_features": to, "bias": true })
}

pub fn batch_norm(name: &str, features: usize) -> Value {
    json!({ "name": name, "type": "BatchNorm1d", "num_features": features, "eps": 1e-5, "momentum": 0.1 })
}

pub fn relu(name: &str) -> Value {
    json!({ "name": name, "type": "ReLU" })
}

pub fn dropout(name: &str) -> Value {
    json!({ "name": name, "type": "Dropout", "p": 0.5 })
}

/// A run of the model of these modules, with stages `backbone` and `head`; the rest of the run config follows
/// `[data]`.
pub fn run(modules: &[Value], more: &str) -> Run {
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    let run = Run::new(&format!(
        "seed = 5\nplugins = [\"case_model\", \"case_strategies\", \"backbone_finetuning\"]\n\
         [model]\nid = \"case-model\"\ncase = \"case.json\"\n\
         [data]\nkind = \"tensors\"\npath = {data:?}\n{more}"
    ));
    run.write("case.json", json!({ "model": { "kind": "mlp_bn" }, "modules": modules }).to_string());
    run
}

/// Strings of a JSON list.
pub fn names(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Names of the parameters in every group of a record of `groups.jsonl`.
pub fn grouped(record: &Value) -> Vec<&str> {
    record["groups"].as_array().into_iter().flatten().flat_map(|group| names(&group["parameters"])).collect()
}
