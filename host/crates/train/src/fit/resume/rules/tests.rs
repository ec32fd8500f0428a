//! The table has every key, and the guide has the table.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::config::RunConfig;

const GUIDE: &str = include_str!("../../../../../../../docs/src/resume.md");

/// The keys of a section, whatever its kind; none of a list.
fn keys(name: &str, section: &Value) -> Vec<String> {
    let choices = section["oneOf"].as_array().into_iter().flatten();
    let tables = std::iter::once(section).chain(choices).filter_map(|table| table["properties"].as_object());
    let keys: BTreeSet<&String> = tables.flat_map(|table| table.keys()).collect();
    keys.into_iter().map(|key| format!("{name}.{key}")).collect()
}

/// Every key that a run config may have. Keys of a plugin's own stand for all of theirs.
fn all_keys() -> Vec<String> {
    let own = ["model.num_classes", "callbacks", "callbacks.0.patience", "dataset.own"];
    let mut all = own.map(str::to_owned).to_vec();
    let schema = RunConfig::schema(&[]);
    for (name, section) in schema["properties"].as_object().unwrap() {
        match keys(name, section) {
            keys if keys.is_empty() => all.push(name.clone()),
            keys => all.extend(keys),
        }
    }
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
