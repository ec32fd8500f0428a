//! The recorded training runs, through the program; and that the comparison finds what differs.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use thaw_tests::{On, build, fixtures, parity};

/// Copies a case and changes a file of it.
fn changed(case: &str, file: &str, change: impl FnOnce(&mut Value)) -> TempDir {
    let cases = tempfile::tempdir().unwrap();
    let folder = cases.path().join(case);
    std::fs::create_dir(&folder).unwrap();
    let original = ["parity", "parity_more"]
        .map(|set| fixtures().join(set).join(case))
        .into_iter()
        .find(|folder| folder.is_dir())
        .unwrap();
    for entry in std::fs::read_dir(original).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let path = folder.join(file);
    let mut value: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(&path, value.to_string()).unwrap();
    cases
}

/// The line of the only case, which is to fail.
fn difference(cases: &Path) -> String {
    let mut lines = Vec::new();
    let report = parity::run(cases, build(), &On::cpu(), |line| lines.push(line)).unwrap();
    assert_eq!((report.passed, report.failed), (0, 1), "{lines:?}");
    lines.remove(0)
}

fn repeats(folder: &str, cases: usize) {
    let mut lines = Vec::new();
    let report = parity::run(&fixtures().join(folder), build(), &On::cpu(), |line| lines.push(line)).unwrap();
    println!("{}", lines.join("\n"));
    assert_eq!(
        report.failed,
        0,
        "{}",
        lines.iter().filter(|line| line.starts_with("FAIL")).cloned().collect::<Vec<_>>().join("\n")
    );
    assert_eq!(report.passed, cases);
}

#[test]
fn every_recorded_run_is_repeated() {
    repeats("parity", 52);
}

#[test]
fn runs_with_other_options_are_repeated() {
    repeats("parity_more", 75);
}

#[test]
fn a_difference_is_told_with_its_first_place() {
    let cases = changed("layers_each_epoch", "trace.json", |trace| {
        let loss = trace["epochs"][1]["steps"][2]["loss"].as_f64().unwrap();
        trace["epochs"][1]["steps"][2]["loss"] = json!(loss + 2e-5);
        trace["epochs"][3]["val_loss"] = json!(7.0);
    });
    let line = difference(cases.path());
    assert!(line.contains("layers_each_epoch") && line.contains("epoch 1, batch 2, loss: found"), "{line}");

    let cases = changed("layers_each_epoch", "trace.json", |trace| {
        trace["epochs"][2]["groups"][1]["params"] = json!(["layer.2.weight"])
    });
    assert!(difference(cases.path()).contains("epoch 2, group 1, parameters: found"));

    let cases =
        changed("layers_each_epoch", "case.json", |case| case["optimizer"]["lr"] = json!(1.0 + 1e-11));
    assert!(difference(cases.path()).contains("epoch 0, group 0, lr: found 1.00000000001, expected 1,"));
}

type Change = fn(&mut Value);

