//! Requests from another terminal: the first process hears them, all do what is asked.

use thaw_tests::{Finished, Live, Outcome};

use super::run;

const WAIT: &str = "[[callbacks]]\nid = \"case-wait\"\nepochs = [1]\n";

/// Two processes, asked for something while they wait in their epoch 1.
fn asked(ask: &[&str]) -> (thaw_tests::Run, Vec<Finished>, Finished) {
    let run = run(5, WAIT);
    let mut fit = run.start_processes(2, &["fit", "run.toml", "--run-dir", "run"]);
    fit[0].prints("waits in epoch 1");
    let mut asker = run.start(["ask", "run"].iter().chain(ask));
    asker.prints("asked process");
    fit.iter_mut().for_each(Live::go_on);
    let fit = fit.into_iter().map(Live::finish).map(Finished::succeeded).collect();
    (run, fit, asker.finish())
}

#[test]
fn a_checkpoint_that_is_asked_for_is_written_once_and_changes_nothing() {
    let (run, _, asker) = asked(&["checkpoint", "--name", "wanted"]);
    asker.succeeded().says("checkpoint wanted is written");
    assert!(run.run_dir().join("checkpoints/wanted/model.safetensors").is_file());
    let straight = super::run(5, WAIT);
    let mut fit = straight.start_processes(2, &["fit", "run.toml", "--run-dir", "run"]);
    fit[0].prints("waits in epoch 1");
    fit.iter_mut().for_each(Live::go_on);
    fit.into_iter().map(Live::finish).for_each(|finished| drop(finished.succeeded()));
    let names = |name: &str| !["history.jsonl", "wanted", "state"].iter().any(|own| name.contains(own));
    let difference = Outcome::of(&straight.run_dir()).difference(&Outcome::of(&run.run_dir()), names);
    assert_eq!(difference, None);
}

#[test]
fn a_stop_ends_all_after_their_epoch_and_a_validation_is_of_all() {
    let (_, fit, asker) = asked(&["stop"]);
    asker.succeeded().says("the run ends after epoch 2");
    assert!(fit[0].stdout.contains("2 epochs"), "{}", fit[0].stdout);
    let (run, _, asker) = asked(&["validate"]);
    let metrics = run.metrics();
    let losses: Vec<f64> = metrics.iter().filter_map(|record| record["val_loss"].as_f64()).collect();
    assert_eq!(losses.len(), 3 + 1, "{metrics:?}");
    let shown = asker.succeeded().stdout;
    let loss = shown.split("val_loss ").nth(1).and_then(|rest| rest.split_whitespace().next());
    let loss: f64 = loss.and_then(|loss| loss.parse().ok()).unwrap_or_else(|| panic!("{shown}"));
    assert!((loss / losses[1] - 1.0).abs() < 5e-4, "{shown}: {losses:?}");
}
