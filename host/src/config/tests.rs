//! The run config's keys, overrides and errors.

use std::path::Path;

use serde_json::json;

use super::*;

fn read(table: Value, overrides: &[&str]) -> Result<RunConfig, ConfigError> {
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
    RunConfig::from_table(Path::new("run.toml"), table, &overrides)
}

fn table() -> Value {
    json!({
        "model": { "id": "tiny", "num_classes": 3 },
        "callbacks": [{ "id": "backbone-finetuning", "lambda_func": 1.5 }],
        "trainer": { "max_epochs": 4 },
    })
}

#[test]
fn an_unknown_key_names_the_nearest_one() {
    let mut table = table();
    table["optimiser"] = json!({});
    let error = read(table, &[]).unwrap_err().to_string();
    assert!(error.contains("run.toml") && error.contains("unknown key `optimiser`, did you mean `optimizer`?"), "{error}");
}

#[test]
fn an_unknown_key_of_a_section_names_the_nearest_one() {
    let error = read(table(), &["trainer.max_epoch=3"]).unwrap_err().to_string();
    assert!(error.contains("`trainer.max_epoch`") && error.contains("`max_epochs`"), "{error}");
}

#[test]
fn overrides_reach_into_lists_and_make_missing_tables() {
    let config = read(table(), &["callbacks.0.lambda_func=2", "checkpoint.save_top_k=-1", "trainer.device=cpu"]).unwrap();
    assert_eq!(config.callbacks[0].config, json!({ "lambda_func": 2 }));
    assert_eq!(config.checkpoint.save_top_k, -1);
    assert_eq!(config.trainer.device, "cpu");
}

#[test]
fn an_override_can_replace_a_whole_list() {
    let config = read(table(), &[r#"callbacks=[{ id = "layerwise-finetuning" }]"#]).unwrap();
    assert_eq!(config.callbacks.len(), 1);
    assert_eq!(config.callbacks[0].id, "layerwise-finetuning");
}

#[test]
fn an_override_of_an_element_that_is_not_there_is_refused() {
    let error = read(table(), &["callbacks.1.lambda_func=2"]).unwrap_err().to_string();
    assert!(error.contains("the list has 1 elements"), "{error}");
}

#[test]
fn a_value_out_of_range_names_range_and_key() {
    let error = read(table(), &["trainer.accumulate_grad_batches=0"]).unwrap_err().to_string();
    assert!(error.contains("`trainer.accumulate_grad_batches` is 0, expected a number of at least 1"), "{error}");
}

#[test]
fn a_value_of_another_type_names_what_was_expected() {
    let error = read(table(), &["trainer.max_epochs=many"]).unwrap_err().to_string();
    assert!(error.contains(r#"`trainer.max_epochs` is "many", expected a whole number"#), "{error}");
}

#[test]
fn the_resolved_config_reads_back_the_same() {
    let config = read(table(), &[]).unwrap();
    let text = config.resolved().unwrap();
    let again: toml::Table = text.parse().unwrap();
    let again = read(serde_json::to_value(again).unwrap(), &[]).unwrap();
    assert_eq!(again.trainer.to_value(), config.trainer.to_value());
    assert_eq!(again.callbacks[0].config, config.callbacks[0].config);
}
