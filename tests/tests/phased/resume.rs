//! Runs that go on from a checkpoint.

use std::fs;
use std::path::Path;

use thaw_tests::Outcome;

use super::{CYCLE, OPTIMIZERS, SCHEDULE, run};

fn straight(schedule: &str) -> Outcome {
    let run = run(schedule, "");
    run.fit(&[]).succeeded();
    Outcome::of(&run.run_dir())
}

#[test]
fn a_run_resumed_around_a_change_of_optimizer_equals_the_uninterrupted_one() {
    let whole = run(OPTIMIZERS, CYCLE);
    whole.fit(&[]).succeeded();
    let straight = Outcome::of(&whole.run_dir());
    for step in [3, 4, 5, 6, 11, 12, 13] {
        let run = run(OPTIMIZERS, CYCLE);
        run.fit(&["--set", &format!("callbacks.1.at_step={step}")]).succeeded();
        run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
        straight.assert_same(&run.run_dir(), &format!("after step {step}"));
    }
}

#[test]
fn a_run_resumed_after_any_step_equals_the_uninterrupted_one() {
    let straight = straight(SCHEDULE);
    // Before, at and after what begins at steps 9 and 14; checkpoints of the first phase are written at steps
    // 3 and 6.
    for step in [2, 6, 8, 9, 10, 13, 14, 16] {
        let run = run(SCHEDULE, "");
        // Not by `max_steps`: schedules end with it.
        run.fit(&["--set", &format!("callbacks.1.at_step={step}")]).succeeded();
        run.host(["fit", "run.toml", "--resume", "run"]).succeeded();
        straight.assert_same(&run.run_dir(), &format!("after step {step}"));
    }
}

#[test]
fn a_killed_run_goes_on_in_another_folder_with_the_checkpoint_to_put_back() {
    let straight = straight(SCHEDULE);
    let run = run(SCHEDULE, "");
    let killed = run.fit(&["--set", "callbacks.1.at_step=8", "--set", "callbacks.1.how=kill"]);
    assert_eq!(killed.code(), None, "{killed}");
    let other = run.folder().join("other");
    run.host([
        Path::new("fit"),
        "run.toml".as_ref(),
        "--run-dir".as_ref(),
        &other,
        "--resume".as_ref(),
        "run".as_ref(),
    ])
    .succeeded();
    straight.assert_same(&other, "killed in step 8");
}

#[test]
fn a_run_whose_last_phase_is_over_stops_and_has_nothing_left_to_do() {
    let schedule = "[[phases]]\nname = \"all\"\nmodules = [\"*\"]\nend = { epoch = 2 }\n";
    let run = run(schedule, "");
    let ended = run.fit(&[]).succeeded();
    assert!(
        ended.stdout.contains("2 epochs, 6 steps (the last phase, `all`, is over: 2 epochs are done)"),
        "{ended}"
    );
    let outcome = Outcome::of(&run.run_dir());
    let again = run.resume(&[]).succeeded();
    assert!(again.stdout.contains("2 epochs, 6 steps"), "{again}");
    outcome.assert_same(&run.run_dir(), "resumed at its end");
}

#[test]
fn a_checkpoint_needs_its_schedules_file_no_more() {
    let run = run(SCHEDULE, "");
    run.fit(&["--set", "trainer.max_epochs=2"]).succeeded();
    fs::remove_file(run.folder().join("phases.toml")).unwrap();
    run.host(["validate", "--checkpoint", "run/checkpoints/last"]).succeeded();
    run.resume(&["--set", "trainer.max_epochs=6"]).succeeded();
    straight(SCHEDULE).assert_same(&run.run_dir(), "resumed without the file");
    run.write("other.toml", "[[phases]]\nname = \"rest\"\nmodules = [\"*\"]\n");
    let other = ["--set", "trainer.max_epochs=7", "--set", "callbacks.0.schedule=other.toml"];
    run.resume(&other).succeeded();
}
