//! Folders that transformers' `save_pretrained` wrote, used as they are.

use serde_json::Value;
use thaw_tests::Run;
use thaw_tests::hub::{self, agrees, folder};

const FAMILIES: [(&str, &str); 3] =
    [("bert", "bert-classifier"), ("distilbert", "distilbert-classifier"), ("roberta", "roberta-classifier")];

/// A run at rate 0 on the recorded texts; `model` and `data` are further keys.
fn run(family: &str, id: &str, model: &str, data: &str) -> Run {
    let folder = folder(family);
    let run = Run::new(&format!(
        "plugins = [\"text\"]\n[model]\nid = \"{id}\"\nweights = {folder:?}\n{model}\n\
         [data]\nkind = \"text\"\npath = \"train.csv\"\ntokenizer = {folder:?}\n{data}\n\
         [optimizer]\nid = \"sgd\"\nlr = 0.0\n[trainer]\nmax_epochs = 1\n"
    ));
    hub::write_texts(&run, family, ["negative", "positive", "neutral", "negative"]);
    run
}

#[test]
fn a_trained_classifier_predicts_as_transformers_with_nothing_but_its_folder_named() {
    for (family, id) in FAMILIES {
        let run = run(family, id, "", "");
        let fitted = run.fit(&[]).succeeded();
        assert!(fitted.stderr.contains("config.json"), "{}", fitted.stderr);
        // The rate is 0, and the run says so.
        let warnings =
            fitted.stderr.lines().filter(|line| line.contains("WARN") && !line.contains("rate is 0"));
        assert_eq!(warnings.count(), 0, "{}", fitted.stderr);
        agrees(&run, family);
        run.host(["validate", "--checkpoint", "run", "--set", "data.val_path=train.csv"]).succeeded();
    }
}

#[test]
fn a_trained_classifier_thaws_layer_by_layer_under_the_name_that_the_error_gives() {
    for (family, id) in FAMILIES {
        let run = run(family, id, "", "");
        let set = [
            "--plugin",
            "layerwise_finetuning",
            "--set",
            "callbacks=[{ id = \"layerwise-finetuning\", unfreeze_at_epoch = 1, layers_per_epoch = 1 }]",
            "--set",
            "trainer.max_epochs=3",
        ];
        let module = format!("module = \"{family}\"");
        run.fit(&set).failed(3, &["the model has no module `backbone`", &module]);
        run.fit(&[&set[..], &["--set", &format!("callbacks.0.module={family}")]].concat()).succeeded();
        let groups: Vec<Vec<String>> = run
            .groups()
            .iter()
            .map(|record| record["groups"].as_array().unwrap().iter())
            .map(|groups| groups.map(|group| group["name"].as_str().unwrap().to_owned()).collect())
            .collect();
        let stack = if family == "distilbert" { "transformer" } else { "encoder" };
        let (layer, embeddings) = (format!("{family}.{stack}.layer.0"), format!("{family}.embeddings"));
        let pooler = format!("{family}.pooler");
        let mut layers = if family == "bert" { vec![pooler] } else { Vec::new() };
        layers.extend([layer, embeddings]);
        for (epoch, groups) in groups.iter().enumerate() {
            assert_eq!(groups[1..], layers[..epoch], "{family}");
        }
    }
}

/// A file of data-parallel training, whose names all begin with `module.`, beside sizes that name no class.
#[test]
fn what_is_said_of_a_data_parallel_models_head_can_be_followed() {
    use thaw_plugin_api::tch::Tensor;
    for (family, id) in FAMILIES {
        let run = run(family, id, "", "");
        let tensors = Tensor::read_safetensors(folder(family).join("model.safetensors")).unwrap();
        let wrapped: Vec<_> =
            tensors.into_iter().map(|(name, tensor)| (format!("module.{name}"), tensor)).collect();
        Tensor::write_safetensors(&wrapped, run.folder().join("ddp.safetensors")).unwrap();
        let text = std::fs::read_to_string(folder(family).join("config.json")).unwrap();
        let mut config: Value = serde_json::from_str(&text).unwrap();
        config.as_object_mut().unwrap().remove("architectures");
        run.write("config.json", config.to_string());
        let fit = |ignore: &str, more: &[&str]| {
            let _ = std::fs::remove_dir_all(run.run_dir());
            let weights = format!("model.weights={{ path = \"ddp.safetensors\", ignore = {ignore} }}");
            run.fit(&[&["--set", &weights, "--set", "model.config=config.json"], more].concat())
        };
        let words = ["layout = \"sequence-classification\"", "in the file module.classifier"];
        let failed = fit("[]", &[]).failed(1, &words);
        let pattern = "add `ignore = ";
        let start = failed.stderr.find(pattern).unwrap_or_else(|| panic!("{failed}")) + pattern.len();
        let ignore = failed.stderr[start..].split('`').next().unwrap();
        assert!(!ignore.contains("\"module"), "{failed}");
        fit(ignore, &[]).succeeded().says("keep their initial values");
        fit("[]", &["--set", "model.layout=sequence-classification"]).succeeded();
        agrees(&run, family);
    }
}

#[test]
fn classes_in_another_order_than_the_heads_are_told_with_both_orders() {
    let run = run("bert", "bert-classifier", "", "classes = [\"negative\", \"neutral\", \"positive\"]");
    let stderr = run.fit(&[]).succeeded().stderr;
    let warning = stderr.lines().find(|line| line.contains("WARN")).unwrap_or_else(|| panic!("{stderr}"));
    for expected in ["neutral, positive, negative", "negative, neutral, positive", "`classes`"] {
        assert!(warning.contains(expected), "{warning}");
    }
}

#[test]
fn a_head_of_the_pooler_goes_over_nothing_else() {
    let run = run("bert", "bert-classifier", "layout = \"backbone-head\"", "");
    run.fit(&[]).failed(1, &["classifier.weight", "head.weight"]);
    let pooled = self::run("bert", "bert-classifier", "layout = \"backbone-head\"\npooling = \"pooler\"", "");
    pooled.fit(&[]).succeeded();
    agrees(&pooled, "bert");
}

#[test]
fn a_file_that_is_not_in_the_folder_is_named() {
    let run = run("bert", "bert-classifier", "config = \"empty\"", "");
    std::fs::create_dir(run.folder().join("empty")).unwrap();
    run.fit(&[]).failed(2, &["empty/config.json"]);
    run.fit(&["--set", &format!("model.config={:?}", folder("bert")), "--set", "data.tokenizer=empty"])
        .failed(2, &["empty/tokenizer.json"]);
    run.write("empty/vocab.txt", "[PAD]\n[UNK]\n");
    run.fit(&["--set", &format!("model.config={:?}", folder("bert")), "--set", "data.tokenizer=empty"])
        .failed(2, &["empty/tokenizer.json", "save_pretrained('empty')"]);
}

#[test]
fn a_tokenizer_that_breaks_down_ends_the_run_before_it_starts() {
    let run = run("bert", "bert-classifier", "", "");
    let text = std::fs::read_to_string(folder("bert").join("tokenizer.json")).unwrap();
    let mut tokenizer: Value = serde_json::from_str(&text).unwrap();
    tokenizer["post_processor"]["special_tokens"].as_object_mut().unwrap().remove("[CLS]");
    run.write("broken/tokenizer.json", tokenizer.to_string());
    let failed =
        run.fit(&["--set", "data.tokenizer=broken"]).failed(2, &["broken/tokenizer.json", "`[CLS]`"]);
    assert!(!failed.stderr.contains("panicked"), "{}", failed.stderr);
    assert!(!run.run_dir().exists());
}
