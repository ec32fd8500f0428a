//! Several processes that train one model, over Gloo, on the CPU.

mod asked;
mod batch_norms;
mod cluster;
mod early;
mod failures;
mod kills;
mod launch;
mod reference;
mod resume;
mod same;

use serde_json::{Value, json};
use thaw_tests::{Finished, Run, fixtures};

/// 40 samples of training and some of validation, in batches that come out even over no number of processes.
fn run(batch_size: usize, more: &str) -> Run {
    run_with(&model(), batch_size, more)
}

fn run_with(model: &Value, batch_size: usize, more: &str) -> Run {
    let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
    let run = Run::new(&format!(
        r#"seed = 3
plugins = ["case_model", "case_strategies", "backbone_finetuning"]

[model]
id = "case-model"
case = "case.json"

[data]
kind = "tensors"
path = {data:?}
batch_size = {batch_size}
val_batch_size = {batch_size}
shuffle = true

[optimizer]
id = "sgd"
lr = 0.1
momentum = 0.9
parameters = ["head"]

[[callbacks]]
id = "backbone-finetuning"
unfreeze_backbone_at_epoch = 1
lambda_func = 1.5

[[callbacks]]
id = "case-stop"

[trainer]
max_epochs = 3
log_every_n_steps = 1
frozen_cache = "off"
timeout = 60
{more}"#
    ));
    run.write("case.json", model.to_string());
    run
}

/// Without batch norms and dropout: each process has its own statistics and random numbers.
fn model() -> Value {
    let linear = |name: &str, from: usize, to: usize| {
        json!({ "name": name, "type": "Linear",
        "in_features": from, "out_features": to, "bias": true })
    };
    json!({
        "model": { "kind": "mlp_bn" },
        "modules": [
            { "name": "backbone", "type": "Sequential", "own_parameters": [] },
            linear("backbone.0", 16, 12),
            { "name": "backbone.1", "type": "ReLU" },
            linear("backbone.2", 12, 10),
            { "name": "head", "type": "Sequential", "own_parameters": [] },
            linear("head.0", 10, 4),
        ],
    })
}

/// Random numbers and statistics of each process' own.
fn random_model() -> Value {
    let linear = |name: &str, from: usize, to: usize| {
        json!({ "name": name, "type": "Linear",
        "in_features": from, "out_features": to, "bias": true })
    };
    json!({
        "model": { "kind": "mlp_bn" },
        "modules": [
            { "name": "backbone", "type": "Sequential", "own_parameters": [] },
            linear("backbone.0", 16, 12),
            { "name": "backbone.1", "type": "BatchNorm1d", "num_features": 12, "eps": 1e-5, "momentum": 0.1 },
            { "name": "backbone.2", "type": "ReLU" },
            { "name": "backbone.3", "type": "Dropout", "p": 0.4 },
            linear("backbone.4", 12, 10),
            { "name": "head", "type": "Sequential", "own_parameters": [] },
            linear("head.0", 10, 4),
        ],
    })
}

#[track_caller]
fn succeeded(finished: Vec<Finished>) {
    finished.into_iter().for_each(|finished| drop(finished.succeeded()));
}
