//! Models whose code fails: named with plugin, id, function and message, exit code 3.

use serde_json::json;
use thaw_tests::{Run, case, fixtures};

fn run(function: &str, how: &str) -> Run {
    let data = fixtures().join("parity/bb_steplr/data.safetensors");
    Run::new(&format!(
        "plugins = [\"faulty_model\"]\n[model]\nid = \"faulty-model\"\nfunction = \"{function}\"\nhow \
         = \"{how}\"\n\
         [data]\nkind = \"tensors\"\npath = {data:?}\n[trainer]\nmax_epochs = 1\n"
    ))
}

#[test]
fn a_model_that_fails_is_named_with_what_failed() {
    for (function, shown) in [
        ("new", "new"),
        ("run_stage", "forward"),
        ("training_step", "training_step"),
        ("validation_step", "validation_step"),
    ] {
        let who = format!("model `faulty-model` of plugin `thaw-faulty-model` failed in `{shown}`");
        run(function, "error").fit(&[]).failed(3, &[&who, &format!("told to fail in {function}")]);
        run(function, "panic")
            .fit(&[])
            .failed(3, &[&who, &format!("panicked: told to panic in {function}"), "faulty_model/src/lib.rs"]);
    }
}

#[test]
fn a_panic_of_tch_is_contained_as_well() {
    let finished = run("run_stage", "torch").fit(&[]);
    finished.failed(
        3,
        &["model `faulty-model` of plugin `thaw-faulty-model` failed in `forward`", "mat1 and mat2"],
    );
}

#[test]
fn a_model_that_panics_when_it_is_dropped_is_told_of_and_its_run_stands() {
    let run = run("drop", "panic");
    let finished = run.fit(&[]).succeeded();
    finished.says("while it was dropped, a plugin's instance panicked: told to panic in drop");
    assert!(run.run_dir().join("checkpoints/last").exists());
}

#[test]
fn a_tensor_of_a_model_that_has_no_values_is_told_of() {
    let who = "model `faulty-model` of plugin `thaw-faulty-model` failed in `describe`";
    run("tensors", "error").fit(&[]).failed(3, &[who, "its tensor `nothing.values` has no values"]);
}

#[test]
fn metrics_of_a_models_own_step_are_logged_under_the_phase_even_where_one_is_no_number() {
    let run = run("", "error");
    run.fit(&["--set", "model.own_step=true"]).succeeded();
    let last = run.metrics().pop().unwrap();
    assert_eq!((&last["train_half"], &last["val_half"]), (&json!(0.5), &json!(0.5)), "{last}");
    for none in ["train_none", "val_none"] {
        assert!(last.get(none).is_some_and(serde_json::Value::is_null), "{last}");
    }
}

#[test]
fn data_that_does_not_fit_the_model_is_named() {
    let run = run("", "error");
    run.fit(&["--set", "model.features=7"]).failed(3, &["model `faulty-model`", "forward", "mat1 and mat2"]);
    std::fs::remove_dir_all(run.run_dir()).unwrap();
    run.fit(&["--set", "model.num_classes=2"])
        .failed(2, &["classes (", "but the model has 2", "num_classes"]);
    run.fit(&["--set", "model.num_classes=9"]).succeeded().says("the model has 9 classes, the data only");
}

#[test]
fn a_precision_that_the_model_does_not_declare_is_refused() {
    let run = Run::new(
        "plugins = [\"faults_torch\"]\n[model]\nid = \"loses-in-bf16\"\nfp32_only = \
         true\n[trainer]\nprecision = \"bf16-mixed\"\n\
         [data]\nkind = \"tensors\"\npath = \"nowhere.safetensors\"\n",
    );
    let refused = [
        "run.toml",
        "`trainer.precision` is \"bf16-mixed\", expected what model `loses-in-bf16` computes in: \"fp32\"",
    ];
    run.fit(&[]).failed(2, &refused);
    run.host(["plan", "run.toml"]).failed(2, &refused);
}

#[test]
fn a_case_that_is_not_there_is_named() {
    let run = Run::new(&case("bb_steplr"));
    run.fit(&["--set", "model.case=nowhere/case.json"]).failed(3, &["case-model", "nowhere/case.json"]);
}
