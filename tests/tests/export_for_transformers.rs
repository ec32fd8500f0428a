//! `host export --hf`: what it writes is a model again, with the same validation. `cargo xtask readers` loads
//! it with transformers.

use serde_json::Value;
use thaw_tests::{Run, fixtures};

/// A trained run on texts of a directory of `tests/fixtures/hub`.
fn texts(family: &str, more: &str) -> Run {
    let folder = fixtures().join("hub").join(family);
    let run = Run::new(&format!(
        "plugins = [\"text\"]\n[model]\npath = {folder:?}\n[data]\nkind = \"text\"\npath = \"train.csv\"\n\
         val_path = \"train.csv\"\n[optimizer]\nid = \"sgd\"\nlr = 0.05\n[trainer]\nmax_epochs = 2\n{more}"
    ));
    run.write("train.csv", "text,label\ngood film,up\nbad awful film,down\nfine,up\nthe great film,up\n");
    run
}

/// A trained run on pictures of a directory of `tests/fixtures/hub_pictures`.
fn pictures(family: &str) -> Run {
    let folder = fixtures().join("hub_pictures");
    let (model, pictures) = (folder.join(family), folder.join("pictures"));
    Run::new(&format!(
        "plugins = [\"vision\"]\n[model]\npath = {model:?}\n[data]\nkind = \"image-folder\"\npath = \
         {pictures:?}\nval_path = {pictures:?}\n[optimizer]\nid = \"sgd\"\nlr = 0.01\n[trainer]\n\
         max_epochs = 2\n"
    ))
}

fn json(run: &Run, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(run.folder().join(name)).unwrap()).unwrap()
}

fn validated(run: &Run, folder: &str) -> f64 {
    let text = std::fs::read_to_string(run.folder().join(folder).join("metrics.jsonl")).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    records.filter_map(|record| record["val_loss"].as_f64()).next_back().unwrap()
}

/// Exports the last checkpoint, and takes it as a model without training it.
fn goes_around(run: &Run, name: &str) {
    run.fit(&[]).succeeded();
    run.host(["export", "--checkpoint", "run/checkpoints/last", "--hf", "exported"]).succeeded();
    let still =
        ["--set", "optimizer.lr=0.0", "--set", "trainer.max_epochs=1", "--set", "model.path=exported"];
    let again = [&["fit", "run.toml", "--run-dir", "again"][..], &still].concat();
    let fitted = run.host(again).succeeded();
    assert!(!fitted.stderr.contains("a new head is trained"), "{name}: {fitted}");
    let (before, after) = (validated(run, "run"), validated(run, "again"));
    assert!((before - after).abs() < 1e-6, "{name}: {before} became {after}");
}

#[test]
fn what_was_exported_is_a_model_with_the_same_validation() {
    for family in ["bert", "distilbert", "roberta", "electra", "albert", "mpnet", "deberta"] {
        let run = texts(family, "");
        goes_around(&run, family);
        let config = json(&run, "exported/config.json");
        assert_eq!(config["id2label"], serde_json::json!({ "0": "down", "1": "up" }), "{family}");
        assert_eq!(config["label2id"], serde_json::json!({ "down": 0, "up": 1 }), "{family}");
        assert_eq!(config["problem_type"], "single_label_classification");
        let class = config["architectures"][0].as_str().unwrap();
        assert!(class.ends_with("ForSequenceClassification"), "{class}");
        assert_eq!(json(&run, "exported/tokenizer_config.json")["cls_token"], "[CLS]");
    }
    for family in ["vit", "convnext", "swin"] {
        let run = pictures(family);
        goes_around(&run, family);
        let processor = json(&run, "exported/preprocessor_config.json");
        assert_eq!(processor["do_normalize"], true, "{family}: {processor}");
    }
}

#[test]
fn keys_of_the_run_config_and_formats_are_in_the_directory() {
    let run = texts("bert", "");
    run.fit(&["--set", "model.hidden_dropout_prob=0.25", "--set", "model.classifier_dropout=0.5"])
        .succeeded();
    run.host(["export", "--checkpoint", "run", "--hf", "out", "--dtype", "fp16"]).succeeded();
    let config = json(&run, "out/config.json");
    assert_eq!(config["hidden_dropout_prob"], 0.25);
    assert_eq!(config["classifier_dropout"], 0.5);
    assert_eq!(config["dtype"], "float16");
    for own in ["config", "layout", "num_classes", "num_labels"] {
        assert!(config.get(own).is_none(), "{own}");
    }
}

#[test]
fn a_head_on_the_pooler_is_transformers_and_others_are_refused() {
    let run = texts("bert", "");
    let set = ["--set", "model.pooling=pooler"];
    run.fit(&set).succeeded();
    run.host(["export", "--checkpoint", "run", "--hf", "out"]).succeeded();
    let own = texts("bert", "");
    own.fit(&["--set", "model.pooling=mean"]).succeeded();
    own.host(["export", "--checkpoint", "run", "--hf", "out"])
        .failed(2, &["--hf", "layout \"sequence-classification\""]);
    assert!(!own.folder().join("out").exists());
}

#[test]
fn what_is_there_is_not_written_over() {
    let run = texts("bert", "");
    run.fit(&[]).succeeded();
    run.write("out/mine.txt", "mine");
    run.host(["export", "--checkpoint", "run", "--hf", "out"]).failed(2, &["--hf out", "already"]);
    let inside = "run/checkpoints/last/out";
    run.host(["export", "--checkpoint", "run", "--hf", inside, "--output", "a.safetensors"])
        .failed(2, &["--hf"]);
    std::fs::create_dir(run.folder().join("empty")).unwrap();
    run.host(["export", "--checkpoint", "run", "--hf", "empty"]).succeeded();
    assert!(run.folder().join("empty/model.safetensors").is_file());
}
