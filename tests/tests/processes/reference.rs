//! Against PyTorch's DistributedDataParallel: `tests/fixtures/ddp/record.py` has recorded it.

use serde_json::Value;
use thaw_tests::{Run, fixtures, read_tensors};

use super::succeeded;

/// A backbone with batch norms that thaws in the second epoch; the last batch leaves the first process a
/// sample less. No gradient can tell from a bias in front of a batch norm, so that it is left out.
#[test]
fn two_processes_train_as_distributed_data_parallel_does() {
    let folder = fixtures().join("ddp");
    let parity = fixtures().join("parity/bb_accumulate2_clip");
    let run = Run::new(&format!(
        r#"seed = 3
plugins = ["case_model", "backbone_finetuning"]

[model]
id = "case-model"
case = {case:?}
weights = {init:?}

[data]
kind = "tensors"
path = {data:?}
batch_size = 4
shuffle = false

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
max_epochs = 4
frozen_cache = "off"
timeout = 60
"#,
        case = parity.join("case.json"),
        init = parity.join("init.safetensors"),
        data = folder.join("data.safetensors"),
    ));
    succeeded(run.fit_in(2, "run", &[]));
    let text = std::fs::read_to_string(folder.join("losses.json")).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let expected: Vec<f64> =
        recorded["train_loss"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    let found: Vec<f64> = run.metrics().iter().filter_map(|record| record["train_loss"].as_f64()).collect();
    assert_eq!((expected.len(), found.len()), (4, 4));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() < 1e-5 * expected, "{found}, and {expected} in PyTorch");
    }
    let expected = read_tensors(&folder.join("final.safetensors")).unwrap();
    let found = read_tensors(&run.run_dir().join("checkpoints/last/model.safetensors")).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, expected) in expected.iter().filter(|(name, _)| *name != "backbone.3.bias") {
        for (found, expected) in found[name].iter().zip(expected) {
            assert!((found - expected).abs() < 2e-5, "{name}: {found}, and {expected} in PyTorch");
        }
    }
}
