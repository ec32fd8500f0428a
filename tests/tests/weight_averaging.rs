//! `ema` and `swa` on the real program, held against runs of Lightning that `record.py` made.

use std::fs;
use std::path::Path;

use serde_json::Value;
use thaw_tests::{Run, fixtures, read_tensors};

/// Losses and tensors in float32.
const TOLERANCE: f64 = 2e-6;

/// A recorded run.
struct Case {
    name: &'static str,
    record: Value,
}

impl Case {
    fn new(name: &'static str) -> Self {
        let path = fixtures().join("weight_averaging").join(name).join("case.json");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name, record: serde_json::from_str(&text).unwrap() }
    }

    fn folder(&self) -> std::path::PathBuf {
        fixtures().join("weight_averaging").join(self.name)
    }

    fn numbers(&self, key: &str) -> Vec<f64> {
        self.record[key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
    }

    /// The same run here.
    fn run(&self) -> Run {
        let (folder, record) = (self.folder(), &self.record);
        let parameters = record["parameters"].as_object().unwrap();
        let parameters: String = parameters.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        Run::new(&format!(
            r#"plugins = ["case_model", "weight_averaging"]
[model]
id = "case-model"
case = {case:?}
weights = {init:?}
[data]
kind = "tensors"
path = {data:?}
batch_size = 4
val_batch_size = 8
shuffle = false
[optimizer]
id = "sgd"
lr = {rate}
momentum = 0.9
[scheduler]
id = "exponential"
gamma = {gamma}
[[callbacks]]
id = {callback}
{parameters}
[checkpoint]
save_top_k = -1
[trainer]
max_epochs = {epochs}
accumulate_grad_batches = {accumulate}
"#,
            case = folder.join("case.json"),
            init = folder.join("init.safetensors"),
            data = folder.join("data.safetensors"),
            rate = record["rate"],
            gamma = record["gamma"],
            callback = record["callback"],
            epochs = record["epochs"],
            accumulate = record["accumulate"],
        ))
    }

    /// Compares a run's metrics from an epoch on: before its first update an average is nothing here, and the
    /// weights that the run began with there.
    #[track_caller]
    fn assert_metrics(&self, run: &Run, from: usize) {
        let (metrics, groups) = (run.metrics(), run.groups());
        let of_epochs: Vec<f64> = metrics.iter().filter_map(|record| record["val_loss"].as_f64()).collect();
        assert_close(self.name, "val_loss", &of_epochs[from..], &self.numbers("val_losses")[from..]);
        let rates: Vec<f64> =
            groups.iter().map(|record| record["groups"][0]["lr"].as_f64().unwrap()).collect();
        assert_close(self.name, "lr", &rates, &self.numbers("rates"));
    }
}

#[track_caller]
fn assert_close(case: &str, what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{case}, {what}: {found:?}, expected {expected:?}");
    let far = found.iter().zip(expected).any(|(found, expected)| (found - expected).abs() > TOLERANCE);
    assert!(!far, "{case}, {what}: {found:?}, expected {expected:?}");
}

/// Compares the tensors of a file with those recorded; names in the file may begin with `prefix`.
#[track_caller]
fn assert_tensors(found: &Path, prefix: &str, recorded: &Path) {
    let (found, recorded) = (read_tensors(found).unwrap(), read_tensors(recorded).unwrap());
    for (name, expected) in recorded {
        assert_close("the end", &name, &found[&format!("{prefix}{name}")], &expected);
    }
}

fn checkpoint(run: &Run, name: &str, file: &str) -> std::path::PathBuf {
    run.run_dir().join("checkpoints").join(name).join(file)
}

/// Straight through, and stopped after an epoch and resumed.
fn both(case: &Case, check: impl Fn(&Run)) {
    let run = case.run();
    run.fit(&[]).succeeded();
    check(&run);
    let run = case.run();
    let number = |key: &str| case.record[key].as_u64().unwrap();
    let batches = case.record["batches"].as_u64().unwrap_or(5);
    // A share of `max_epochs` is to stay what it was.
    let steps = number("resumed_after") * batches.div_ceil(number("accumulate"));
    run.fit(&["--set", &format!("trainer.max_steps={steps}")]).succeeded();
    run.resume(&["--set", "trainer.max_steps=1000"]).succeeded();
    check(&run);
}

fn assert_ema(name: &'static str, from: usize) {
    let case = Case::new(name);
    both(&case, |run| {
        case.assert_metrics(run, from);
        let last = checkpoint(run, "last", "model.safetensors");
        let folder = case.folder();
        assert_tensors(&last, "", &folder.join("average.safetensors"));
        // Buffers that are not averaged train on, and have no weights of their own in a set.
        let kept = checkpoint(run, "last", "tensor_sets.safetensors");
        assert_tensors(&kept, "ema/", &folder.join("weights.safetensors"));
    });
}

#[test]
fn averages_losses_and_weights_are_lightnings_with_ema() {
    assert_ema("ema", 0);
}

#[test]
fn updates_every_second_step_without_buffers_are_lightnings() {
    assert_ema("ema_every_second_step", 0);
}

#[test]
fn updates_from_a_step_on_and_after_epochs_are_lightnings() {
    assert_ema("ema_late", 1);
}

#[test]
fn a_checkpoint_validates_to_the_loss_that_chose_it() {
    let run = Case::new("ema").run();
    run.fit(&[]).succeeded();
    let told = run.host(["validate", "--checkpoint", "run/checkpoints/best", "--json"]).succeeded().stdout;
    let validated: Value = serde_json::from_str(&told).unwrap();
    let best = run.metrics().iter().filter_map(|record| record["val_loss"].as_f64()).fold(f64::MAX, f64::min);
    let found = validated["metrics"]["val_loss"].as_f64().unwrap_or_else(|| panic!("{told}"));
    assert!((found - best).abs() <= TOLERANCE, "{found}, expected {best}");
}

fn assert_swa(name: &'static str) {
    let case = Case::new(name);
    both(&case, |run| {
        case.assert_metrics(run, 0);
        let folder = case.folder();
        assert_tensors(&checkpoint(run, "swa", "model.safetensors"), "", &folder.join("average.safetensors"));
        assert_tensors(
            &checkpoint(run, "last", "model.safetensors"),
            "",
            &folder.join("weights.safetensors"),
        );
    });
}

#[test]
fn rates_and_average_are_lightnings_with_cosine_annealing() {
    assert_swa("swa_cos");
}

#[test]
fn rates_and_average_are_lightnings_with_linear_annealing_from_half_of_the_run() {
    assert_swa("swa_linear");
}

#[test]
fn rates_and_average_are_lightnings_without_annealing() {
    assert_swa("swa_at_once");
}

#[test]
fn statistics_of_batch_norms_are_of_the_average_as_lightnings() {
    assert_swa("swa_norm");
    let case = Case::new("swa_norm");
    let run = case.run();
    let told = run.fit(&[]).succeeded().stderr;
    assert!(told.contains("statistics of 1 batch norms"), "{told}");
    let folder = case.folder();
    // The weights that train keep their own, beside the average.
    assert_tensors(
        &checkpoint(&run, "swa", "tensor_sets.safetensors"),
        "swa/",
        &folder.join("weights.safetensors"),
    );
}

#[test]
fn buffers_that_are_averaged_need_no_pass() {
    let run = Case::new("ema").run();
    let callback = "callbacks=[{ id = \"swa\", swa_lrs = 0.01, swa_epoch_start = 2, use_buffers = true }]";
    let told = run.fit(&["--set", callback]).succeeded().stderr;
    assert!(!told.contains("statistics"), "{told}");
}
