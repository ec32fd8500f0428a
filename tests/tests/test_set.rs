//! `host test`: a trained model on all samples of a test set.

use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use thaw_tests::Run;

/// Plain pictures of a class, each class of a brightness of its own.
fn pictures(run: &Run, folder: &str, class: &str, count: u8) {
    let level = ["cat", "dog", "owl"].iter().position(|name| *name == class).unwrap_or(0) as u8 * 100 + 20;
    for number in 0..count {
        let path = run.write(&format!("{folder}/{class}/{number}.png"), "");
        RgbImage::from_pixel(32, 32, Rgb([level + number % 30; 3])).save(path).unwrap();
    }
}

fn trained(data: &str) -> Run {
    let run = Run::new(&format!(
        "plugins = [\"autoencoder\"]\n[model]\nid = \"autoencoder-classifier\"\nhidden_dim = 16\nlatent_dim \
         = 8\n\
         [data]\n{data}\nworkers = 0\n[optimizer]\nid = \"adam\"\nlr = 0.01\n[trainer]\nmax_epochs = 4\n\
         limit_val_batches = 1\n"
    ));
    for class in ["cat", "dog", "owl"] {
        pictures(&run, "pictures", class, 10);
    }
    let fitted = run.fit(&[]).succeeded();
    assert!(fitted.stderr.contains("num_classes = 3"), "{}", fitted.stderr);
    run
}

fn tested(run: &Run, input: &str) -> Value {
    let text = run.host(["test", "--checkpoint", "run", "--input", input, "--json"]).succeeded().stdout;
    serde_json::from_str(&text).unwrap()
}

/// Class and samples of each class that was met.
fn samples(found: &Value) -> Vec<(&str, u64)> {
    let classes = found["classes"].as_array().unwrap().iter();
    classes.map(|class| (class["class"].as_str().unwrap(), class["samples"].as_u64().unwrap())).collect()
}

#[test]
fn a_test_set_counts_whole_and_by_the_names_of_its_classes() {
    let run = trained("kind = \"image-folder\"\npath = \"pictures\"\nval_split = 0.2");
    pictures(&run, "test", "cat", 5);
    pictures(&run, "test", "owl", 40);
    let found = tested(&run, "test");
    assert_eq!(samples(&found), [("cat", 5), ("owl", 40)]);
    let hits: u64 =
        found["classes"].as_array().unwrap().iter().map(|class| class["hits"].as_u64().unwrap()).sum();
    let accuracy = found["metrics"]["test_acc"].as_f64().unwrap();
    assert!((accuracy - hits as f64 / 45.0).abs() < 1e-12, "{found}");
    assert!(found["metrics"]["test_loss"].is_f64() && found["metrics"]["val_loss"].is_null(), "{found}");

    let rows = run.host(["predict", "--checkpoint", "run", "--input", "test", "--output", "out.csv"]);
    rows.succeeded();
    let text = std::fs::read_to_string(run.folder().join("out.csv")).unwrap();
    let right = text.lines().filter(|line| {
        let class = line.split(',').nth(1).unwrap_or_default();
        line.contains(&format!("/{class}/"))
    });
    assert_eq!(right.count() as u64, hits);

    let list: String = (0..3).map(|number| format!("test/owl/{number}.png,owl\n")).collect();
    run.write("list.csv", format!("path,label\n{list}"));
    assert_eq!(samples(&tested(&run, "list.csv")), [("owl", 3)]);
}

#[test]
fn of_a_folder_of_splits_the_test_is_taken() {
    let run = trained("kind = \"image-folder\"\npath = \"pictures\"\nval_split = 0.2");
    pictures(&run, "root/train", "cat", 3);
    pictures(&run, "root/valid", "dog", 3);
    let test = ["test", "--checkpoint", "run", "--input", "root"];
    run.host(test).failed(2, &["train/, valid/", "none that is called test/", "--input"]);
    pictures(&run, "root/Testing", "owl", 5);
    assert_eq!(samples(&tested(&run, "root")), [("owl", 5)]);
    run.host(test).succeeded().says("Testing/ is taken");
}

#[test]
fn what_a_test_cannot_count_is_refused_by_name() {
    let run = trained("kind = \"image-folder\"\npath = \"pictures\"\nval_split = 0.2");
    pictures(&run, "test", "cat", 2);
    pictures(&run, "test", "fish", 2);
    let test = |input: &str, more: &[&str]| {
        run.host(["test", "--checkpoint", "run", "--input", input].iter().chain(more))
    };
    test("test", &[]).failed(2, &["fish", "cat, dog, owl"]);
    test("gone", &[]).failed(2, &["gone", "--input"]);
    test("test/cat/0.png", &[]).failed(2, &["0.png", "no labels"]);
    test("test", &["--set", "data.val_split=0.5"]).failed(2, &["data.val_split", "--input"]);
    // The same data through a validation: what to use instead is said.
    pictures(&run, "less", "cat", 4);
    pictures(&run, "less", "dog", 4);
    run.host(["validate", "--checkpoint", "run", "--set", "data.path=less"]).failed(2, &["host test"]);
}

#[test]
fn the_metrics_of_a_test_on_the_validation_data_are_those_of_the_validation() {
    let run = trained("kind = \"image-folder\"\npath = \"pictures\"\nval_split = 0.5");
    pictures(&run, "val", "cat", 4);
    pictures(&run, "val", "dog", 4);
    pictures(&run, "val", "owl", 4);
    let config = std::fs::read_to_string(run.folder().join("run.toml")).unwrap();
    run.write("other.toml", config.replace("val_split = 0.5", "val_path = \"val\""));
    let text = run.host(["validate", "other.toml", "--checkpoint", "run", "--json"]).succeeded().stdout;
    let validated: Value = serde_json::from_str(&text).unwrap();
    let found = tested(&run, "val");
    for name in ["loss", "acc"] {
        assert_eq!(found["metrics"][format!("test_{name}")], validated["metrics"][format!("val_{name}")]);
    }
    assert_eq!(found["classes"], validated["classes"]);
    assert_ne!(found["classes"], json!([]));
}

/// A test that would fail after the training fails before it.
#[test]
fn a_test_path_is_looked_at_before_anything_trains() {
    let run = trained("kind = \"image-folder\"\npath = \"pictures\"\nval_split = 0.2");
    pictures(&run, "held/a", "cat", 1);
    pictures(&run, "held/b", "fish", 1);
    let fit = |path: &str| {
        let set = format!("data.test_path={path}");
        run.host(["fit", "run.toml", "--run-dir", "another", "--set", &set])
    };
    fit("gone").failed(2, &["[data] `test_path`", "gone, which is not there"]);
    fit("held/b").failed(2, &["fish", "cat, dog, owl"]);
    assert!(!run.folder().join("another").exists());
    fit("held/a").succeeded();
}
