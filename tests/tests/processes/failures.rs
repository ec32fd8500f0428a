//! One process fails, hangs, is killed or decides differently: all end, with one message that names it.

use std::fs;

use thaw_tests::{Finished, Live, Run};

use super::run;

/// Three processes, of which this one does something at step 4.
fn run_in_which(rank: usize, does: &str, more: &str) -> (Run, Vec<Finished>) {
    let callback =
        format!("[[callbacks]]\nid = \"case-rank\"\nrank = {rank}\nat_step = 4\ndoes = \"{does}\"\n");
    let run = run(3, &format!("{more}{callback}"));
    let finished = run.fit_in(3, "many", &["--set", "trainer.timeout=4"]);
    (run, finished)
}

/// Expects these texts in the first process' error, and no other message at all but where a process was
/// killed.
#[track_caller]
fn assert_one_error(finished: &[Finished], code: i32, texts: &[&str]) {
    let shown: String = finished.iter().map(ToString::to_string).collect();
    let errors: Vec<&str> = finished
        .iter()
        .flat_map(|one| one.stderr.lines())
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "one message of all:\n{shown}");
    for text in texts {
        assert!(errors[0].contains(text), "`{text}` in `{}`:\n{shown}", errors[0]);
    }
    assert_eq!(finished[0].code(), Some(code), "{shown}");
    assert!(finished.iter().all(|one| one.code() != Some(0)), "{shown}");
}

#[test]
fn a_process_that_fails_is_named_by_the_first_with_its_exit_code() {
    for rank in [1, 2] {
        let (_, finished) = run_in_which(rank, "fail", "");
        let disk = format!("the disk of rank {rank} of 3 is full");
        assert_one_error(&finished, 3, &[&format!("rank {rank} failed: "), "case-rank", &disk]);
        assert!(finished.iter().all(|one| one.code() == Some(3)));
    }
    let (_, finished) = run_in_which(0, "fail", "");
    assert_one_error(&finished, 3, &["the disk of rank 0 of 3 is full"]);
}

#[test]
fn a_process_that_panics_or_is_killed_is_named() {
    let (_, finished) = run_in_which(1, "panic", "");
    assert_one_error(&finished, 3, &["rank 1 failed: ", "rank 1 panics"]);
    let (_, finished) = run_in_which(2, "kill", "");
    assert_one_error(&finished, 1, &["rank 2 is gone at training batch", "was killed"]);
    assert_eq!(finished[2].code(), None, "by a signal");
}

#[test]
fn a_process_that_hangs_is_named_and_ends() {
    let (_, finished) = run_in_which(1, "hang", "");
    let errors: Vec<String> = finished.iter().map(|one| one.error().to_owned()).collect();
    assert!(
        errors[0].contains("rank 1 has not come to training batch 5 of epoch 1 within 4 s"),
        "{errors:?}"
    );
    assert!(
        errors[1].contains("rank 1 does not come back though the run has failed elsewhere"),
        "{errors:?}"
    );
    assert_eq!(errors[2], "", "said by the first");
    assert!(finished.iter().all(|one| one.code() == Some(1)));
}

#[test]
fn processes_that_decide_differently_are_named_with_what_differs() {
    for (does, texts) in [
        ("rate", ["rank 2 differs from rank 0", "the rates, `head` is 0.5, and 0.1 on rank 0"]),
        ("stop", ["rank 2 is at a checkpoint after 4 steps, rank 0 at training batch 5", "hooks decide"]),
        (
            "checkpoint",
            ["rank 2 is at a checkpoint after 4 steps, rank 0 at training batch 5", "hooks decide"],
        ),
        (
            "freeze",
            ["rank 2 is at what trains in epoch 1, after 4 steps, rank 0 at training batch 5", "hooks"],
        ),
        (
            "write",
            ["rank 2 differs from rank 0 at what trains in epoch 2", "absolute values of `head.0.weight`"],
        ),
    ] {
        let (_, finished) = run_in_which(2, does, "");
        assert_one_error(&finished, 1, &texts);
    }
}

#[test]
fn a_process_with_another_run_config_is_named_with_the_key() {
    let run = run(3, "");
    let sets =
        [["fit", "run.toml", "--set", "optimizer.lr=0.1"], ["fit", "run.toml", "--set", "optimizer.lr=0.2"]];
    let finished = run.start_each(&sets).into_iter().map(Live::finish).collect::<Vec<_>>();
    assert_one_error(
        &finished,
        1,
        &["rank 1 differs from rank 0 at the start", "`optimizer`, `lr` is 0.2, and 0.1"],
    );
}

#[test]
fn a_process_with_other_data_or_another_run_directory_is_named() {
    let run = run(3, "");
    let with = |more: [&'static str; 2]| [&["fit", "run.toml"][..], &more].concat();
    let cases = [
        (["--set", "data.shuffle=false"], "`data`, `shuffle` is false, and true on rank 0"),
        (["--run-dir", "other"], "the run directory is other, and "),
    ];
    for (of_second, said) in cases {
        let sets = [with(["--run-dir", "run"]), with(of_second)];
        let finished = run.start_each(&sets).into_iter().map(Live::finish).collect::<Vec<_>>();
        assert_one_error(&finished, 1, &["rank 1 differs from rank 0 at the start", said]);
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_all() {
    let run = run(3, "gradient_clip_val = 0.0\n");
    let finished = run.fit_in(2, "many", &["--set", "optimizer.lr=1e30"]);
    assert_one_error(&finished, 1, &["the loss is"]);
}

#[test]
fn a_user_who_ends_one_process_ends_all_at_the_same_step_with_a_checkpoint() {
    for does in ["interrupt", "usr1"] {
        let (run, finished) = run_in_which(1, does, "");
        for one in finished {
            one.interrupted();
        }
        let state = fs::read(run.folder().join("many/checkpoints/last/state.json")).unwrap();
        let state: serde_json::Value = serde_json::from_slice(&state).unwrap();
        assert_eq!((&state["global_step"], &state["processes"]), (&5.into(), &3.into()));
    }
}
