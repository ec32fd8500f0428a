//! The table of supported models in the guide says what the program has.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use thaw_plugins::PluginSet;
use thaw_test_references::Built;
use thaw_tests::fixtures;
use thaw_train::config::{FAMILIES, Family, Inputs};

/// What the table has of a family: its id, and the columns from `loads` on.
struct Row {
    id: String,
    columns: Vec<String>,
}

/// What stands between backquotes.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The rows of families that a plugin builds from their `config.json`, by `model_type`.
fn table() -> BTreeMap<String, Row> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/huggingface.md");
    let text = std::fs::read_to_string(guide).unwrap();
    let section = text.split("## What is supported").nth(1).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut table = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        assert_eq!(cells.len(), 7, "{row}");
        for model_type in quoted(cells[0]) {
            let columns = cells[2..].iter().map(|&cell| cell.to_owned()).collect();
            let id = quoted(cells[1]).next().unwrap().to_owned();
            table.insert(model_type.to_owned(), Row { id, columns });
        }
    }
    table
}

/// A recorded directory of the family.
fn directory(family: &Family) -> std::path::PathBuf {
    let name = match family.model_type {
        "deberta-v2" => "deberta",
        "xlm-roberta" | "camembert" => "roberta",
        own => own,
    };
    let folder = if family.inputs == Inputs::Texts { "hub" } else { "hub_pictures" };
    fixtures().join(folder).join(name)
}

#[test]
fn the_guide_lists_the_families_that_plugins_build() {
    let table = table();
    let listed: Vec<&str> = table.keys().map(String::as_str).collect();
    let mut known: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
    known.sort_unstable();
    assert_eq!(listed, known);
    for family in &FAMILIES {
        let row = &table[family.model_type];
        let mut plugins = PluginSet::default();
        plugins.add(&thaw_tests::plugin(family.plugin)).unwrap();
        assert_eq!(plugins.model_id(family.model_type), row.id, "{}", family.model_type);
        let config = json!({ "config": directory(family).join("config.json") });
        let mut keys = config.clone();
        if family.inputs == Inputs::Texts {
            keys["layout"] = json!("sequence-classification");
        }
        let (raw, _) = plugins.create_model(&row.id, &keys).unwrap();
        let built = Built::from_raw(raw).unwrap();
        let class = &built.tree().modules()[0].kind;
        let exports =
            class.ends_with("ForSequenceClassification") || class.ends_with("ForImageClassification");
        let [loads, trains, exported, cached, compared] = &row.columns[..] else { unreachable!() };
        assert!(loads.starts_with("yes") && trains == "yes", "{}", family.model_type);
        assert_eq!(exported == "yes", exports, "{}: {class}", family.model_type);
        let unit = if cached.contains("stage") { "stage" } else { "layer" };
        let stages = built.stages().iter().filter(|stage| stage.name.starts_with(unit)).count();
        assert!(stages > 0, "{}: frozen stages are cached by {cached}", family.model_type);
        assert!(!compared.is_empty());
    }
}
