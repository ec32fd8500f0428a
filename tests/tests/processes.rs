//! Several processes train as one does whose batches are as many times larger: over Gloo, on the CPU.

use serde_json::{Value, json};
use thaw_tests::{Finished, Run, fixtures, read_tensors};

/// 40 samples of training and some of validation, in batches that come out even over no number of processes.
fn run(batch_size: usize, more: &str) -> Run {
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

[trainer]
max_epochs = 3
log_every_n_steps = 1
frozen_cache = "off"
timeout = 60
{more}"#
    ));
    run.write("case.json", model().to_string());
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

fn succeeded(finished: Vec<Finished>) {
    finished.into_iter().for_each(|finished| drop(finished.succeeded()));
}

/// Numbers of records and weights agree, but for rounding.
fn assert_close(run: &Run, found: &str, expected: &str) {
    let numbers = |record: &Value| -> Vec<(String, f64)> {
        let fields = record.as_object().into_iter().flatten().filter(|(name, _)| *name != "seconds");
        fields.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect()
    };
    let (one, many) = (run.records_of(expected, "metrics.jsonl"), run.records_of(found, "metrics.jsonl"));
    assert_eq!(one.len(), many.len(), "{found}: as many records");
    for (one, many) in one.iter().zip(&many) {
        let (expected, numbers) = (numbers(one), numbers(many));
        assert_eq!(expected.len(), numbers.len(), "{found}: {one} {many}");
        for ((name, expected), (_, found)) in expected.iter().zip(&numbers) {
            assert!((expected - found).abs() <= 1e-5 * expected.abs().max(1.0), "{name}: {one}\n{many}");
        }
    }
    let weights = |name: &str| {
        read_tensors(&run.folder().join(name).join("checkpoints/last/model.safetensors")).unwrap()
    };
    for ((name, expected), (_, found)) in weights(expected).iter().zip(&weights(found)) {
        for (expected, found) in expected.iter().zip(found) {
            assert!((expected - found).abs() <= 1e-5, "{name}: {expected} {found}");
        }
    }
}

#[test]
fn several_processes_train_as_one_with_batches_of_all() {
    for more in ["", "accumulate_grad_batches = 2\nweighting = \"samples\"\ngradient_clip_val = 0.5\n"] {
        for (processes, of_each) in [(2, 3), (3, 2)] {
            let run = run(of_each, more);
            run.fit(&["--set", "data.batch_size=6", "--set", "data.val_batch_size=6"]).succeeded();
            succeeded(run.fit_in(processes, "many", &[]));
            assert_close(&run, "many", "run");
        }
    }
}
