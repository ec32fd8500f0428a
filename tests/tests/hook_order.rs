//! Hooks run in Lightning's order.

use thaw_tests::{Run, case, fixtures};

/// A run whose last callback writes down its hooks; `more` are other callbacks, before it.
fn run(trainer: &str, more: &str) -> Run {
    Run::new(&format!(
        "{}[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\n{trainer}\n{more}[[callbacks]]\nid \
         = \"case-hooks\"\nfile = \"hooks.txt\"\n",
        case("bb_accumulate2_clip")
            .replace("[\"case_model\"]", "[\"case_model\", \"case_strategies\", \"faulty\"]"),
    ))
}

/// The hooks noted since the last call.
fn hooks(run: &Run) -> Vec<String> {
    let path = run.folder().join("hooks.txt");
    let lines = std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
    std::fs::remove_file(path).unwrap();
    lines
}

const VALIDATION: [&str; 6] = [
    "on_validation_start",
    "on_validation_epoch_start",
    "on_validation_batch_start",
    "on_validation_batch_end",
    "on_validation_epoch_end",
    "on_validation_end",
];
const FIRST_OF_WINDOW: [&str; 4] =
    ["on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward"];
const STEP: [&str; 2] = ["on_before_optimizer_step", "on_after_optimizer_step"];
const EPOCH_END: [&str; 3] = ["on_train_epoch_end", "on_save_checkpoint", "state"];
const END: [&str; 3] = ["on_train_end", "on_fit_end", "teardown"];

/// An epoch of three batches, two of them in the first window.
fn epoch() -> Vec<&'static str> {
    let second_of_window = ["on_train_batch_start", "on_before_backward", "on_after_backward"];
    [
        &["on_train_epoch_start"][..],
        &FIRST_OF_WINDOW,
        &["on_train_batch_end"],
        &second_of_window,
        &STEP,
        &["on_train_batch_end"],
        &FIRST_OF_WINDOW,
        &STEP,
        &["on_train_batch_end"],
        &VALIDATION,
        &EPOCH_END,
    ]
    .concat()
}

const TRAINER: &str =
    "max_epochs = 2\naccumulate_grad_batches = 2\nlimit_train_batches = 3\nlimit_val_batches = 1";

#[test]
fn hooks_of_a_fresh_and_of_a_resumed_run() {
    let run = run(TRAINER, "");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let sanity = [&["on_sanity_check_start"][..], &VALIDATION, &["on_sanity_check_end"]].concat();
    let fresh = [&["setup", "on_fit_start"][..], &sanity, &["on_train_start"], &epoch(), &END].concat();
    assert_eq!(hooks(&run), fresh);

    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    let resumed = [
        &["setup", "on_load_checkpoint", "load_state", "on_fit_start", "on_train_start"][..],
        &epoch(),
        &END,
    ]
    .concat();
    assert_eq!(hooks(&run), resumed);
}

#[test]
fn hooks_of_a_run_that_fails() {
    let fails_in = |function: &str| {
        run("max_epochs = 1", &format!("[[callbacks]]\nid = \"faulty\"\nhook = \"{function}\"\n"))
    };
    let run = fails_in("on_train_start");
    run.fit(&["--set", "trainer.num_sanity_val_steps=0"]).failed(3, &["failed in `on_train_start`"]);
    assert_eq!(hooks(&run), ["setup", "on_fit_start", "on_exception", "teardown"]);
}

#[test]
fn a_failure_before_training_ends_with_the_same_hooks() {
    for (function, how) in [("setup", "error"), ("setup", "panic"), ("freeze_before_training", "error")] {
        let run = run(
            "max_epochs = 1",
            &format!("[[callbacks]]\nid = \"faulty\"\nhook = \"{function}\"\nhow = \"{how}\"\n"),
        );
        run.fit(&[]).failed(3, &[&format!("failed in `{function}`")]);
        assert_eq!(
            hooks(&run),
            ["on_exception", "teardown"],
            "{function}, {how}: what comes after the one that failed is not set up"
        );
    }
    // What came before is.
    let first = "[[callbacks]]\nid = \"case-hooks\"\nfile = \"first.txt\"\n[[callbacks]]\nid \
                 = \"faulty\"\nhook = \"setup\"\n";
    let run = run("max_epochs = 1", first);
    run.fit(&[]).failed(3, &["failed in `setup`"]);
    assert_eq!(
        std::fs::read_to_string(run.folder().join("first.txt")).unwrap(),
        "setup\non_exception\nteardown\n"
    );
}

#[test]
fn a_checkpoint_that_cannot_be_restored_ends_with_the_same_hooks() {
    let run = run("max_epochs = 1", "[[callbacks]]\nid = \"faulty\"\n");
    run.fit(&[]).succeeded();
    hooks(&run);
    run.host(["fit", "run.toml", "--resume", "run", "--set", "callbacks.0.hook=load_state"])
        .failed(3, &["failed in `load_state`"]);
    assert_eq!(hooks(&run), ["setup", "on_load_checkpoint", "on_exception", "teardown"]);
}

#[test]
fn hooks_of_a_prediction_and_of_one_that_fails() {
    let run = run("max_epochs = 1", "[[callbacks]]\nid = \"faulty\"\n");
    run.fit(&[]).succeeded();
    hooks(&run);
    let data = fixtures().join("parity/bb_steplr/data.safetensors").display().to_string();
    let predict =
        ["predict", "--checkpoint", "run", "--input", &data, "--output", "out.csv", "--limit-batches", "1"];
    run.host(predict).succeeded();
    let pass = [
        "on_predict_start",
        "on_predict_epoch_start",
        "on_predict_batch_start",
        "on_predict_batch_end",
        "on_predict_epoch_end",
    ];
    let expected =
        [&["setup", "on_load_checkpoint", "load_state"][..], &pass, &["on_predict_end", "teardown"]].concat();
    assert_eq!(hooks(&run), expected);
    run.host(predict.iter().chain(&["--set", "callbacks.0.hook=on_predict_start"]))
        .failed(3, &["failed in `on_predict_start`"]);
    assert_eq!(hooks(&run), ["setup", "on_load_checkpoint", "load_state", "on_exception", "teardown"]);
}
