//! `[model] path`: a directory of a picture classifier that transformers wrote is the whole of a model.

use std::path::PathBuf;

use serde_json::Value;
use thaw_tests::{Run, fixtures};

const FAMILIES: [&str; 5] = ["vit", "convnext", "resnet", "resnet_basic", "swin"];

fn folder(name: &str) -> PathBuf {
    fixtures().join("hub_pictures").join(name)
}

fn recorded(family: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder("expected.json")).unwrap();
    let mut expected: Value = serde_json::from_str(&text).unwrap();
    expected[family].as_array_mut().unwrap().drain(..).collect()
}

/// A run on the recorded pictures, for which the directory is named and nothing else.
fn run(family: &str, more: &str) -> Run {
    let pictures = folder("pictures");
    Run::new(&format!(
        "plugins = [\"vision\"]\n[model]\npath = {:?}\n[data]\nkind = \"image-folder\"\npath = {pictures:?}\n\
         val_path = {pictures:?}\n[optimizer]\nid = \"sgd\"\nlr = 0.0\n[trainer]\nmax_epochs = 1\n{more}",
        folder(family)
    ))
}

/// Predictions on the recorded pictures are transformers'.
fn agrees(run: &Run, family: &str) {
    let pictures = folder("pictures");
    let pictures = pictures.to_str().unwrap();
    run.host(["predict", "--checkpoint", "run", "--input", pictures, "--output", "out.jsonl", "--all"])
        .succeeded();
    let text = std::fs::read_to_string(run.folder().join("out.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = recorded(family);
    assert_eq!(rows.len(), expected.len());
    for expected in expected {
        let picture = expected["picture"].as_str().unwrap();
        let found = rows.iter().find(|row| row.to_string().contains(picture)).unwrap();
        let tolerance = if expected["exact"].as_bool().unwrap() { 1e-5 } else { 0.02 };
        for (class, probability) in expected["probabilities"].as_object().unwrap() {
            let found = found["probabilities"][class].as_f64().unwrap_or_else(|| panic!("{family}: {found}"));
            let expected = probability.as_f64().unwrap();
            let difference = (found - expected).abs();
            assert!(difference < tolerance, "{family}, {picture}, {class}: {found}, expected {expected}");
        }
    }
}

#[test]
fn every_family_predicts_as_transformers_with_nothing_but_its_directory_named() {
    for family in FAMILIES {
        // At rate 0 an epoch moves the statistics of batch norms alone.
        let run = run(family, "");
        let fitted = run.fit(&["--set", "model.freeze_features=true"]).succeeded();
        assert!(fitted.stderr.contains("data.resize"), "{fitted}");
        let warnings =
            fitted.stderr.lines().filter(|line| line.contains("WARN") && !line.contains("rate is 0"));
        assert_eq!(warnings.count(), 0, "{fitted}");
        agrees(&run, family);
    }
}

#[test]
fn layers_thaw_and_a_run_is_resumed_bit_for_bit() {
    for family in FAMILIES {
        let base = family.trim_end_matches("_basic");
        let run = run(
            family,
            &format!(
                "[[callbacks]]\nid = \"layerwise-finetuning\"\nmodule = \"{base}\"\nunfreeze_at_epoch = 1\n\
                 layers_per_epoch = 1\n"
            ),
        );
        let set = ["--plugin", "layerwise_finetuning", "--set", "optimizer.lr=0.01", "--set"];
        let epochs = |epochs: &'static str| [&set[..], &[epochs]].concat();
        run.fit(&epochs("trainer.max_epochs=2")).succeeded();
        run.resume(&epochs("trainer.max_epochs=4")).succeeded();
        let again =
            [&["fit", "run.toml", "--run-dir", "again"][..], &epochs("trainer.max_epochs=4")].concat();
        run.host(again).succeeded();
        let last = |folder: &str| {
            let path = run.folder().join(folder).join("checkpoints/last/model.safetensors");
            std::fs::read(path).unwrap()
        };
        assert!(last("run") == last("again"), "{family}");
        let groups = run.groups().last().unwrap()["groups"].as_array().unwrap().len();
        assert!(groups > 2, "{family}: {groups} groups");
    }
}

#[test]
fn a_head_with_other_classes_is_said_and_trained_anew() {
    for family in FAMILIES {
        let run = run(family, "");
        for (class, picture) in [("day", "cat/a.png"), ("night", "dog/b.png")] {
            std::fs::create_dir_all(run.folder().join("own").join(class)).unwrap();
            let to = run.folder().join("own").join(class).join("a.png");
            std::fs::copy(folder("pictures").join(picture), to).unwrap();
        }
        let fitted = run.fit(&["--set", "data.path=own", "--set", "data.val_path=own"]).succeeded();
        for expected in ["owl, cat, dog", "day, night", "a new head is trained"] {
            assert!(fitted.stderr.contains(expected), "{family}: {fitted}");
        }
    }
}

#[test]
fn what_the_run_config_says_of_pictures_stays() {
    let run = run("vit", "");
    let fitted = run.fit(&["--set", "data.resize=crop", "--set", "data.mean=[0.0, 0.0, 0.0]"]).succeeded();
    assert!(!fitted.stderr.contains("data.resize") && !fitted.stderr.contains("data.mean"), "{fitted}");
    let config = std::fs::read_to_string(run.run_dir().join("config.toml")).unwrap();
    assert!(config.contains("resize = \"crop\""), "{config}");
}

/// A state_dict as `torch.save` writes it has the names that transformers 5 uses in memory.
#[test]
fn names_in_memory_load_as_those_that_are_saved() {
    for family in ["vit", "swin"] {
        let run = run(family, "");
        let names = [
            ("config.json", "config.json"),
            ("preprocessor_config.json", "preprocessor_config.json"),
            ("in_memory.pt", "pytorch_model.bin"),
        ];
        for (from, to) in names {
            run.write(&format!("model/{to}"), std::fs::read(folder(family).join(from)).unwrap());
        }
        let set = ["--set", "model.freeze_features=true", "--set", "model.path=model"];
        let fitted = run.fit(&set).succeeded();
        assert!(!fitted.stderr.contains("keep their initial values"), "{fitted}");
        agrees(&run, family);
    }
}
