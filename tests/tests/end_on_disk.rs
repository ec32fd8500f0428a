//! What a run ends with is on disk, or the run says that it is not: exit code, and the step that is there.

use std::fs;

use serde_json::Value;
use thaw_tests::{Run, case};

const STEPS: usize = 4;

fn run(callbacks: &str, more: &str) -> Run {
    let config = case("bb_steplr").replace("[\"case_model\"]", "[\"case_model\", \"case_strategies\"]");
    let sgd = "[optimizer]\nid = \"sgd\"\nlr = 0.05\n[scheduler]\nid = \"exponential\"\ngamma = 0.5\n";
    Run::new(&format!("{config}{sgd}{callbacks}[trainer]\nmax_epochs = 3\n{more}"))
}

/// Runs a shell command when an epoch ends.
fn command(line: &str, epoch: usize) -> String {
    format!("[[callbacks]]\nid = \"case-command\"\ncommand = {line:?}\nepoch = {epoch}\n")
}

#[test]
fn a_last_checkpoint_that_is_not_written_fails_the_run_and_names_the_one_that_is_there() {
    // From the second epoch on nothing new can be made among the checkpoints.
    let block = "rm -r run/checkpoints && touch run/checkpoints";
    let run = run(&command(block, 1), "");
    let finished = run.fit(&[]).failed(1, &["`last` is not written", "no checkpoint is on disk"]);
    assert!(!finished.stdout.contains("best "), "{finished}");
}

#[test]
fn the_checkpoint_that_is_on_disk_is_named() {
    let mut run = run("", "");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let state = fs::metadata(run.run_dir().join("checkpoints/last/state.json")).unwrap().len();
    let model = fs::metadata(run.run_dir().join("checkpoints/last/model.safetensors")).unwrap().len();
    run.limit_files(Some(state.min(model) / 1024));
    let finished = run.resume(&["--set", "trainer.max_epochs=2"]);
    finished.failed(1, &["`last` is not written", "on disk is `epoch=0-step=4`"]);
}

#[test]
fn records_that_are_not_written_fail_the_run_although_its_checkpoints_are_whole() {
    let mut run = run("", "log_every_n_steps = 1\n");
    run.fit(&["--set", "trainer.max_epochs=1"]).succeeded();
    let files = fs::read_dir(run.run_dir().join("checkpoints/last")).unwrap();
    let largest = files.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap();
    fs::remove_dir_all(run.run_dir()).unwrap();
    // Enough for a checkpoint, not for the records of so many epochs.
    let kib = largest / 1024 + 4;
    run.limit_files(Some(kib));
    let epochs = kib as usize * 1024 / (STEPS * 80);
    let finished = run.fit(&["--set", &format!("trainer.max_epochs={epochs}")]);
    let last = format!("the last is `epoch={}-step={}`", epochs - 1, epochs * STEPS);
    let finished =
        finished.failed(1, &["metrics.jsonl: ", "records are not written", "checkpoints are whole", &last]);
    finished.says("the run goes on without these records");
    assert_eq!(run.json("checkpoints/last/state.json")["epoch"], epochs);
}

#[test]
fn a_run_directory_that_is_removed_fails_the_run() {
    for more in ["", "[checkpoint]\nenabled = false\n"] {
        let run = run(&command("rm -r run", 1), more);
        let finished = run.fit(&[]);
        assert_eq!(finished.code(), Some(1), "{finished}");
        assert!(
            finished.error().contains("is not written") || finished.error().contains("was removed"),
            "{finished}"
        );
    }
}

#[test]
fn a_plugin_that_changes_the_working_directory_does_not_move_the_run() {
    let run = run("[[callbacks]]\nid = \"case-command\"\nfolder = \"/\"\nepoch = 0\n", "");
    let finished = run.fit(&[]).succeeded();
    assert_eq!(run.json("checkpoints/last/state.json")["global_step"], 3 * STEPS);
    assert!(finished.stdout.contains("checkpoint run/checkpoints/best"), "{finished}");
}

#[test]
fn checkpoints_that_hooks_ask_for_obey_the_run_config() {
    let run = run(
        "[[callbacks]]\nid = \"case-average\"\nparameter = \"head.bias\"\n",
        "[checkpoint]\nenabled = false\n",
    );
    run.fit(&[]).succeeded().says("checkpoint `average`, which a hook asks for, is not written");
    assert_eq!(fs::read_dir(run.run_dir().join("checkpoints")).unwrap().count(), 0);
}

fn stop(how: &str, inside: &str, at_step: usize) -> String {
    format!(
        "[[callbacks]]\nid = \"case-stop\"\nhow = \"{how}\"\ninside = \"{inside}\"\nat_step = {at_step}\n"
    )
}

#[test]
fn a_run_that_is_interrupted_inside_a_validation_goes_on_as_if_it_had_not_been() {
    let whole = run(&stop("request", "training", 99), "");
    whole.fit(&[]).succeeded();
    for how in ["interrupt", "hangup"] {
        let run = run(&stop(how, "validation", 2 * STEPS), "");
        run.fit(&["--set", "data.val_batch_size=4"]).interrupted().says("stopped; go on with");
        assert_eq!(run.json("checkpoints/last/state.json")["global_step"], 2 * STEPS);
        assert_eq!(run.metrics().len(), 1, "the second epoch is not over");
        run.resume(&["--set", "callbacks.0.at_step=99"]).succeeded();
        let losses = |run: &Run| {
            run.metrics().iter().map(|record| record["train_loss"].clone()).collect::<Vec<Value>>()
        };
        assert_eq!(losses(&run), losses(&whole));
        assert_eq!(run.metrics().len(), whole.metrics().len());
    }
}

#[test]
fn the_validation_before_training_can_be_interrupted() {
    let run = run(&stop("interrupt", "sanity-check", 0), "");
    let finished = run.fit(&["--set", "data.val_batch_size=4"]).interrupted();
    finished.says("there is no checkpoint to go on from");
    assert!(run.metrics().is_empty());
}

#[test]
fn records_have_the_rates_that_their_epoch_used() {
    let run = run("", "");
    run.fit(&[]).succeeded();
    let used: Vec<f64> = run.metrics().iter().map(|record| record["lr-default"].as_f64().unwrap()).collect();
    let began: Vec<f64> =
        run.groups().iter().map(|record| record["groups"][0]["lr"].as_f64().unwrap()).collect();
    assert_eq!(used, [0.05, 0.025, 0.0125]);
    assert_eq!(used, began);
}

#[test]
fn runs_that_start_in_one_second_have_a_directory_each() {
    let run = run("", "");
    let starts: Vec<_> = (0..3).map(|_| run.start(["fit", "run.toml"])).collect();
    for start in starts {
        start.finish().succeeded();
    }
    assert_eq!(fs::read_dir(run.folder().join("runs")).unwrap().count(), 3);
}
