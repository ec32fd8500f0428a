//! `checkpoint.write`: a thread writes while training goes on, and everything comes to the same.

use std::fs;

use thaw_tests::{Outcome, Run, case};

const BESIDE: [&str; 2] = ["--set", "checkpoint.write=beside"];

fn run(callbacks: &str, more: &str) -> Run {
    let config = case("bb_steplr").replace("[\"case_model\"]", "[\"case_model\", \"case_strategies\"]");
    let sgd = "[optimizer]\nid = \"sgd\"\nlr = 0.05\n[scheduler]\nid = \"exponential\"\ngamma = 0.5\n";
    Run::new(&format!("{config}{sgd}{callbacks}[trainer]\nmax_epochs = 3\n{more}"))
}

/// Runs a shell command when an epoch ends.
fn command(line: &str, epoch: usize) -> String {
    format!("[[callbacks]]\nid = \"case-command\"\ncommand = {line:?}\nepoch = {epoch}\n")
}

fn names(run: &Run, run_dir: &str) -> Vec<String> {
    let entries = fs::read_dir(run.folder().join(run_dir).join("checkpoints")).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn whoever_writes_a_run_comes_to_the_same_bytes_and_checkpoints() {
    let run = run("", "[checkpoint]\nsave_top_k = 2\nevery_n_train_steps = 1\n");
    for how in ["at-once", "beside", "auto"] {
        let set = format!("checkpoint.write={how}");
        run.host(["fit", "run.toml", "--run-dir", how, "--set", &set]).succeeded();
    }
    let straight = Outcome::of(&run.folder().join("at-once"));
    for how in ["beside", "auto"] {
        straight.assert_same(&run.folder().join(how), how);
        assert_eq!(names(&run, how), names(&run, "at-once"));
        let written = |run_dir: &str| {
            let records = run.records_of(run_dir, "history.jsonl").into_iter();
            let written = records.filter(|record| record["event"] == "checkpoint_written");
            written
                .map(|record| (record["epoch"].clone(), record["step"].clone(), record["name"].clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(written(how), written("at-once"));
        assert!(!written(how).is_empty());
    }
}

#[test]
fn a_run_that_ends_anywhere_goes_on_from_what_was_written_beside() {
    let straight = {
        let run = run("", "");
        run.fit(&BESIDE).succeeded();
        Outcome::of(&run.run_dir())
    };
    let run = run("", "");
    run.fit(&[&BESIDE[..], &["--set", "trainer.max_steps=6"]].concat()).succeeded();
    run.host([&["fit", "run.toml", "--resume", "run"][..], &BESIDE].concat()).succeeded();
    straight.assert_same(&run.run_dir(), "after step 6");
}

#[test]
fn what_is_not_written_beside_fails_the_run_and_names_what_is_on_disk() {
    let block = "rm -r run/checkpoints && touch run/checkpoints";
    let blocked = run(&command(block, 1), "");
    let finished = blocked.fit(&BESIDE).failed(1, &["`last` is not written", "no checkpoint is on disk"]);
    assert!(!finished.stdout.contains("best "), "{finished}");

    let mut run = run("", "");
    run.fit(&[&BESIDE[..], &["--set", "trainer.max_epochs=1"]].concat()).succeeded();
    let size = |file: &str| fs::metadata(run.run_dir().join("checkpoints/last").join(file)).unwrap().len();
    let least = size("state.json").min(size("model.safetensors"));
    run.limit_files(Some(least / 1024));
    let finished = run.resume(&[&BESIDE[..], &["--set", "trainer.max_epochs=2"]].concat());
    finished.failed(1, &["`last` is not written", "on disk is `epoch=0-step=4`"]);
    assert_eq!(
        fs::read_link(run.run_dir().join("checkpoints/last")).unwrap().to_str(),
        Some("epoch=0-step=4")
    );
}
