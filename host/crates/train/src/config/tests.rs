//! The run config's keys, overrides and errors.

use std::path::Path;

use serde_json::json;

use super::*;
use thaw_weights::WeightsConfig;

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
    assert!(
        error.contains("run.toml") && error.contains("unknown key `optimiser`, did you mean `optimizer`?"),
        "{error}"
    );
}

#[test]
fn an_unknown_key_of_a_section_names_the_nearest_one() {
    let error = read(table(), &["trainer.max_epoch=3"]).unwrap_err().to_string();
    assert!(error.contains("`trainer.max_epoch`") && error.contains("`max_epochs`"), "{error}");
}

#[test]
fn overrides_reach_into_lists_and_make_missing_tables() {
    let config =
        read(table(), &["callbacks.0.lambda_func=2", "checkpoint.save_top_k=-1", "trainer.device=cpu"])
            .unwrap();
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
    assert!(
        error.contains("`trainer.accumulate_grad_batches` is 0, expected a number of at least 1"),
        "{error}"
    );
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

const GUIDE: &str = include_str!("../../../../../docs/src/config.md");

/// The part of the guide's page under a heading.
fn chapter(heading: &str) -> &str {
    let start = GUIDE.find(&format!("## `[{heading}]")).unwrap_or_else(|| panic!("no heading [{heading}]"));
    let rest = &GUIDE[start + 3..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

/// Every key that a table may have, whatever its kind.
fn keys(schema: &Value) -> Vec<String> {
    let choices = schema["oneOf"].as_array().or(schema["anyOf"].as_array());
    let tables = std::iter::once(schema).chain(choices.into_iter().flatten());
    tables
        .filter_map(|table| table["properties"].as_object())
        .flat_map(|table| table.keys().cloned())
        .collect()
}

#[test]
fn the_guide_names_every_key_of_a_run_config() {
    let schema = RunConfig::schema(&[]);
    let section = |name: &str| &schema["properties"][name];
    let augment = thaw_data::AugmentConfig::schema();
    let chapters = [
        ("model", keys(&WeightsConfig::schema())),
        ("data", [keys(section("data")), keys(&augment)].concat()),
        ("optimizer", keys(section("optimizer"))),
        ("scheduler", thaw_optim::scheduler::Schedule::IDS.map(str::to_owned).to_vec()),
        ("trainer", keys(section("trainer"))),
        ("checkpoint", keys(section("checkpoint"))),
    ];
    for (heading, keys) in chapters {
        assert!(!keys.is_empty(), "{heading}");
        for key in keys {
            assert!(
                chapter(heading).contains(&format!("`{key}`")),
                "[{heading}] of docs/src/config.md does not name `{key}`"
            );
        }
    }
    for key in keys(&schema) {
        assert!(GUIDE.contains(&format!("`{key}`")), "docs/src/config.md does not name `{key}`");
    }
}

#[test]
fn the_guides_defaults_of_trainer_and_checkpoint_are_the_programs() {
    for (heading, schema) in
        [("trainer", TrainerConfig::schema()), ("checkpoint", CheckpointConfig::schema())]
    {
        for (key, property) in schema["properties"].as_object().unwrap() {
            let Some(default) = property.get("default").filter(|default| !default.is_null()) else {
                continue;
            };
            let default = default.as_str().map_or_else(|| default.to_string(), |text| format!("`{text}`"));
            let row = format!("| `{key}` | {default} |");
            assert!(chapter(heading).contains(&row), "docs/src/config.md does not say {row}");
        }
    }
}

#[test]
fn the_guides_run_config_is_one() {
    let block = GUIDE.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let table: toml::Table = block.parse().unwrap();
    read(serde_json::to_value(table).unwrap(), &[]).unwrap();
}