/// Every place of a trace that a deviation may lie in, with the words that it is told in.
const DEVIATIONS: [(Change, &str); 15] = [
    (
        |trace| trace["epochs"][1]["groups"][1]["weight_decay"] = json!(0.1),
        "epoch 1, group 1, weight_decay: found 0",
    ),
    (
        |trace| drop(trace["epochs"][1]["requires_grad"].as_array_mut().unwrap().pop()),
        "epoch 1, requires_grad: found",
    ),
    (
        |trace| trace["epochs"][0]["batch_norm"]["backbone.1"]["training"] = json!(false),
        "training of backbone.1: found true",
    ),
    (
        |trace| trace["epochs"][1]["batch_norm"]["backbone.1"]["num_batches_tracked"] = json!(1),
        "num_batches_tracked of backbone.1",
    ),
    (
        |trace| trace["epochs"][1]["callback"]["previous_backbone_lr"] = json!(0.1),
        "epoch 1, previous_backbone_lr: found 0.00",
    ),
    (
        |trace| trace["epochs"][1]["filter_calls"] = json!([]),
        "epoch 1, filter_calls: found [[]], expected []",
    ),
    (
        |trace| trace["epochs"][1]["filter_calls"][0]["dropped_by_identity"] = json!(["head.bias"]),
        "epoch 1, filter_calls: found [[]], expected [[\"head.bias\"]]",
    ),
    (
        |trace| trace["epochs"][0]["steps"][1]["lr"][0] = json!(0.2),
        "epoch 0, batch 1, lr of group 0: found 0.05",
    ),
    (
        |trace| trace["epochs"][0]["steps"][1]["stepped"] = json!(false),
        "epoch 0, batch 1, stepped: found true",
    ),
    (|trace| trace["epochs"][0]["steps"][1]["grad_norm"] = json!(2), "epoch 0, batch 1, grad_norm: found"),
    (|trace| trace["epochs"][0]["lr_at_end"][0] = json!(1), "epoch 0, lr_at_end of group 0: found 0.05"),
    (|trace| trace["epochs"][0]["l2_at_end"]["head.bias"] = json!(9), "epoch 0, norm of head.bias: found"),
    (|trace| trace["final_groups"][1]["lr"] = json!(0.1), "final groups, lr of group 1: found 0.005"),
    (
        |trace| drop(trace["final_groups"][1]["params"].as_array_mut().unwrap().pop()),
        "final groups, parameters of group 1: found",
    ),
    (
        |trace| drop(trace["final_groups"].as_array_mut().unwrap().pop()),
        "final groups, number: found 2, expected 1",
    ),
];

#[test]
fn a_difference_in_any_recorded_value_is_found() {
    for (change, told) in DEVIATIONS {
        let cases = changed("clip_of_zero", "trace.json", change);
        let line = difference(cases.path());
        assert!(line.contains(told), "expected `{told}` in `{line}`");
    }
}

#[test]
fn a_key_that_is_compared_with_nothing_is_refused() {
    let places: [(&str, Change, &str); 5] = [
        (
            "trace.json",
            |trace| trace["momenta"] = json!(1),
            "the trace has `momenta` (1), which is compared with nothing here",
        ),
        ("trace.json", |trace| trace["epochs"][2]["ema"] = json!([]), "an epoch of the trace has `ema`"),
        (
            "trace.json",
            |trace| trace["epochs"][0]["steps"][0]["lrs"] = json!([]),
            "a step of the trace has `lrs`",
        ),
        ("case.json", |case| case["max_steps"] = json!(5), "case.json has `max_steps` (5)"),
        ("case.json", |case| case["modules"][1]["dilation"] = json!(2), "unknown field `dilation`"),
    ];
    for (file, change, told) in places {
        let cases = changed("layers_each_epoch", file, change);
        let line = difference(cases.path());
        assert!(line.contains(told), "expected `{told}` in `{line}`");
    }
}

#[test]
fn a_function_that_gives_something_else_is_found() {
    let cases = changed("nested_functions", "trace.json", |trace| {
        trace["sequences"][5]["steps"][3]["result"]["requires_grad"].as_array_mut().unwrap().pop();
    });
    assert!(
        difference(cases.path())
            .contains("add_groups, call 4 (unfreeze_and_add_param_group), requires_grad: found")
    );
}

#[test]
fn a_case_that_cannot_be_run_fails_with_the_reason() {
    let cases = changed("layers_each_epoch", "case.json", |case| {
        case["scheduler"] = json!({ "name": "MultiplicativeLR" })
    });
    assert!(difference(cases.path()).contains("there is no schedule for MultiplicativeLR"));
    let empty = tempfile::tempdir().unwrap();
    let error = parity::run(empty.path(), build(), &On::cpu(), drop).unwrap_err();
    assert!(error.to_string().contains("found neither"), "{error}");
}
