//! The table has every key, and the guide has the table.

use serde_json::json;
use thaw_plugin_api::config::Config;

use super::*;
use crate::config::{CheckpointConfig, RunConfig, TrainerConfig};
use thaw_data::{
    Cifar10Config, ImageConfig, ImageFolderConfig, ListConfig, LoadingConfig, TensorsConfig, TextConfig,
};
use thaw_optim::optimizer::OptimizerConfig;

const GUIDE: &str = include_str!("../../../../../../../docs/src/resume.md");

fn keys(table: &str, value: impl serde::Serialize) -> Vec<String> {
    let value = serde_json::to_value(value).unwrap();
    value.as_object().unwrap().keys().map(|key| format!("{table}.{key}")).collect()
}

/// Every key that a run config may have. Keys of a plugin's own stand for all of theirs.
fn all_keys() -> Vec<String> {
    let data = [
        keys("data", LoadingConfig::default()),
        keys("data", ImageFolderConfig::default()),
        keys("data", ListConfig::default()),
        keys("data", Cifar10Config::default()),
        keys("data", TensorsConfig::default()),
        keys("data", TextConfig::default()),
        keys("data", ImageConfig::default()),
        vec!["data.kind".to_owned(), "data.id".to_owned(), "dataset.own".to_owned()],
    ];
    let optimizer = |id| {
        let config = OptimizerConfig {
            parameters: Some(vec!["head".to_owned()]),
            ..OptimizerConfig::default_for(id).unwrap()
        };
        keys("optimizer", config)
    };
    let own = ["model.id", "model.weights", "model.num_classes", "callbacks", "callbacks.0.patience"];
    let mut all = own.map(str::to_owned).to_vec();
    all.extend(data.concat());
    all.extend(["sgd", "adam", "adamw"].map(optimizer).concat());
    all.extend(keys("scheduler", json!({ "id": "cosine", "T_max": 3, "interval": "step", "frequency": 1 })));
    all.extend(keys("trainer", &TrainerConfig::schema()["properties"]));
    all.extend(keys("checkpoint", &CheckpointConfig::schema()["properties"]));
    let tables = ["model", "data", "optimizer", "scheduler", "callbacks", "trainer", "checkpoint"];
    all.extend(RunConfig::KEYS.iter().filter(|key| !tables.contains(key)).map(|key| (*key).to_owned()));
    all
}

#[test]
fn every_key_of_a_run_config_is_in_one_row() {
    for key in all_keys() {
        let named = ROWS.iter().filter(|row| row.keys.contains(&key.as_str())).count();
        assert!(named <= 1, "`{key}` is in {named} rows");
        assert!(row_of(&key).is_some(), "`{key}` is in no row: say what its change does to a resumed run");
    }
    assert!(row_of("trainer.none").is_none() && row_of("data.none").is_none());
}

#[test]
fn every_row_names_keys_that_there_are() {
    let all = all_keys();
    for key in ROWS.iter().flat_map(|row| row.keys).filter(|key| !key.ends_with(".*")) {
        assert!(all.iter().any(|known| known == key), "a row names `{key}`, which is no key of a run config");
    }
}

#[test]
fn what_is_refused_says_why() {
    for row in ROWS.iter().filter(|row| row.rule != AtOnce) {
        assert!(!row.note.is_empty(), "{:?}", row.keys);
    }
}

#[test]
fn the_guide_shows_the_table() {
    let rows = ROWS.iter().map(|row| {
        let keys: Vec<String> = row.keys.iter().map(|key| format!("`{key}`")).collect();
        format!("| {} | {} | {} |", keys.join(", "), row.rule, row.note).replace("|  |", "| |")
    });
    let expected: Vec<String> = rows.collect();
    let found: Vec<&str> = GUIDE.lines().filter(|line| line.starts_with("| `")).collect();
    assert_eq!(found, expected, "docs/src/resume.md is to have these rows:\n{}", expected.join("\n"));
}

#[test]
fn a_key_of_a_plugin_falls_under_its_table() {
    assert_eq!(row_of("model.dropout").map(|row| row.rule), Some(Refused));
    assert_eq!(row_of("callbacks.1.patience").map(|row| row.rule), Some(FromNextEpoch));
    assert_eq!(row_of("callbacks").map(|row| row.rule), Some(WhereItFits));
    assert_eq!(row_of("model.weights").map(|row| row.note), Some("the weights are those of the checkpoint"));
    assert!(row_of("").is_none());
}
