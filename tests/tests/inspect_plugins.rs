//! What a plugin file says of itself, to people and to programs.

use serde_json::Value;
use thaw_tests::{Run, plugin};

#[test]
fn a_file_alone_shows_ids_versions_and_parameters() {
    let file = plugin("backbone_finetuning").display().to_string();
    let text = Run::new("").host(["--plugin", &file]).succeeded().stdout;
    for expected in [
        "thaw-backbone-finetuning 1.0.0",
        &format!("plugin-api  {}", thaw_plugin_api::VERSION),
        "rustc ",
        "libtorch    not used",
        "strategy backbone-finetuning",
        "lambda_func",
    ] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
    // A parameter's line has type, default and range; its help stands below.
    let line = text.lines().find(|line| line.trim_start().starts_with("unfreeze_backbone_at_epoch")).unwrap();
    assert!(line.contains("integer") && line.contains("10") && line.contains("≥ 0"), "{line}");
    assert!(text.contains("Epoch, from 0, at which the backbone starts to train."), "{text}");
}

#[test]
fn a_model_names_the_libtorch_it_was_built_for() {
    let file = plugin("vision").display().to_string();
    let text = Run::new("").host(["plugin", "inspect", &file, "--json"]).succeeded().stdout;
    let plugins: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plugins[0]["libtorch"]["libtorch"], "2.11.0");
    let ids: Vec<&str> =
        plugins[0]["items"].as_array().unwrap().iter().filter_map(|item| item["id"].as_str()).collect();
    assert!(ids.contains(&"resnet50") && ids.contains(&"efficientnet-lite0"), "{ids:?}");
}

#[test]
fn the_search_path_is_listed() {
    let folder = plugin("vision").parent().unwrap().display().to_string();
    let text = Run::new("").host(["plugin", "list", "--plugin-dir", &folder]).succeeded().stdout;
    assert!(
        text.contains("thaw-layerwise-finetuning") && text.contains("strategy layerwise-finetuning"),
        "{text}"
    );
}

#[test]
fn nothing_to_do_is_a_mistake_of_usage() {
    assert_eq!(Run::new("").host([""; 0]).code(), Some(2));
}
