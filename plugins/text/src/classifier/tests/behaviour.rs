//! What the configuration changes, and what is refused.

use thaw_plugin_api::serde_json::{Value, json};
use thaw_plugin_api::tch::{Kind, Tensor, no_grad};
use thaw_test_references::Built;

use super::*;

/// A tiny BERT in the default layout, with some keys changed.
fn tiny(changes: Value) -> Value {
    let mut config = json!({
        "vocab_size": 50, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 12, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    });
    if let (Some(config), Some(changes)) = (config.as_object_mut(), changes.as_object()) {
        config.extend(changes.clone());
    }
    config
}

/// With the reference formula's weights: libtorch's generator is shared with the tests beside this one.
fn build<M: Model>(changes: Value) -> Built {
    let mut built = Built::new::<M>(&tiny(changes)).unwrap();
    built.fill(1.0, str::to_owned);
    built
}

fn refusal<M: Model>(changes: Value) -> String {
    Built::new::<M>(&tiny(changes)).err().expect("this configuration cannot be built")
}

fn ids(rows: &[&[i64]]) -> Tensor {
    Tensor::from_slice2(rows)
}

fn run(built: &mut Built, inputs: Tensors) -> Tensors {
    built.set_training(false);
    no_grad(|| built.forward(inputs)).unwrap()
}

fn same(a: &Tensor, b: &Tensor) -> bool {
    a.size() == b.size() && (a - b).abs().max().double_value(&[]) < 1e-5
}

#[test]
fn the_default_layout_is_a_backbone_and_a_head() {
    let mut built = build::<BertClassifier>(json!({ "num_classes": 3 }));
    assert_eq!(built.tree().children("").unwrap(), ["backbone", "dropout", "head"]);
    assert_eq!(built.tree().children("backbone").unwrap(), ["backbone.embeddings", "backbone.encoder"]);
    let stages: Vec<String> = built.stages().iter().map(|stage| stage.name.clone()).collect();
    assert_eq!(stages, ["embeddings", "layer0", "layer1", "pool", "head"]);
    let outputs = run(&mut built, Tensors::one("input_ids", ids(&[&[1, 2, 3]])));
    assert_eq!(outputs.get("logits").unwrap().size(), [1, 3]);
    assert_eq!(outputs.len(), 1);
}

#[test]
fn every_parameter_of_the_default_layout_gets_a_gradient() {
    for pooling in ["cls", "mean", "pooler"] {
        let mut built = build::<BertClassifier>(json!({ "pooling": pooling }));
        built.set_training(true);
        let outputs = built.forward(Tensors::one("input_ids", ids(&[&[1, 2, 3], &[4, 5, 6]]))).unwrap();
        outputs.first().unwrap().select(1, 0).sum(Kind::Float).backward();
        let without: Vec<String> = built
            .tensors()
            .iter()
            .filter(|(_, tensor)| !tensor.grad().defined())
            .map(|(name, _)| name.clone())
            .collect();
        assert!(without.is_empty(), "pooling {pooling}: no gradient in {without:?}");
    }
}

#[test]
fn padding_changes_nothing_whatever_the_pooling() {
    for pooling in ["cls", "mean", "pooler"] {
        let mut built = build::<MiniLmClassifier>(json!({ "pooling": pooling }));
        let short = run(&mut built, Tensors::one("input_ids", ids(&[&[7, 8, 9]])));
        let mask = ids(&[&[1, 1, 1, 0, 0]]);
        let long =
            run(&mut built, Tensors::one("input_ids", ids(&[&[7, 8, 9, 0, 0]])).with("attention_mask", mask));
        assert!(same(short.first().unwrap(), long.first().unwrap()), "pooling {pooling}");
    }
}

#[test]
fn robertas_positions_skip_padding_on_either_side() {
    let mut built = build::<RobertaClassifier>(json!({ "pad_token_id": 1, "pooling": "mean" }));
    let short = run(&mut built, Tensors::one("input_ids", ids(&[&[7, 8, 9]])));
    let mask = ids(&[&[0, 0, 1, 1, 1]]);
    let left =
        run(&mut built, Tensors::one("input_ids", ids(&[&[1, 1, 7, 8, 9]])).with("attention_mask", mask));
    assert!(same(short.first().unwrap(), left.first().unwrap()));
}

#[test]
fn token_types_tell_the_texts_of_a_pair_apart_where_the_family_has_them() {
    let inputs = || Tensors::one("input_ids", ids(&[&[7, 8, 9]]));
    let types = || ids(&[&[0, 1, 1]]);
    let mut bert = build::<BertClassifier>(json!({}));
    assert!(!same(
        run(&mut bert, inputs()).first().unwrap(),
        run(&mut bert, inputs().with("token_type_ids", types())).first().unwrap()
    ));
    let mut roberta = build::<RobertaClassifier>(json!({}));
    assert!(same(
        run(&mut roberta, inputs()).first().unwrap(),
        run(&mut roberta, inputs().with("token_type_ids", types())).first().unwrap()
    ));
}

