//! The models against PyTorch's numbers.

use thaw_plugin_api::serde_json::json;
use thaw_test_references::{Built, Reference};

use super::*;

/// The model's configuration for a reference: its sizes, dropout 0, all outputs.
fn config(reference: &Reference, layout: &str) -> Value {
    let theirs = reference.json()["config"].as_object().expect("a reference has a config");
    let foreign = ["library", "model", "model_type", "num_labels", "sinusoidal_pos_embds"];
    let mut config: Map<String, Value> = theirs
        .iter()
        .filter(|(key, _)| !foreign.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let dropouts: Vec<String> = config.keys().filter(|key| key.contains("dropout")).cloned().collect();
    config.extend(dropouts.into_iter().map(|key| (key, json!(0.0))));
    config.insert("num_classes".to_owned(), theirs["num_labels"].clone());
    config.insert("classifier_dropout".to_owned(), json!(0.0));
    config.insert("layout".to_owned(), json!(layout));
    config.insert("output_attentions".to_owned(), json!(layout == "mnli"));
    config.insert("output_last_hidden_state".to_owned(), json!(layout == "mnli"));
    Value::Object(config)
}

fn built<M: Model>(reference: &Reference, layout: &str) -> Built {
    let mut built = Built::new::<M>(&config(reference, layout)).unwrap();
    built.fill(reference.gain(), str::to_owned);
    built
}

fn check<M: Model>(arch: &str, layout: &str) {
    let reference = Reference::arch(arch);
    let mut built = built::<M>(&reference, layout);
    let stack = if arch.starts_with("distilbert") { "transformer" } else { "encoder" };
    let module_of = |stage: &Stage| match stage.name.strip_prefix("layer") {
        Some(index) => Some(format!("{stack}.layer.{index}")),
        None => (stage.name == "embeddings").then(|| stage.name.clone()),
    };
    let outcome = built
        .check_names(&reference)
        .and_then(|_| built.check_stages(&reference, module_of))
        .and_then(|_| built.check_eval(&reference))
        .and_then(|_| built.check_train(&reference));
    outcome.unwrap_or_else(|difference| panic!("{arch}: {difference}"));
}

#[test]
fn bert_is_pytorchs_in_both_layouts() {
    check::<BertClassifier>("bert_mnli_tiny", "mnli");
    check::<BertClassifier>("bert_sequence_tiny", "sequence-classification");
}

#[test]
fn bert_of_full_size_is_pytorchs() {
    check::<BertClassifier>("bert_mnli_base", "mnli");
}

#[test]
fn distilbert_is_pytorchs_in_both_layouts() {
    check::<DistilBertClassifier>("distilbert_mnli_tiny", "mnli");
    check::<DistilBertClassifier>("distilbert_sequence_tiny", "sequence-classification");
}

#[test]
fn roberta_is_pytorchs_in_both_layouts() {
    check::<RobertaClassifier>("roberta_mnli_tiny", "mnli");
    check::<RobertaClassifier>("roberta_sequence_tiny", "sequence-classification");
}

/// Stages of their own kinds are compared as a whole: their modules give more than one tensor.
fn check_head_and_steps<M: Model>(arch: &str) {
    let reference = Reference::arch(arch);
    let mut built = built::<M>(&reference, "sequence-classification");
    let outcome = built
        .check_names(&reference)
        .and_then(|_| built.check_stages(&reference, |_| None))
        .and_then(|_| built.check_eval(&reference))
        .and_then(|_| built.check_train(&reference));
    outcome.unwrap_or_else(|difference| panic!("{arch}: {difference}"));
}

#[test]
fn electra_albert_mpnet_and_deberta_are_pytorchs() {
    check_head_and_steps::<ElectraClassifier>("electra_sequence_tiny");
    check_head_and_steps::<AlbertClassifier>("albert_sequence_tiny");
    check_head_and_steps::<MpnetClassifier>("mpnet_sequence_tiny");
    check_head_and_steps::<DebertaClassifier>("deberta_v3_sequence_tiny");
    check_head_and_steps::<DebertaClassifier>("deberta_v2_sequence_tiny");
}
