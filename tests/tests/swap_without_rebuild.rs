//! Strategies and schedules change from run to run, and nothing is built in between.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;
use thaw_tests::{Run, case, host, plugin};

const BACKBONE: [&str; 9] = [
    "backbone.0.weight",
    "backbone.1.weight",
    "backbone.1.bias",
    "backbone.3.weight",
    "backbone.3.bias",
    "backbone.4.weight",
    "backbone.4.bias",
    "head.weight",
    "head.bias",
];

fn run() -> Run {
    Run::new(
        &(case("bb_steplr")
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 4\n\
               [[callbacks]]\nid = \"backbone-finetuning\"\nunfreeze_backbone_at_epoch = 2\n"),
    )
}

/// When a file was written last, and what is in it.
fn stamp(path: &Path) -> (SystemTime, Vec<u8>) {
    let time = std::fs::metadata(path).and_then(|metadata| metadata.modified()).unwrap();
    (time, std::fs::read(path).unwrap())
}

/// SHA-256 of a plugin's file as the run recorded it.
fn recorded(run: &Run, name: &str) -> String {
    let plugins = run.json("plugins.json");
    let entry = plugins.as_array().unwrap().iter().find(|plugin| plugin["name"] == name);
    entry
        .and_then(|plugin| plugin["sha256"].as_str())
        .unwrap_or_else(|| panic!("no {name} in {plugins}"))
        .to_owned()
}

/// What trains, by epoch, in the model's order.
fn trainable(run: &Run) -> Vec<Vec<String>> {
    let names = |record: &Value| serde_json::from_value(record["trainable"].clone()).unwrap();
    run.groups().iter().map(names).collect()
}

fn last_of_model(count: usize) -> Vec<String> {
    BACKBONE[BACKBONE.len() - count..].iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn another_strategy_trains_the_same_program_and_model_file() {
    let files: Vec<PathBuf> =
        vec![host(), plugin("case_model"), plugin("backbone_finetuning"), plugin("layerwise_finetuning")];
    let before: Vec<_> = files.iter().map(|file| stamp(file)).collect();

    let (first, second) = (run(), run());
    first.fit(&["--plugin", "backbone_finetuning"]).succeeded();
    let layerwise = plugin("layerwise_finetuning").display().to_string();
    let callbacks =
        "callbacks=[{ id = \"layerwise-finetuning\", unfreeze_at_epoch = 1, layers_per_epoch = 2 }]";
    second.fit(&["--plugin", &layerwise, "--set", callbacks]).succeeded();

    assert_eq!(trainable(&first), [last_of_model(2), last_of_model(2), last_of_model(9), last_of_model(9)]);
    assert_eq!(trainable(&second), [last_of_model(2), last_of_model(6), last_of_model(9), last_of_model(9)]);
    assert_eq!(recorded(&first, "thaw-case-model"), recorded(&second, "thaw-case-model"));
    for (file, before) in files.iter().zip(before) {
        assert!(stamp(file) == before, "{} was built anew", file.display());
    }
}

#[test]
fn another_schedule_is_a_matter_of_one_key() {
    let before = stamp(&plugin("backbone_finetuning"));
    let (first, second) = (run(), run());
    first.fit(&["--plugin", "backbone_finetuning"]).succeeded();
    let sets = [
        "--set",
        "callbacks.0.unfreeze_backbone_at_epoch=1",
        "--set",
        "callbacks.0.backbone_initial_lr=0.025",
    ];
    second.fit(&[&["--plugin", "backbone_finetuning"], &sets[..]].concat()).succeeded();

    assert_eq!(trainable(&second), [last_of_model(2), last_of_model(9), last_of_model(9), last_of_model(9)]);
    assert_eq!(second.groups()[1]["groups"][1]["lr"], 0.025);
    assert_eq!(recorded(&first, "thaw-backbone-finetuning"), recorded(&second, "thaw-backbone-finetuning"));
    assert!(stamp(&plugin("backbone_finetuning")) == before);
}
