//! `host export --layout`: a model trained in one layout, written under the names of another.

use std::collections::BTreeMap;

use serde_json::Value;
use thaw_tests::{Run, Values, fixtures, read_tensors, write_tensors};

/// Names and sizes of a reference's state_dict.
fn state_dict(arch: &str) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(fixtures().join(format!("models/arch/{arch}.json"))).unwrap();
    let reference: Value = serde_json::from_str(&text).unwrap();
    let entries = reference["state_dict"].as_array().unwrap().iter();
    let size = |entry: &Value| -> usize {
        entry["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).product()
    };
    entries.map(|entry| (entry["name"].as_str().unwrap().to_owned(), size(entry))).collect()
}

#[test]
fn a_model_in_the_default_layout_is_written_under_torchvisions_names() {
    let run = Run::new(
        "plugins = [\"vision\"]\n[model]\nid = \"resnet18\"\nnum_classes = 1000\nfreeze_features = true\n\
         [data]\nkind = \"tensors\"\npath = \"data.safetensors\"\nbatch_size = 2\n\
         [optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 1\n",
    );
    let pictures = vec![0.5; 2 * 3 * 32 * 32];
    let data = run.write("data.safetensors", "");
    let tensors: [(&str, &[usize], Values); 2] =
        [("x", &[2, 3, 32, 32], Values::F32(&pictures)), ("y", &[2], Values::I64(&[0, 1]))];
    write_tensors(&data, &tensors).unwrap();
    run.fit(&[]).succeeded();
    let export = |output: &str, more: &[&str]| {
        run.host(["export", "--checkpoint", "run", "--output", output].iter().chain(more))
    };
    export("own.safetensors", &[]).succeeded();
    export("original.safetensors", &["--layout", "original"]).succeeded();
    let own = read_tensors(&run.folder().join("own.safetensors")).unwrap();
    let original = read_tensors(&run.folder().join("original.safetensors")).unwrap();
    let sizes: BTreeMap<String, usize> =
        original.iter().map(|(name, values)| (name.clone(), values.len())).collect();
    assert_eq!(sizes, state_dict("resnet18"));
    for (name, of_own) in [("conv1.weight", "backbone.conv1.weight"), ("fc.bias", "head.1.bias")] {
        assert_eq!(original[name], own[of_own], "{name}");
    }
    export("none.safetensors", &["--layout", "originl"]).failed(2, &["layout", "original"]);
    assert!(!run.folder().join("none.safetensors").exists());
}

#[test]
fn a_text_classifier_goes_back_to_transformers_as_it_came() {
    let folder = fixtures().join("hub/bert");
    let run = Run::new(&format!(
        "plugins = [\"text\"]\n[model]\nid = \"bert-classifier\"\nweights = {folder:?}\nlayout \
         = \"backbone-head\"\n\
         pooling = \"pooler\"\n[data]\nkind = \"text\"\npath = \"train.csv\"\ntokenizer = {folder:?}\n\
         [optimizer]\nid = \"sgd\"\nlr = 0.0\n[trainer]\nmax_epochs = 1\n"
    ));
    run.write("train.csv", "text,label\ngood film,positive\nbad film,negative\nfilm,neutral\n");
    run.fit(&[]).succeeded();
    let export = ["export", "--checkpoint", "run", "--output", "back.safetensors", "--layout"];
    run.host(export.iter().chain(&["sequence-classification"])).succeeded();
    let back = read_tensors(&run.folder().join("back.safetensors")).unwrap();
    assert_eq!(back, read_tensors(&folder.join("model.safetensors")).unwrap());
}
