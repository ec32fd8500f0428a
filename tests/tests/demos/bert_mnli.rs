//! `examples/bert-mnli.toml`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thaw_plugin_api::tch::{Kind, Tensor};
use thaw_tests::{Run, tiny_text};

use super::config;

/// Pairs in MNLI's form, with one on which its annotators did not agree.
fn pairs() -> String {
    let row = |(sentence1, sentence2, gold_label): (&str, &str, &str)| {
        json!({ "sentence1": sentence1, "sentence2": sentence2, "gold_label": gold_label, "genre": "made" })
            .to_string()
            + "\n"
    };
    let rows = [
        ("a b c", "a", "entailment"),
        ("a", "a b", "neutral"),
        ("a b", "c d e f", "contradiction"),
        ("a", "x", "-"),
        ("b c", "b", "entailment"),
        ("b", "b c", "neutral"),
    ];
    rows.map(row).concat()
}

#[test]
fn pairs_are_trained_on_and_attention_weights_come_with_the_predictions() {
    let run = Run::new(&config("bert-mnli"));
    tiny_text::write(&run);
    run.write("data/bert-mnli/train.jsonl", pairs());
    run.write("data/bert-mnli/dev.jsonl", pairs());
    let small =
        ["--set", "data.workers=0", "--set", "trainer.max_epochs=1", "--set", "data.val_batch_size=2"];
    let head = run.fit(&small).succeeded().stdout;
    assert!(head.contains("5 training and 5 validation samples"), "{head}");

    let predict = ["predict", "--checkpoint", "run", "--input", "data/bert-mnli/dev.jsonl"];
    let files = ["--output", "out.jsonl", "--attentions", "attentions.safetensors"];
    run.host(predict.iter().chain(&files)).succeeded();
    let text = std::fs::read_to_string(run.folder().join("out.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Without labels the row of no agreed label is one like the others.
    assert_eq!(rows.len(), 6);
    for row in &rows {
        assert!(
            ["entailment", "neutral", "contradiction"].contains(&row["class"].as_str().unwrap()),
            "{row}"
        );
    }

    let tensors = Tensor::read_safetensors(run.folder().join("attentions.safetensors")).unwrap();
    let tensors: BTreeMap<String, Tensor> = tensors.into_iter().collect();
    let mask = &tensors["attention_mask"];
    // [CLS] a b [SEP] c d e f [SEP] is the longest.
    let tokens = Vec::<i64>::try_from(mask.sum_dim_intlist([1_i64].as_slice(), false, Kind::Int64)).unwrap();
    assert_eq!(tokens, [7, 6, 9, 5, 6, 6]);
    assert_eq!(tensors["input_ids"].size(), [6, 9]);
    for layer in 0..6 {
        let weights = &tensors[&format!("attentions.{layer}")];
        assert_eq!(weights.size(), [6, 2, 9, 9], "samples, heads, tokens, tokens");
        // What a token takes adds up to 1; padding takes nothing and gives nothing.
        let taken = weights.sum_dim_intlist([3_i64].as_slice(), false, Kind::Float)
            - mask.unsqueeze(1).to_kind(Kind::Float);
        assert!(taken.abs().max().double_value(&[]) < 1e-5, "layer {layer}");
        let from_padding = weights * mask.eq(0).to_kind(Kind::Float).unsqueeze(1).unsqueeze(1);
        assert_eq!(from_padding.abs().max().double_value(&[]), 0.0, "layer {layer}");
    }
}
