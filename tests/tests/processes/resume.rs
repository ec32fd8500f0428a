//! A run of several processes goes on: as if it had not ended, and in another number of them.

use thaw_tests::{Outcome, Run, read_tensors};

use super::{random_model, run, run_with, succeeded};

fn outcome(run: &Run, name: &str) -> Outcome {
    Outcome::of(&run.folder().join(name))
}

#[test]
fn a_resumed_run_equals_the_uninterrupted_one_random_numbers_of_each_process_included() {
    let run = run_with(&random_model(), 4, "");
    succeeded(run.fit_in(2, "straight", &[]));
    for step in ["3", "5", "8"] {
        let name = format!("after-{step}");
        let stop = format!("trainer.max_steps={step}");
        succeeded(run.fit_in(2, &name, &["--set", &stop]));
        succeeded(run.fit_in(2, &name, &["--resume", "auto"]));
        outcome(&run, "straight").assert_same(&run.folder().join(&name), &name);
    }
}

#[test]
fn another_number_of_processes_goes_on_from_the_same_sample() {
    let run = run(2, "");
    succeeded(run.fit_in(3, "straight", &[]));
    // 12 samples are 2 batches of 3 processes, 3 of 2 and 6 of one that is alone.
    for name in ["two", "one"] {
        succeeded(run.fit_in(3, name, &["--set", "trainer.max_steps=2"]));
    }
    let two = run.fit_in(2, "two", &["--resume", "auto", "--set", "data.batch_size=3"]);
    assert!(two[0].stderr.contains("the run has 2 processes from here on, and had 3"), "{}", two[0]);
    succeeded(two);
    run.host(["fit", "run.toml", "--resume", "one", "--set", "data.batch_size=6"]).succeeded();
    let weights = |name: &str| {
        read_tensors(&run.folder().join(name).join("checkpoints/last/model.safetensors")).unwrap()
    };
    let straight = weights("straight");
    for name in ["two", "one"] {
        for (tensor, found) in weights(name) {
            for (found, expected) in found.iter().zip(&straight[&tensor]) {
                assert!((found - expected).abs() < 1e-5, "{name}, {tensor}: {found} {expected}");
            }
        }
    }
}

#[test]
fn a_number_of_processes_that_would_repeat_samples_is_refused() {
    let run = run(4, "");
    succeeded(run.fit_in(2, "many", &["--set", "trainer.max_steps=1"]));
    let finished = run.fit_in(3, "many", &["--resume", "auto"]);
    let error = finished[0].error();
    for text in ["the number of processes", "after 8 samples of epoch 1", "no whole batches of 12"] {
        assert!(error.contains(text), "{text}: {error}");
    }
    assert!(finished.iter().all(|one| one.code() == Some(2)));
}

#[test]
fn auto_begins_a_run_that_has_no_checkpoint_and_goes_on_with_one_that_has() {
    let run = run(4, "");
    run.fit(&["--resume", "auto", "--set", "trainer.max_epochs=1"]).succeeded();
    let again = run.fit(&["--resume", "auto", "--set", "trainer.max_epochs=2"]).succeeded();
    assert!(again.stdout.contains("resumed at epoch 2, batch 1"), "{again}");
    run.host(["fit", "run.toml", "--resume", "auto"]).failed(2, &["--resume auto", "--run-dir DIR"]);
}
