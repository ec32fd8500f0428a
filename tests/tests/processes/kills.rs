//! Processes that are killed, and a launcher that starts all anew: the run comes to what it does undisturbed.

use thaw_tests::{Finished, Outcome, Run};

use super::{random_model, run, run_with};

const KILL: &str = "[[callbacks]]\nid = \"case-rank\"\ndoes = \"kill\"\nrank = 9\nat_step = 0\n";

/// No process is left with a single sample, on which batch norms do not train.
const DROP: &str = "data.drop_last=true";

/// Starts three processes, of which this one is killed at a step.
fn killed(run: &Run, name: &str, rank: usize, step: usize) -> Vec<Finished> {
    let kills = [format!("callbacks.2.rank={rank}"), format!("callbacks.2.at_step={step}")];
    let set = ["--resume", "auto", "--set", DROP, "--set", &kills[0], "--set", &kills[1]];
    run.fit_in(3, name, &set)
}

#[test]
fn a_run_whose_processes_are_killed_again_and_again_comes_to_the_same_bits() {
    let more = format!("[checkpoint]\nevery_n_train_steps = 2\n{KILL}");
    let run = run_with(&random_model(), 2, &more);
    super::succeeded(run.fit_in(3, "straight", &["--set", DROP]));
    // 6 steps in each of 3 epochs: the first process, before a first checkpoint, twice in an epoch.
    for (rank, step) in [(1, 1), (0, 3), (2, 6), (0, 9), (1, 14), (2, 17)] {
        let finished = killed(&run, "killed", rank, step);
        assert_eq!(finished[rank].code(), None, "by a signal: {}", finished[rank]);
        for (other, finished) in finished.iter().enumerate().filter(|(other, _)| *other != rank) {
            let said = finished.stderr.contains(&format!("rank {rank} is gone at "));
            assert!(said || other > 1 - rank.min(1), "{finished}");
            assert_eq!(finished.code(), Some(1), "{finished}");
        }
    }
    super::succeeded(killed(&run, "killed", 9, 0));
    let outcome = |name: &str| Outcome::of(&run.folder().join(name));
    let is_same = |name: &str| !name.contains("callbacks");
    assert_eq!(outcome("straight").difference(&outcome("killed"), is_same), None);
}

#[test]
fn the_first_process_is_named_when_it_is_killed() {
    let run = run(3, &KILL.replace("rank = 9", "rank = 0").replace("at_step = 0", "at_step = 4"));
    let finished = run.fit_in(3, "many", &[]);
    for one in &finished[1..] {
        let lines: Vec<&str> = one.stderr.lines().collect();
        assert!(one.error().contains("rank 0 is gone at training batch 5 of epoch 1"), "{one}");
        assert!(!lines.iter().any(|line| line.contains("Exception") || line.contains("TCPStore")), "{one}");
        assert_eq!(one.code(), Some(1), "{one}");
    }
}