#[test]
fn attentions_come_on_request_and_change_nothing_else() {
    let mut plain = build::<BertClassifier>(json!({}));
    let mut shown =
        build::<BertClassifier>(json!({ "output_attentions": true, "output_last_hidden_state": true }));
    let inputs =
        || Tensors::one("input_ids", ids(&[&[7, 8, 9, 0]])).with("attention_mask", ids(&[&[1, 1, 1, 0]]));
    let (plain, shown) = (run(&mut plain, inputs()), run(&mut shown, inputs()));
    assert!(same(plain.first().unwrap(), shown.first().unwrap()));
    let names: Vec<&str> = shown.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["logits", "last_hidden_state", "attentions.0", "attentions.1"]);
    let weights = shown.get("attentions.1").unwrap();
    assert_eq!(weights.size(), [1, 2, 4, 4]);
    assert!(same(
        &weights.sum_dim_intlist([-1_i64].as_slice(), false, Kind::Float),
        &Tensor::ones([1, 2, 4], (Kind::Float, weights.device()))
    ));
    assert_eq!(weights.select(3, 3).abs().max().double_value(&[]), 0.0, "padding gets no attention");
}

#[test]
fn without_classes_the_output_is_the_sentences_vector() {
    let mut built = build::<MiniLmClassifier>(json!({ "num_classes": 0, "normalize": true }));
    assert_eq!(built.tree().children("").unwrap(), ["backbone"]);
    let outputs = run(&mut built, Tensors::one("input_ids", ids(&[&[7, 8, 9], &[3, 2, 1]])));
    let vectors = outputs.get("embedding").unwrap();
    assert_eq!(vectors.size(), [2, 8]);
    assert!(same(
        &vectors.norm_scalaropt_dim(2, [1_i64].as_slice(), false),
        &Tensor::ones([2], (Kind::Float, vectors.device()))
    ));
}

#[test]
fn one_class_is_a_regression() {
    assert_eq!(build::<BertClassifier>(json!({ "num_classes": 1 })).description().task, Task::Regression);
    assert_eq!(build::<BertClassifier>(json!({})).description().task, Task::Classification);
}

#[test]
fn freeze_features_freezes_the_encoder_alone() {
    let built = build::<BertClassifier>(json!({ "freeze_features": true }));
    assert_eq!(built.tree().trainable(), ["head.weight", "head.bias"]);
    assert!(built.tree().subtree("backbone").unwrap().all(|module| !module.training));
}

#[test]
fn dropout_acts_in_training_alone() {
    let mut built =
        build::<BertClassifier>(json!({ "hidden_dropout_prob": 0.5, "attention_probs_dropout_prob": 0.5 }));
    let inputs = || Tensors::one("input_ids", ids(&[&[7, 8, 9]]));
    assert!(same(run(&mut built, inputs()).first().unwrap(), run(&mut built, inputs()).first().unwrap()));
    built.set_training(true);
    let drawn = |_| built.forward(inputs()).unwrap().first().unwrap().shallow_clone();
    let [first, second] = [0, 1].map(drawn);
    assert!(!same(&first, &second));
}

#[test]
fn config_json_gives_the_sizes_that_the_keys_leave_open() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let values = json!({
        "model_type": "bert", "vocab_size": 40, "hidden_size": 12, "num_hidden_layers": 1,
        "num_attention_heads": 3,
        "intermediate_size": 20, "max_position_embeddings": 9, "id2label": { "0": "a", "1": "b", "2": "c" },
        "use_cache": true,
    });
    std::fs::write(&file, values.to_string()).unwrap();
    let built = Built::new::<BertClassifier>(&json!({ "config": file, "hidden_size": 6 })).unwrap();
    assert_eq!(built.tensor("backbone.embeddings.word_embeddings.weight").size(), [40, 6]);
    assert_eq!(built.tensor("head.weight").size(), [3, 6]);
    assert_eq!(built.description().input.max_length, Some(9));
}

