//! `[model] path`: what the directory says of pictures, labels and plugins is applied, or refused with the
//! key at the start; `tests/fixtures/hub_pictures/variants.py` records what transformers makes of pictures.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thaw_tests::{Run, fixtures, hub};

fn folder(name: &str) -> PathBuf {
    fixtures().join("hub_pictures").join(name)
}

fn read(file: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// A run on the recorded pictures with a copy of a family's directory, `model`.
fn run(family: &str) -> Run {
    let pictures = folder("pictures");
    let run = Run::new(&format!(
        "plugins = [\"vision\"]\n[model]\npath = \"model\"\n[data]\nkind = \"image-folder\"\n\
         path = {pictures:?}\nval_path = {pictures:?}\n\
         [optimizer]\nid = \"sgd\"\nlr = 0.0\n[trainer]\nmax_epochs = 1\n"
    ));
    for file in ["config.json", "model.safetensors", "preprocessor_config.json"] {
        run.write(&format!("model/{file}"), std::fs::read(folder(family).join(file)).unwrap());
    }
    run
}

/// Changes keys of a file of the directory; null takes one away.
fn change(run: &Run, file: &str, keys: Value) {
    let file = format!("model/{file}");
    let mut json = read(&run.folder().join(&file));
    json.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    json.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    run.write(&file, json.to_string());
}

fn set<'s>(settings: &[&'s str]) -> Vec<&'s str> {
    settings.iter().flat_map(|setting| ["--set", setting]).collect()
}

