//! Validation sets beside the main one, and a test set in the run config.

use serde_json::Value;
use thaw_tests::{Run, Values, fixtures, write_tensors};

/// Samples whose classes follow from their number.
fn tensors(run: &Run, file: &str, samples: usize, shift: f32) {
    let values: Vec<f32> = (0..samples * 5).map(|number| (number * 3 % 7) as f32 - shift).collect();
    let labels: Vec<i64> = (0..samples as i64).map(|row| row % 3).collect();
    let tensors: [(&str, &[usize], Values); 2] =
        [("x", &[samples, 5], Values::F32(&values)), ("y", &[samples], Values::I64(&labels))];
    write_tensors(&run.folder().join(file), &tensors).unwrap();
}

fn run(data: &str, more: &str) -> Run {
    let case = fixtures().join("loss/classes.json");
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"case_model\", \"trace\"]\n[model]\nid = \"case-model\"\ncase = {case:?}\n\
         [data]\nkind = \"tensors\"\npath = \"train.safetensors\"\nbatch_size = 4\nval_path = \
         \"val.safetensors\"\n{data}\n[optimizer]\nid = \"sgd\"\nlr = 0.01\n[[callbacks]]\nid = \
         \"trace-callback\"\nname = \"a\"\nfile = \"hooks\"\n[trainer]\nmax_epochs = 2\n{more}"
    ));
    for (file, samples, shift) in
        [("train", 12, 3.0), ("val", 8, 3.0), ("night", 9, 1.0), ("field", 3, 5.0), ("test", 6, 2.0)]
    {
        tensors(&run, &format!("{file}.safetensors"), samples, shift);
    }
    run
}

const SETS: &str =
    "[data.validation]\nnight = \"night.safetensors\"\nfield = { path = \"field.safetensors\" }\n";

fn tested(run: &Run, more: &[&str]) -> Value {
    let arguments = ["test", "--checkpoint", "run/checkpoints/last", "--json"].iter().chain(more);
    serde_json::from_str(&run.host(arguments).succeeded().stdout).unwrap()
}

#[test]
fn each_set_has_its_metrics_and_they_are_those_of_a_test_of_it() {
    let run = run(SETS, "metrics = [\"f1_macro\"]\n[checkpoint]\nmonitor = \"val_night_loss\"\n");
    let fitted = run.fit(&[]).succeeded();
    assert!(fitted.stdout.contains("8 validation samples, field 3, night 9"), "{fitted}");
    let metrics = run.metrics();
    let last = metrics.last().unwrap();
    for (set, file) in [("night", "night.safetensors"), ("field", "field.safetensors")] {
        let found = tested(&run, &["--input", file]);
        for metric in ["loss", "acc", "f1_macro"] {
            let (of_run, of_test) =
                (&last[format!("val_{set}_{metric}")], &found["metrics"][format!("test_{metric}")]);
            let near = (of_run.as_f64().unwrap() - of_test.as_f64().unwrap()).abs() < 1e-6;
            assert!(near, "{set} {metric}: {of_run} {of_test}");
        }
    }
    let found = run.host(["validate", "--checkpoint", "run/checkpoints/last", "--json"]).succeeded();
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    for metric in ["val_loss", "val_acc", "val_night_loss", "val_field_f1_macro"] {
        let (of_run, again) = (last[metric].as_f64().unwrap(), found["metrics"][metric].as_f64().unwrap());
        assert!((of_run - again).abs() < 1e-6, "{metric}: {of_run} {again}");
    }
    assert!(run.run_dir().join("checkpoints/best").exists());
    let best = run.json("checkpoints/best/state.json")["best"].to_string();
    assert!(best.contains("val_night_loss"), "{best}");
}

#[test]
fn sets_are_gone_through_one_after_the_other_each_under_its_limits() {
    let run = run(SETS, "num_sanity_val_steps = 1\n");
    run.fit(&["--set", "trainer.limit_val_batches=2", "--set", "trainer.max_epochs=1"]).succeeded();
    let hooks = std::fs::read_to_string(run.folder().join("hooks")).unwrap();
    let passes = hooks.split("a on_validation_start\n").skip(1);
    let batches = |pass: &str| pass.lines().filter(|line| *line == "a on_validation_batch_end").count();
    // The sanity check has one batch of each; then two of eight, one of three, two of nine.
    assert_eq!(passes.map(batches).collect::<Vec<_>>(), [3, 5]);
    assert_eq!(hooks.matches("a on_validation_epoch_end\n").count(), 2);
}

#[test]
fn a_set_that_is_added_begins_and_one_that_is_waited_for_stays() {
    let run = run(SETS, "[checkpoint]\nmonitor = \"val_night_loss\"\n");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let gone = run.resume(&["--set", "data.validation={ field = \"field.safetensors\" }"]);
    gone.failed(2, &["data.validation", "`monitor = \"val_night_loss\"` waits for it"]);
    let other = "data.validation={ night = \"night.safetensors\", late = \"test.safetensors\" }";
    run.resume(&["--set", other, "--set", "trainer.max_epochs=2"]).succeeded();
    let last = run.metrics().pop().unwrap();
    assert!(last["val_late_loss"].is_f64() && last.get("val_field_loss").is_none(), "{last}");
}

#[test]
fn a_set_whose_samples_are_others_is_told() {
    let run = run(SETS, "");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    tensors(&run, "night.safetensors", 7, 1.0);
    run.host(["validate", "--checkpoint", "run"])
        .succeeded()
        .says("validation set `night` is not what it was when the checkpoint was written: 7 samples now, 9");
    run.resume(&[]).succeeded().says("validation set `night` is not what it was");
}

#[test]
fn a_set_that_cannot_be_had_is_refused_by_its_key() {
    run("[data.validation]\nnight = \"nigth.safetensors\"\n", "")
        .fit(&[])
        .failed(2, &["`validation.night`", "nigth.safetensors, which is not there"]);
    let alone = run(SETS, "");
    let config = std::fs::read_to_string(alone.folder().join("run.toml")).unwrap();
    alone.write("run.toml", config.replace("val_path = \"val.safetensors\"\n", ""));
    alone.fit(&[]).failed(2, &["without validation data beside it", "val_path"]);
}

#[test]
fn a_run_config_names_what_is_tested() {
    let run = run("test_path = \"test.safetensors\"\n", "");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let own = tested(&run, &[]);
    assert_eq!(own, tested(&run, &["--input", "test.safetensors"]));
    let other = tested(&run, &["--set", "data.test_path=night.safetensors"]);
    assert_eq!(other, tested(&run, &["--input", "night.safetensors"]));
    assert_ne!(own["metrics"], other["metrics"]);
    let twice = ["--input", "night.safetensors", "--set", "data.test_path=test.safetensors"];
    run.host(["test", "--checkpoint", "run"].iter().chain(&twice)).failed(2, &["--set data.test_path"]);
}

#[test]
fn without_a_test_set_one_has_to_be_named() {
    let run = run("", "");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    run.host(["test", "--checkpoint", "run"]).failed(2, &["--input PATH", "test_path in [data]"]);
}
