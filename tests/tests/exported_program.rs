//! A module that PyTorch exported with `torch.export` goes through the program like a model of a plugin's
//! own.

use std::collections::BTreeMap;
use std::fs;

use thaw_plugin_api::tch::{Device, Kind, Tensor};
use thaw_test_references::formula;
use thaw_tests::{Run, fixtures};
use thaw_weights::read;

/// The blocks of a small net with batch norm, dropout and stochastic depth under a new head, on 24 pictures
/// as tensors; the backbone thaws in the second epoch.
fn run() -> Run {
    let run = Run::new(
        r#"seed = 5
plugins = ["torch_export", "backbone_finetuning"]

[model]
id = "torch-export"
path = "model.pt2"
num_classes = 3
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

[trainer]
max_epochs = 3
"#,
    );
    fs::copy(fixtures().join("exported/convnet.pt2"), run.folder().join("model.pt2"))
        .expect("a fixture can be copied");
    let labels = |count: i64| Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(3);
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

fn tensors(run: &Run, file: &str) -> BTreeMap<String, Tensor> {
    let file = read(run.folder().join(file)).unwrap();
    file.entries().iter().map(|entry| (entry.name().to_owned(), entry.tensor().unwrap())).collect()
}

#[test]
fn it_freezes_thaws_and_exports_a_state_dict_of_the_module() {
    let run = run();
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let export = |name: &str| {
        let output = format!("{name}.safetensors");
        let words = ["export", "--checkpoint", "run/checkpoints/last", "--module", "backbone", "--output"];
        run.host(words.into_iter().chain([output.as_str()])).succeeded();
        tensors(&run, &output)
    };
    let frozen = export("frozen");
    let recorded = Tensor::read_safetensors(fixtures().join("exported/convnet.safetensors")).unwrap();
    let of_training =
        |name: &str| name.strip_prefix("sgd.param.").or(name.strip_prefix("sgd.buffer.")).map(str::to_owned);
    let mut expected: Vec<String> = recorded.iter().filter_map(|(name, _)| of_training(name)).collect();
    expected.sort_unstable();
    assert_eq!(
        frozen.keys().cloned().collect::<Vec<_>>(),
        expected,
        "the names that `load_state_dict` asks for"
    );
    run.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    let thawed = export("thawed");
    let moved = |name: &&String| thawed[*name] != frozen[*name];
    let still: Vec<&String> = frozen.keys().filter(|name| !moved(name)).collect();
    assert!(still.is_empty(), "everything in the backbone trains or is tracked, but {still:?}");
}

#[test]
fn a_run_that_was_ended_goes_on_as_if_it_had_not_been() {
    let (straight, resumed) = (run(), run());
    straight.fit(&[]).succeeded();
    resumed.fit(&["--set", "trainer.max_epochs=2"]).succeeded();
    resumed.resume(&["--set", "trainer.max_epochs=3"]).succeeded();
    for name in ["checkpoints/last/model.safetensors", "checkpoints/last/optimizer.safetensors"] {
        let bytes = |run: &Run| fs::read(run.run_dir().join(name)).unwrap();
        assert!(bytes(&straight) == bytes(&resumed), "{name}");
    }
}

#[test]
fn predictions_do_not_need_the_file_any_more() {
    let run = run();
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    fs::remove_file(run.folder().join("model.pt2")).unwrap();
    let words = ["predict", "--checkpoint", "run", "--input", "data.safetensors", "--output", "out.csv"];
    run.host(words).succeeded();
    let rows = fs::read_to_string(run.folder().join("out.csv")).unwrap();
    assert_eq!(rows.lines().count(), 25, "{rows}");
}

#[test]
fn what_is_no_program_ends_the_run_with_the_reason() {
    let run = run();
    fs::copy(fixtures().join("exported/odd/decomposed.pt2"), run.folder().join("model.pt2")).unwrap();
    run.fit(&[]).failed(2, &["model.pt2: it was lowered (`run_decompositions`)"]);
}