#[test]
fn pictures_are_prepared_as_transformers_prepares_them_whatever_the_processor() {
    let expected = read(&folder("variants/expected.json"));
    assert!(expected.as_object().unwrap().len() >= 11);
    for (name, expected) in expected.as_object().unwrap() {
        let run = run(expected["family"].as_str().unwrap());
        let variant = folder("variants").join(name);
        let processor = std::fs::read(variant.join("preprocessor_config.json")).unwrap();
        run.write("model/preprocessor_config.json", processor);
        let settings: Vec<&str> =
            expected["settings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        // Batch norms that train would move.
        let settings = [&settings[..], &["model.freeze_features=true"]].concat();
        run.fit(&set(&settings)).succeeded();
        let picture = variant.join("pictures/cat/a.png");
        let picture = picture.to_str().unwrap();
        run.host(["predict", "--checkpoint", "run", "--input", picture, "--output", "out.jsonl", "--all"])
            .succeeded();
        let found = read(&run.folder().join("out.jsonl"));
        let tolerance = if expected["exact"].as_bool().unwrap() { 1e-5 } else { 0.01 };
        for (class, probability) in expected["probabilities"].as_object().unwrap() {
            let (found, expected) = (&found["probabilities"][class], probability.as_f64().unwrap());
            let difference = (found.as_f64().unwrap() - expected).abs();
            assert!(difference < tolerance, "{name}, {class}: {found}, transformers has {expected}");
        }
        // What is exported is prepared so again.
        run.host(["export", "--checkpoint", "run", "--hf", "out"]).succeeded();
        let again = ["--set", "model.path=out", "--set", "model.freeze_features=true", "--run-dir", "again"];
        run.host([&["fit", "run.toml"][..], &again].concat()).succeeded();
        run.host(["predict", "--checkpoint", "again", "--input", picture, "--output", "two.jsonl", "--all"])
            .succeeded();
        let text = |file: &str| std::fs::read_to_string(run.folder().join(file)).unwrap();
        let (one, two) = (read(&run.folder().join("out.jsonl")), read(&run.folder().join("two.jsonl")));
        for (class, found) in one["probabilities"].as_object().unwrap() {
            let again = two["probabilities"][class].as_f64().unwrap();
            assert!((found.as_f64().unwrap() - again).abs() < 1e-4, "{name}: {} {}", text("out.jsonl"), two);
        }
    }
}

#[test]
fn a_size_that_model_and_pictures_do_not_share_is_refused_before_anything_runs() {
    let run = run("vit");
    let larger = json!({ "size": { "height": 48, "width": 48 } });
    change(&run, "preprocessor_config.json", larger);
    run.fit(&[]).failed(2, &["`model.path`", "48", "32", "`image_size` in [data]"]);
    for size in ["data.image_size=32", "data.image_size=48", "model.image_size=48"] {
        run.host([&["fit", "run.toml", "--run-dir", size][..], &set(&[size])].concat()).succeeded();
    }
    run.fit(&set(&["model.image_size=48", "data.image_size=32"])).failed(2, &["`data.image_size`", "48"]);
    // A model that takes every size follows its pictures.
    let run = self::run("resnet");
    change(&run, "preprocessor_config.json", json!({ "size": { "shortest_edge": 48 } }));
    run.fit(&[]).succeeded();
}

#[test]
fn what_has_no_counterpart_in_data_is_refused_with_the_key() {
    for (keys, names) in [
        (json!({ "size": { "height": 32, "width": 48 } }), "`size`"),
        (json!({ "image_mean": [0.5, 0.5] }), "`image_mean`"),
        (json!({ "do_pad": true }), "`do_pad = true`"),
        (json!({ "image_processor_type": "MobileViTImageProcessor" }), "`image_processor_type`"),
    ] {
        let run = run("vit");
        change(&run, "preprocessor_config.json", keys);
        run.fit(&[]).failed(2, &["`model.path`", "preprocessor_config.json", names, "[data]"]);
        let all = set(&[
            "data.image_size=32",
            "data.resize=squash",
            "data.interpolation=bicubic",
            "data.mean=[0.5, 0.5, 0.5]",
            "data.std=[0.5, 0.5, 0.5]",
        ]);
        run.fit(&all).succeeded();
    }
}

#[test]
fn the_plugin_that_a_directory_needs_is_named() {
    let run = run("vit");
    for plugins in ["plugins=[]", "plugins=[\"text\"]"] {
        run.fit(&set(&[plugins])).failed(2, &["`model.path`", "`vit`", "plugins = [\"vision\"]"]);
    }
    change(&run, "config.json", json!({ "model_type": "beit" }));
    run.fit(&[]).failed(2, &["`model.path`", "`beit`", "export_for_thaw.py", "torch-export"]);
}

#[test]
fn numbers_as_classes_are_places_of_outputs_and_said_so() {
    let run = run("vit");
    for (class, picture) in [("0", "cat/a.png"), ("1", "dog/b.png"), ("2", "owl/c.png")] {
        run.write(&format!("own/{class}/a.png"), std::fs::read(folder("pictures").join(picture)).unwrap());
    }
    let own = ["--set", "data.path=own", "--set", "data.val_path=own"];
    run.fit(&own).succeeded().says("0 is owl, 1 is cat, 2 is dog");
    std::fs::remove_dir_all(run.folder().join("own/2")).unwrap();
    let fewer = run.host([&["fit", "run.toml", "--run-dir", "fewer"][..], &own].concat());
    fewer.succeeded().says("a new head is trained");
}

/// The data's classes, and what becomes of a head of owl, cat and dog.
#[test]
fn a_head_is_kept_where_its_classes_agree_by_name_and_else_replaced() {
    for (classes, said, outputs) in [
        (&["cat", "dog", "owl"][..], "in the order of the data's classes", 3),
        (&["CAT", "Dog", "owl"], "in the order of the data's classes", 3),
        (&["cat", "owl"], "a new head is trained", 2),
        (&["cat", "dog", "emu", "owl"], "a new head is trained", 4),
        (&["cat", "dog", "emu"], "a new head is trained", 3),
    ] {
        let run = run("vit");
        for class in classes {
            let picture = std::fs::read(folder("pictures/cat/a.png")).unwrap();
            run.write(&format!("own/{class}/a.png"), picture);
        }
        let fitted = run.fit(&set(&["data.path=own", "data.val_path=own"])).succeeded();
        assert!(fitted.stderr.contains(said), "{classes:?}: {fitted}");
        run.host(["export", "--checkpoint", "run", "--hf", "out"]).succeeded();
        let labels = read(&run.folder().join("out/config.json"))["id2label"].clone();
        assert_eq!(labels.as_object().unwrap().len(), outputs, "{classes:?}");
        let spelled: Vec<&str> = labels.as_object().unwrap().values().filter_map(Value::as_str).collect();
        assert_eq!(spelled, classes, "the data's spelling");
    }
}

/// A run on texts with labels of some kind, with a copy of BERT's directory, `model`.
fn texts(labels: [&str; 4], settings: &str) -> Run {
    let run = Run::new(&format!(
        "plugins = [\"text\"]\n[model]\npath = \"model\"\n[data]\nkind = \"text\"\npath = \"train.csv\"\n\
         val_path = \"train.csv\"\n{settings}\n[optimizer]\nid = \"sgd\"\nlr = 0.0\n\
         [trainer]\nmax_epochs = 1\n"
    ));
    hub::write_texts(&run, "bert", labels);
    for file in ["config.json", "model.safetensors", "tokenizer.json"] {
        run.write(&format!("model/{file}"), std::fs::read(hub::folder("bert").join(file)).unwrap());
    }
    run
}

#[test]
fn a_head_of_another_problem_is_said_and_replaced() {
    let number = "is for another problem";
    let labels = ["negative", "positive", "neutral", "negative"];
    // Classes to a number, and back.
    texts(["0.5", "1", "2", "0.1"], "target = \"value\"").fit(&[]).succeeded().says(number);
    let run = texts(labels, "target = \"class\"");
    let one =
        json!({ "problem_type": "regression", "id2label": { "0": "score" }, "label2id": { "score": 0 } });
    change(&run, "config.json", one);
    run.fit(&[]).succeeded().says(number).says("model.num_classes = 3");
    // Several numbers are no problem that there is here.
    let run = texts(["0.5", "1", "2", "0.1"], "");
    change(&run, "config.json", json!({ "problem_type": "regression" }));
    run.fit(&[]).failed(2, &["`model.path`", "3 outputs", "`target` in [data]"]);
    run.fit(&set(&["data.target=\"value\""])).succeeded().says(number);
    // Several labels have the outputs of as many classes: their head goes on.
    let several = ["negative;positive", "positive", "neutral", "negative"];
    let settings = "target = \"labels\"\nlabel_separator = \";\"\n[loss]\nkind = \"bce\"";
    texts(several, settings).fit(&[]).succeeded().does_not_say("a new head is trained");
}

#[test]
fn a_run_goes_on_without_the_directory_that_it_began_with() {
    let run = run("vit");
    run.fit(&set(&["optimizer.lr=0.01"])).succeeded();
    run.resume(&set(&["optimizer.lr=0.01", "trainer.max_epochs=2"])).succeeded();
    let two = std::fs::read(run.run_dir().join("checkpoints/last/model.safetensors")).unwrap();

    let run = self::run("vit");
    run.fit(&set(&["optimizer.lr=0.01"])).succeeded();
    std::fs::rename(run.folder().join("model"), run.folder().join("moved")).unwrap();
    run.fit(&[]).failed(2, &["`model.path`", "\"model\"", "--resume RUN_DIR"]);
    run.host(["fit", "--resume", "run", "--set", "trainer.max_epochs=2"]).succeeded();
    assert!(two == std::fs::read(run.run_dir().join("checkpoints/last/model.safetensors")).unwrap());
    let pictures = folder("pictures");
    let pictures = pictures.to_str().unwrap();
    run.host(["predict", "--checkpoint", "run", "--input", pictures, "--output", "out.csv"]).succeeded();
    run.host(["export", "--checkpoint", "run", "--hf", "out"]).succeeded();
}
