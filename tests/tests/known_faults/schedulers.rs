//! Groups that a strategy adds while a scheduler is at work: PyTorch's schedulers raise, or leave the new
//! group alone.

use serde_json::json;
use thaw_tests::Run;

use crate::model::{linear, run};

const EPOCHS: usize = 6;
/// When the second group joins, at a tenth of the first one's rate.
const JOINS: usize = 2;

fn train(scheduler: &str, more: &str) -> Run {
    let config = format!(
        "batch_size = 8\n[optimizer]\nid = \"sgd\"\nlr = 0.01\nmomentum = 0.9\nparameters = [\"backbone\"]\n\
         [trainer]\nmax_epochs = {EPOCHS}\naudit = \"warn\"\n[checkpoint]\nenabled = \
         false\n[scheduler]\n{scheduler}\n{more}"
    );
    let run = run(&[linear("backbone", 16, 8), linear("head", 8, 4)], &config);
    run.fit(&[]).succeeded();
    run
}

/// The rate of a group, by name, at the start of each epoch that has it.
fn rates(run: &Run, group: &str) -> Vec<f64> {
    let records = run.groups();
    let groups = records.iter().flat_map(|record| record["groups"].as_array().unwrap());
    groups.filter(|entry| entry["name"] == json!(group)).map(|entry| entry["lr"].as_f64().unwrap()).collect()
}

const JOIN: &str = "[[callbacks]]\nid = \"add-group\"\nmodule = \"head\"\nat_epoch = 2\n";

/// The first group's rates are those that it has alone; the new one starts at its own rate and takes the same
/// factors.
#[track_caller]
fn joins(scheduler: &str) {
    let alone = rates(&train(scheduler, ""), "backbone");
    assert!(alone.windows(2).any(|pair| pair[0] != pair[1]), "{scheduler}: {alone:?}");
    let run = train(scheduler, JOIN);
    assert_eq!(rates(&run, "backbone"), alone, "{scheduler}");
    let joined = rates(&run, "head");
    assert_eq!(joined.len(), EPOCHS - JOINS);
    assert_eq!(joined[0], alone[JOINS] / 10.0, "{scheduler}: its own rate at first");
    for (found, first) in joined.iter().zip(&alone[JOINS..]) {
        assert!((found - first / 10.0).abs() <= 1e-12 * first, "{scheduler}: {joined:?} beside {alone:?}");
    }
}

#[test]
fn a_group_joins_under_a_lambda_schedule() {
    joins("id = \"lambda\"\nlambda = \"0.9 ^ epoch\"");
}

#[test]
fn a_group_joins_under_a_cosine_that_goes_on_past_its_end() {
    joins("id = \"cosine\"\nT_max = 3");
}

#[test]
fn a_group_joins_under_warm_restarts() {
    joins("id = \"cosine-warm-restarts\"\nT_0 = 3");
}

#[test]
fn a_group_joins_a_one_cycle_schedule() {
    joins("id = \"one-cycle\"\nmax_lr = 0.05");
}

#[test]
fn a_group_joins_a_warm_up_before_a_cosine() {
    joins(
        "id = \"sequential\"\nmilestones = [3]\nschedulers = [{ id = \"linear\", total_iters = 3 }, { id \
         = \"cosine\", T_max = 9 }]",
    );
}

#[test]
fn a_group_joins_a_plateau_schedule_with_a_list_of_minima() {
    let scheduler = "id = \"reduce-on-plateau\"\nmonitor = \"metric\"\nmode = \"min\"\n\
                     factor = 0.1\npatience = 0\nmin_lr = [0.001, 0.00004]";
    let metric = format!("{JOIN}[[callbacks]]\nid = \"case-metric\"\nvalues = {:?}\n", vec![1.0; EPOCHS]);
    let run = train(scheduler, &metric);
    assert_eq!(rates(&run, "backbone"), [0.01, 0.01, 0.001, 0.001, 0.001, 0.001]);
    let joined = rates(&run, "head");
    for (found, expected) in joined.iter().zip([1e-4, 4e-5, 4e-5, 4e-5]) {
        assert!((found - expected).abs() <= 1e-12 * expected, "{joined:?}");
    }
}
