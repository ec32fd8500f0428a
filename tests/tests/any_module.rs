//! A module that PyTorch exported as TorchScript goes through the program like a model of a plugin's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use thaw_plugin_api::tch::{Device, Kind, Tensor};
use thaw_test_references::{Reference, formula};
use thaw_tests::{Run, fixtures, without_times};
use thaw_weights::read;

const EPOCHS_OF_RUN: usize = 3;

/// The backbone of `file` under a new head, on 24 pictures as tensors, thawed in the second epoch.
fn run(file: &str, module: &str, frozen_bn: &str) -> Run {
    let run = Run::new(&format!(
        r#"seed = 5
plugins = ["torchscript", "backbone_finetuning"]

[model]
id = "torchscript"
path = "model.pt"
module = "{module}"
num_classes = 5
image_size = 16
dropout = 0.2

[data]
kind = "tensors"
path = "data.safetensors"
batch_size = 8

[optimizer]
id = "adamw"
lr = 0.01
parameters = ["head"]

[[callbacks]]
id = "backbone-finetuning"
unfreeze_backbone_at_epoch = 1
frozen_bn = "{frozen_bn}"

[trainer]
max_epochs = {EPOCHS_OF_RUN}
audit = "warn"
"#
    ));
    fs::copy(fixtures().join("models/files").join(file), run.folder().join("model.pt"))
        .expect("a fixture can be copied");
    let labels = |count: i64| Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(5);
    let tensors = [
        ("x", formula::images(&[24, 3, 16, 16])),
        ("y", labels(24)),
        ("val_x", formula::images(&[10, 3, 16, 16])),
        ("val_y", labels(10)),
    ];
    Tensor::write_safetensors(&tensors, run.folder().join("data.safetensors"))
        .expect("tensors can be written");
    run
}

/// What the reference files hold under a name.
fn original(name: &str, values: &Tensor) -> Tensor {
    formula::values(name, &values.size(), Reference::read("files/torchscript.json").gain())
}

/// Values of the backbone's tensors in a checkpoint or file, by their names in the backbone.
fn backbone(path: &Path) -> BTreeMap<String, Tensor> {
    let file = read(path).unwrap();
    let within = file.entries().iter().filter_map(|entry| {
        Some((entry.name().strip_prefix("backbone.")?.to_owned(), entry.tensor().unwrap()))
    });
    within.collect()
}

fn batch_norms(record: &Value) -> Vec<(bool, bool)> {
    let norms = record["batch_norm"].as_object().unwrap().values();
    norms
        .map(|norm| (norm["training"].as_bool().unwrap(), norm["track_running_stats"].as_bool().unwrap()))
        .collect()
}

#[test]
fn it_freezes_thaws_trains_and_exports_under_pytorchs_names() {
    let run = run("script_backbone_head.pt", "backbone", "eval");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded().does_not_say("mode was asked for");
    let last = run.run_dir().join("checkpoints/last");
    let reference = Reference::read("files/torchscript.json").script("script_backbone_head.pt");
    let recorded: Vec<String> = reference.json()["state_dict"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["name"].as_str().unwrap().to_owned())
        .collect();
    let frozen = backbone(&last);
    for (name, values) in &frozen {
        let expected = original(&format!("backbone.{name}"), values);
        let counter = name.ends_with("num_batches_tracked");
        assert!(
            if counter { values.int64_value(&[]) == 0 } else { *values == expected },
            "{name} is frozen, and it is the file's"
        );
    }

    run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    let thawed = backbone(&last);
    assert!(
        thawed.iter().all(|(name, values)| *values != frozen[name]),
        "everything in the backbone trains or is tracked"
    );
    let groups = run.groups();
    assert_eq!(batch_norms(&groups[0]), [(false, true); 2]);
    assert_eq!(batch_norms(groups.last().unwrap()), [(true, true); 2]);

    run.host([
        "export",
        "--checkpoint",
        "run/checkpoints/last",
        "--module",
        "backbone",
        "--output",
        "backbone.safetensors",
    ])
    .succeeded();
    let exported = read(run.folder().join("backbone.safetensors")).unwrap();
    let exported: Vec<String> =
        exported.entries().iter().map(|entry| format!("backbone.{}", entry.name())).collect();
    let mut expected: Vec<String> =
        recorded.into_iter().filter(|name| name.starts_with("backbone.")).collect();
    let mut found = exported;
    expected.sort();
    found.sort();
    assert_eq!(found, expected, "the names that `load_state_dict` of the module asks for");
}

#[test]
fn a_run_that_was_ended_goes_on_as_if_it_had_not_been() {
    let straight = run("script_backbone_head.pt", "backbone", "batch-stats");
    straight.fit(&[]).succeeded();
    let resumed = run("script_backbone_head.pt", "backbone", "batch-stats");
    resumed.fit(&["--set", "trainer.max_epochs=2"]).succeeded();
    resumed.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    let bytes = |run: &Run, name: &str| fs::read(run.run_dir().join(name)).unwrap();
    for name in ["checkpoints/last/model.safetensors", "checkpoints/last/optimizer.safetensors"] {
        assert!(bytes(&straight, name) == bytes(&resumed, name), "{name}");
    }
    for name in ["metrics.jsonl", "groups.jsonl"] {
        assert_eq!(without_times(&bytes(&straight, name)), without_times(&bytes(&resumed, name)), "{name}");
    }
}

#[test]
fn predictions_do_not_need_the_file_any_more_and_may_take_another() {
    let run = run("script_tuple.pt", "", "eval");
    run.fit(&["--set", "model.output='1'", "--set", "trainer.max_epochs=1"]).succeeded();
    let predict = |more: &[&str]| {
        run.host(
            ["predict", "--checkpoint", "run", "--input", "data.safetensors", "--output", "out.csv"]
                .iter()
                .chain(more),
        )
    };
    predict(&[]).succeeded();
    let before = fs::read_to_string(run.folder().join("out.csv")).unwrap();
    assert_eq!(before.lines().count(), 25, "{before}");
    fs::rename(run.folder().join("model.pt"), run.folder().join("moved.pt")).unwrap();
    for more in [&[][..], &["--set", "model.path=moved.pt"]] {
        predict(more).succeeded();
        assert_eq!(fs::read_to_string(run.folder().join("out.csv")).unwrap(), before);
    }
    predict(&["--set", "model.path=gone.pt"])
        .failed(2, &["[model]", "there is no TorchScript file gone.pt", "`--set model.path=…`"]);
}

#[test]
fn a_traced_file_stays_in_its_mode_and_the_records_say_so() {
    let run = run("trace_classifier.pt", "features", "train");
    let finished = run.fit(&[]).succeeded();
    let finished = finished.says(
        "evaluation mode is part of its code, as tracing leaves it: features.block1.bn, features.block2.bn \
         stay in it",
    );
    finished.says(
        "training mode was asked for, but these modules know evaluation mode only and stay in it: \
         backbone.block1.bn, backbone.block2.bn",
    );
    for record in run.groups() {
        assert_eq!(batch_norms(&record), [(false, true); 2], "{record}");
    }
    let state = backbone(&run.run_dir().join("checkpoints/last"));
    assert_eq!(state["block1.bn.num_batches_tracked"].int64_value(&[]), 0);
    let weight = &state["block1.bn.weight"];
    assert_ne!(*weight, original("features.block1.bn.weight", weight), "its parameters train all the same");
}

#[test]
fn weights_without_code_are_no_model() {
    let run = run("small.pt", "", "eval");
    run.fit(&[]).failed(
        2,
        &["run.toml", "[model]", "model.pt holds weights without code", "torch.jit.script(module).save"],
    );
}
