//! The recorded training runs, through the program; and that the comparison finds what differs.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use thaw_tests::{build, fixtures, parity};

/// Copies a case and changes a file of it.
fn changed(case: &str, file: &str, change: impl FnOnce(&mut Value)) -> TempDir {
    let cases = tempfile::tempdir().unwrap();
    let folder = cases.path().join(case);
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(fixtures().join("parity").join(case)).unwrap() {
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
    let report = parity::run(cases, build(), |line| lines.push(line)).unwrap();
    assert_eq!((report.passed, report.failed), (0, 1), "{lines:?}");
    lines.remove(0)
}

fn repeats(folder: &str, cases: usize) {
    let mut lines = Vec::new();
    let report = parity::run(&fixtures().join(folder), build(), |line| lines.push(line)).unwrap();
    println!("{}", lines.join("\n"));
    assert_eq!(report.failed, 0, "{}", lines.iter().filter(|line| line.starts_with("FAIL")).cloned().collect::<Vec<_>>().join("\n"));
    assert_eq!(report.passed, cases);
}

#[test]
fn every_recorded_run_is_repeated() {
    repeats("parity", 52);
}

#[test]
fn runs_with_other_options_are_repeated() {
    repeats("parity_more", 60);
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

    let cases = changed("layers_each_epoch", "trace.json", |trace| trace["epochs"][2]["groups"][1]["params"] = json!(["layer.2.weight"]));
    assert!(difference(cases.path()).contains("epoch 2, group 1, parameters: found"));

    let cases = changed("layers_each_epoch", "case.json", |case| case["optimizer"]["lr"] = json!(1.0 + 1e-11));
    assert!(difference(cases.path()).contains("epoch 0, group 0, lr: found 1.00000000001, expected 1,"));
}

#[test]
fn a_function_that_gives_something_else_is_found() {
    let cases = changed("nested_functions", "trace.json", |trace| {
        trace["sequences"][5]["steps"][3]["result"]["requires_grad"].as_array_mut().unwrap().pop();
    });
    assert!(difference(cases.path()).contains("add_groups, call 4 (unfreeze_and_add_param_group), requires_grad: found"));
}

#[test]
fn a_case_that_cannot_be_run_fails_with_the_reason() {
    let cases = changed("layers_each_epoch", "case.json", |case| case["scheduler"] = json!({ "name": "CyclicLR" }));
    assert!(difference(cases.path()).contains("there is no schedule for CyclicLR"));
    let empty = tempfile::tempdir().unwrap();
    let error = parity::run(empty.path(), build(), drop).unwrap_err();
    assert!(error.to_string().contains("found neither"), "{error}");
}
