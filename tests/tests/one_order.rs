//! Two strategies and two callbacks are called in one order: Lightning's, which
//! `tests/fixtures/hooks/record.py` recorded. In a run, a plan, a range test and a fake run.

#[path = "../plugins/trace/src/hooks.rs"]
mod trace;

use std::path::Path;

use serde_json::json;
use thaw_plugin_api::Result;
use thaw_plugin_api::testing::{FakeModel, FakeRun};
use thaw_tests::{Run, case, fixtures};
use trace::{TraceCallback, TraceStrategy};

/// In the run config's order.
const NAMES: [(&str, &str); 4] = [
    ("first", "trace-strategy"),
    ("second", "trace-callback"),
    ("third", "trace-strategy"),
    ("fourth", "trace-callback"),
];
const FILE: &str = "trace.txt";

/// Epochs of four batches in windows of two, with a sanity check and validations of one batch.
fn run() -> Run {
    let callbacks =
        NAMES.map(|(name, id)| format!("[[callbacks]]\nid = {id:?}\nname = {name:?}\nfile = {FILE:?}\n"));
    Run::new(&format!(
        "{}[optimizer]\nid = \"sgd\"\nlr = 0.1\n[trainer]\nmax_epochs = 2\naccumulate_grad_batches = 2\n\
         limit_train_batches = 4\nlimit_val_batches = 1\n{}",
        case("bb_accumulate2_clip").replace("[\"case_model\"]", "[\"case_model\", \"trace\"]"),
        callbacks.concat(),
    ))
}

/// The same without a model and without data.
fn fake_run(file: &Path) -> Result<FakeRun> {
    let mut run = FakeRun::new(FakeModel::new().linear("head", 2, 2))
        .max_epochs(2)
        .batches(4)
        .accumulate(2)
        .validation_batches(1);
    for (name, id) in NAMES {
        let config = json!({ "name": name, "file": file });
        if id == "trace-strategy" {
            run.add_strategy::<TraceStrategy>(config)?;
        } else {
            run.add_callback::<TraceCallback>(config)?;
        }
    }
    Ok(run)
}

/// What was called since the last time: a name and a method a line.
fn traced(folder: &Path) -> Vec<String> {
    let path = folder.join(FILE);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    // Lightning has no such hook.
    let ours = |line: &&str| method(line) == "on_after_optimizer_step";
    text.lines().filter(|line| !ours(line)).map(str::to_owned).collect()
}

/// What Lightning called.
fn recorded(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(fixtures().join("hooks").join(name)).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn name(line: &str) -> &str {
    line.split(' ').next().unwrap()
}

fn method(line: &str) -> &str {
    line.split(' ').nth(1).unwrap()
}

/// Lightning checks its validation in a resumed run, too, and freezes anew; here what was frozen is restored.
fn resumed(lines: Vec<String>) -> Vec<String> {
    let train_start = lines.iter().position(|line| method(line) == "on_train_start").unwrap();
    let is_left_out = |index: usize, line: &str| {
        let of_validation =
            method(line).starts_with("on_sanity_check") || method(line).starts_with("on_validation");
        method(line) == "freeze_before_training" || index < train_start && of_validation
    };
    let lines = lines.into_iter().enumerate();
    lines.filter(|(index, line)| !is_left_out(*index, line)).map(|(_, line)| line).collect()
}

/// Where nothing is computed there is no validation, no gradient, no optimizer and no checkpoint; and the end
/// of the run is none.
fn is_planned(line: &str) -> bool {
    let computed = ["on_sanity_check", "on_validation", "on_before", "on_after", "on_save"];
    let of_the_end = ["on_train_end", "on_fit_end", "teardown"];
    !computed.iter().any(|of| method(line).starts_with(of)) && !of_the_end.contains(&method(line))
}

#[track_caller]
fn assert_same(found: &[String], expected: &[String]) {
    let differs = (0..found.len().max(expected.len())).find(|&line| found.get(line) != expected.get(line));
    if let Some(line) = differs {
        let around = line.saturating_sub(3)..line + 3;
        let part = |lines: &[String]| {
            let range = around.start.min(lines.len())..around.end.min(lines.len());
            lines[range].join("\n  ")
        };
        panic!("call {line} differs; found\n  {}\nexpected\n  {}", part(found), part(expected));
    }
}

#[test]
fn a_run_calls_all_as_lightning_does() {
    let run = run();
    run.fit(&[]).succeeded();
    assert_same(&traced(run.folder()), &recorded("fit.txt"));
}

#[test]
fn a_resumed_run_calls_all_as_lightning_does() {
    let run = run();
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    traced(run.folder());
    run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
    assert_same(&traced(run.folder()), &resumed(recorded("resume.txt")));
}

#[test]
fn a_fake_run_calls_all_as_a_run_does() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join(FILE);
    fake_run(&file)?.fit()?;
    assert_same(&traced(folder.path()), &recorded("fit.txt"));

    let mut first = fake_run(&file)?;
    first.run_epochs(1)?;
    let saved = first.save()?;
    traced(folder.path());
    fake_run(&file)?.resumed_from(&saved).fit()?;
    assert_same(&traced(folder.path()), &resumed(recorded("resume.txt")));
    Ok(())
}

#[test]
fn a_plan_calls_all_as_a_run_does_without_what_is_computed() {
    let run = run();
    run.host(["plan", "run.toml", "--steps-per-epoch", "2"]).succeeded();
    let expected: Vec<String> = recorded("fit.txt").into_iter().filter(|line| is_planned(line)).collect();
    assert_same(&traced(run.folder()), &expected);
}

#[test]
fn a_range_test_takes_twins_of_strategies_to_the_start_of_its_epoch_as_a_plan_does() {
    let run = run();
    run.host(["find-lr", "run.toml", "--epoch", "1"]).succeeded();
    let fit = recorded("fit.txt");
    let fit_start = fit.iter().position(|line| method(line) == "on_fit_start").unwrap();
    let starts = fit.iter().enumerate().filter(|(_, line)| method(line) == "on_train_epoch_start");
    let second_epoch = starts.map(|(index, _)| index).nth(NAMES.len() * 2 - 1).unwrap();
    let is_strategy = |line: &str| NAMES.contains(&(name(line), "trace-strategy"));
    let of_twins =
        |line: &&String| is_planned(line) && is_strategy(line) && method(line) != "freeze_before_training";
    // The run itself is set up and torn down, and not touched in between.
    let setup = fit[..fit_start].iter();
    let twins = fit[..=second_epoch].iter().filter(of_twins);
    let teardown = fit.iter().filter(|line| method(line) == "teardown");
    let expected: Vec<String> = setup.chain(twins).chain(teardown).cloned().collect();
    assert_same(&traced(run.folder()), &expected);
}
