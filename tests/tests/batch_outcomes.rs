//! What callbacks see of batches of validation: outputs, targets and samples.

use serde_json::{Value, json};
use thaw_tests::{Run, Values, fixtures, write_tensors};

fn run(callback: &str) -> Run {
    let case = fixtures().join("loss/classes.json");
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\", \"case_strategies\"]\n[model]\nid = \"case-model\"\ncase = \
         {case:?}\n[data]\nkind = \"tensors\"\npath = \"train.safetensors\"\nbatch_size = 4\nval_path = \
         \"val.safetensors\"\nvalidation = {{ night = \"night.safetensors\" }}\n[optimizer]\nid = \
         \"sgd\"\nlr = 0.1\n[[callbacks]]\nid = \"case-outcomes\"\nfile = \"seen\"\n{callback}\n[trainer]\n\
         max_epochs = 2\n"
    ));
    for (file, samples) in [("train", 12), ("val", 10), ("night", 3), ("test", 6)] {
        let values: Vec<f32> = (0..samples * 5).map(|number| (number * 3 % 7) as f32 - 3.0).collect();
        let labels: Vec<i64> = (0..samples as i64).map(|row| row % 3).collect();
        let tensors: [(&str, &[usize], Values); 2] =
            [("x", &[samples, 5], Values::F32(&values)), ("y", &[samples], Values::I64(&labels))];
        write_tensors(&run.folder().join(format!("{file}.safetensors")), &tensors).unwrap();
    }
    run
}

fn seen(run: &Run) -> Vec<Value> {
    let path = run.folder().join("seen");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_callback_counts_what_the_program_counts() {
    let run = run("");
    run.fit(&[]).succeeded();
    let seen = seen(&run);
    // A sanity check of two batches and one, then twice three and one.
    assert_eq!(seen.len(), 3 + 2 * 4, "{seen:?}");
    assert_eq!(
        seen[seen.len() - 2],
        json!({ "set": 0, "batch": 2, "shape": [2, 3], "samples": ["8", "9"], "targets": [2, 0] })
    );
    assert_eq!(
        seen[seen.len() - 1],
        json!({ "set": 1, "batch": 0, "shape": [3, 3], "samples": ["0", "1", "2"], "targets": [0, 1, 2] })
    );
    for record in run.metrics().iter().filter(|record| record.get("val_acc").is_some()) {
        assert!((record["own_acc"].as_f64().unwrap() - record["val_acc"].as_f64().unwrap()).abs() < 1e-12);
    }
}

#[test]
fn validations_and_tests_of_a_checkpoint_show_them_too() {
    let run = run("");
    run.fit(&[]).succeeded();
    seen(&run);
    run.host(["validate", "--checkpoint", "run"]).succeeded();
    let sets: Vec<Value> = seen(&run).iter().map(|line| line["set"].clone()).collect();
    assert_eq!(sets, [0, 0, 0, 1]);
    run.host(["test", "--checkpoint", "run", "--input", "test.safetensors"]).succeeded();
    let samples: Vec<Value> = seen(&run).iter().map(|line| line["samples"].clone()).collect();
    assert_eq!(samples, [json!(["0", "1", "2", "3"]), json!(["4", "5"])]);
}

#[test]
fn a_cached_prefix_changes_nothing_of_them() {
    let run = run("");
    let frozen = ["--set", "optimizer.parameters=[\"head\"]"];
    run.fit(&[&frozen[..], &["--set", "trainer.frozen_cache=\"off\""]].concat()).succeeded();
    let without = seen(&run);
    run.host([&["fit", "run.toml", "--run-dir", "other"], &frozen[..]].concat()).succeeded();
    assert_eq!(seen(&run), without);
    let served = |record: &Value| record["val_frozen_cache"] == 1.0;
    let epochs = run.records_of("other", "metrics.jsonl");
    assert!(epochs.iter().filter(|record| record["batch"].is_null()).all(served), "{epochs:?}");
}

#[test]
fn where_there_is_no_batch_the_hook_says_where_there_is_one() {
    run("too_early = true")
        .fit(&[])
        .failed(3, &["on_validation_epoch_start", "no batch whose outputs", "in `on_validation_batch_end`"]);
}