#[test]
fn a_config_json_of_another_family_names_the_model_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    std::fs::write(&file, r#"{ "model_type": "distilbert" }"#).unwrap();
    let message = refusal::<BertClassifier>(json!({ "config": file }));
    assert!(message.contains("config.json is of model_type `distilbert`, expected `bert`"), "{message}");
    assert!(message.contains("`distilbert-classifier`"), "{message}");
    std::fs::write(&file, r#"{ "model_type": "bert", "hidden_size": "big" }"#).unwrap();
    let config = json!({ "config": file });
    let message = Built::new::<BertClassifier>(&config).err().unwrap();
    assert!(message.contains("`hidden_size` is \"big\", expected a whole number of at least 1"), "{message}");
}

#[test]
fn what_cannot_be_built_is_refused_with_both_numbers() {
    let message = refusal::<BertClassifier>(json!({ "num_attention_heads": 3 }));
    assert!(message.contains("a hidden size of 8 cannot be split among 3 attention heads"), "{message}");
    let message = refusal::<BertClassifier>(json!({ "hidden_act": "prelu" }));
    assert!(message.contains("`hidden_act` is `prelu`, expected one of gelu"), "{message}");
    let message = refusal::<BertClassifier>(json!({ "layout": "mnli", "pooling": "mean" }));
    assert!(message.contains("this layout's is \"cls\""), "{message}");
    let message = refusal::<BertClassifier>(json!({ "pooling": "pooler", "add_pooling_layer": false }));
    assert!(message.contains("`add_pooling_layer` is false"), "{message}");
}

#[test]
fn a_text_that_is_too_long_and_an_unknown_token_are_refused() {
    let mut built = build::<BertClassifier>(json!({}));
    let mut message = |rows: &[&[i64]]| built.forward(Tensors::one("input_ids", ids(rows))).unwrap_err();
    let long = message(&[&[1; 13]]);
    assert!(
        long.contains("13 tokens, the model takes at most 12") && long.contains("max_length = 12"),
        "{long}"
    );
    let unknown = message(&[&[1, 50]]);
    assert!(unknown.contains("a vocabulary of 50, does the tokenizer belong to it?"), "{unknown}");
}

/// Where a name of a pretrained file goes; as the program does it.
fn place(built: &Built, name: &str) -> Option<String> {
    let covers =
        |path: &str| name == path || name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    if built.tensors().iter().any(|(own, _)| own == name) {
        return Some(name.to_owned());
    }
    if built.description().unused_weights.iter().any(|path| covers(path)) {
        return None;
    }
    let aliases = &built.description().weight_aliases;
    let longest = aliases.iter().filter(|(from, _)| covers(from)).max_by_key(|(from, _)| from.len());
    Some(longest.map_or_else(|| name.to_owned(), |(from, to)| format!("{to}{}", &name[from.len()..])))
}

#[test]
fn pretrained_files_of_all_ages_find_their_places() {
    let bert = build::<BertClassifier>(json!({}));
    let norm = "backbone.encoder.layer.1.output.LayerNorm.weight";
    for name in
        ["encoder.layer.1.output.LayerNorm.weight", "bert.encoder.layer.1.output.LayerNorm.weight", norm]
    {
        assert_eq!(place(&bert, name).as_deref(), Some(norm));
    }
    assert_eq!(place(&bert, "bert.encoder.layer.1.output.LayerNorm.gamma").as_deref(), Some(norm));
    assert_eq!(
        place(&bert, "embeddings.LayerNorm.beta").as_deref(),
        Some("backbone.embeddings.LayerNorm.bias")
    );
    for name in [
        "embeddings.position_ids",
        "bert.embeddings.position_ids",
        "cls.predictions.bias",
        "bert.pooler.dense.weight",
    ] {
        assert_eq!(place(&bert, name), None);
    }
    let pooled = build::<BertClassifier>(json!({ "pooling": "pooler" }));
    assert_eq!(place(&pooled, "bert.pooler.dense.weight").as_deref(), Some("backbone.pooler.dense.weight"));
    assert_eq!(place(&pooled, "classifier.weight").as_deref(), Some("head.weight"));
    let roberta = build::<RobertaClassifier>(json!({ "layout": "mnli" }));
    assert_eq!(
        place(&roberta, "roberta.encoder.layer.0.output.dense.bias").as_deref(),
        Some("bert.encoder.layer.0.output.dense.bias")
    );
    assert_eq!(place(&roberta, "lm_head.dense.weight"), None);
}

#[test]
fn heads_and_poolers_that_do_not_fit_have_a_layout_to_go_to() {
    let notes = |config: Value| build::<BertClassifier>(config).description().weight_notes.clone();
    let default = notes(json!({}));
    assert_eq!(default.len(), 1, "{default:?}");
    assert!(default[0].0 == "classifier" && default[0].1.contains("layout = \"sequence-classification\""));
    let whole = notes(json!({ "layout": "sequence-classification" }));
    assert_eq!(whole.len(), 1, "{whole:?}");
    assert!(whole[0].0 == "bert.pooler" && whole[0].1.contains("layout = \"backbone-head\""), "{whole:?}");
    let mnli = notes(json!({ "layout": "mnli" }));
    assert!(mnli[0].0 == "bert.pooler" && mnli[0].1.contains("add_pooling_layer = false"), "{mnli:?}");
}
