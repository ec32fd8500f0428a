//! A schedule that a phase starts anew: how long it is, and that it then runs as one that PyTorch starts
//! there.

use thaw_plugin_api::context::Progress;

use super::recorded::recorded;
use super::*;
use crate::optimizer::Optimizer;

fn at(epoch: usize, global_step: usize) -> Progress {
    Progress { epoch, global_step, ..Progress::default() }
}

/// Length of a restarted schedule, in a run of 10 epochs of 5 steps.
fn length(now: Progress, until_epoch: Option<usize>, until_step: Option<usize>) -> (usize, Option<usize>) {
    let settings = Some(serde_json::json!({ "id": "cosine" }));
    let restart = Restart::read(settings, until_epoch, until_step).unwrap();
    let mut optimizer = Optimizer::new(sgd(), vec![group("all", 1.0)]).unwrap();
    let scheduler = restart.start(None, LENGTH, &now, &mut optimizer).unwrap().unwrap();
    (scheduler.length.max_epochs, scheduler.length.max_steps)
}

#[test]
fn a_restarted_schedule_ends_with_its_phase_or_with_the_run() {
    assert_eq!(length(at(0, 0), None, None), (10, Some(50)));
    assert_eq!(length(at(4, 20), None, None), (6, Some(30)), "what is left of the run");
    assert_eq!(length(at(4, 20), Some(7), None), (3, Some(15)), "up to an epoch");
    assert_eq!(length(at(4, 20), Some(99), None), (6, Some(30)), "a phase that outlasts the run");
    assert_eq!(length(at(4, 20), None, Some(32)), (3, Some(12)), "up to a step inside epoch 6");
    assert_eq!(length(at(4, 20), Some(5), Some(32)), (1, Some(5)), "whichever is first");
    assert_eq!(
        length(at(4, 22), None, None),
        (6, Some(28)),
        "from inside an epoch: the rest of it counts as one"
    );
    assert_eq!(length(at(4, 22), Some(6), None), (2, Some(8)));
    assert_eq!(length(at(9, 49), Some(10), None), (1, Some(1)));
    assert_eq!(length(at(4, 20), Some(4), Some(20)), (1, Some(1)), "never less than one advance");
}

/// Rates of every step from `epoch` on of a run whose schedule starts anew there.
fn restarted(toml: &str, run: RunLength, epoch: usize, until_epoch: Option<usize>, lr: f64) -> Vec<Vec<f64>> {
    let settings = serde_json::to_value(config(toml)).unwrap();
    let steps = run.steps_per_epoch;
    let mut optimizer = Optimizer::new(sgd(), vec![group("all", lr)]).unwrap();
    let restart = Restart::read(Some(settings), until_epoch, None).unwrap();
    let mut scheduler =
        restart.start(None, run.clone(), &at(epoch, epoch * steps), &mut optimizer).unwrap().unwrap();
    let epochs = (epoch..until_epoch.unwrap_or(run.max_epochs)).map(|epoch| {
        let rates = (0..steps).map(|batch| {
            let lr = optimizer.groups()[0].lr;
            scheduler.on_step(optimizer.groups_mut(), batch).unwrap();
            lr
        });
        let rates = rates.collect();
        scheduler.on_epoch_end(optimizer.groups_mut(), epoch).unwrap();
        rates
    });
    epochs.collect()
}

/// Schedules that were recorded over a whole run of 10 epochs of 5 steps, here over 10 epochs of a longer
/// run.
#[test]
fn a_schedule_over_a_phase_runs_as_pytorchs_over_a_run_of_that_length() {
    let recorded = recorded();
    let rates = |name: &str| {
        &recorded["schedulers"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap()["lr"]
    };
    // `T_max` and `total_steps` are left out: they are the phase's length.
    let cases = [
        ("cosine_epoch", "id='cosine'\neta_min=0.001", 0.1),
        ("cosine_step", "id='cosine'\ninterval='step'", 0.1),
        ("one_cycle_step", "id='one-cycle'\nmax_lr=0.5\ninterval='step'", 0.1),
        ("warmup_cosine_epoch", "id='warmup'\nstart_factor=0.1\ntotal_iters=3\nscheduler={id='cosine'}", 0.1),
        (
            "warmup_cosine_step",
            "id='warmup'\ninterval='step'\nstart_factor=0.01\ntotal_iters=10\nscheduler={id='cosine', \
             eta_min=0.0001}",
            0.1,
        ),
    ];
    for (name, toml, lr) in cases {
        let expected = rates(name);
        for (epoch, until_epoch, max_epochs) in [(3, Some(13), 20), (7, None, 17), (0, Some(10), 12)] {
            let run = RunLength::even(max_epochs, 5);
            let found = restarted(toml, run, epoch, until_epoch, lr);
            assert_eq!(found.len(), 10);
            for (epoch, found) in found.iter().enumerate() {
                let expected: Vec<f64> =
                    expected[epoch].as_array().unwrap().iter().map(|lr| lr.as_f64().unwrap()).collect();
                assert_close(found, &expected);
            }
        }
    }
}

#[test]
fn settings_left_out_are_the_runs_own_and_nothing_without_them() {
    let mut optimizer = Optimizer::new(sgd(), vec![group("all", 1.0)]).unwrap();
    let mut start = |own: Option<&SchedulerConfig>, now: Progress| {
        Restart::read(None, None, None).unwrap().start(own, LENGTH, &now, &mut optimizer).unwrap()
    };
    assert!(start(None, at(0, 0)).is_none());
    let own = config("id='cosine'");
    let first = start(Some(&own), at(0, 0)).unwrap();
    assert_eq!(
        (first.length.clone(), first.replaces_the_runs),
        (LENGTH, false),
        "at the beginning it is the run's scheduler itself"
    );
    let later = start(Some(&own), at(4, 20)).unwrap();
    assert_eq!((later.length.max_epochs, later.replaces_the_runs), (6, true));
    let again = Scheduler::replacement(&later.state().unwrap(), &sgd()).unwrap().unwrap();
    assert_eq!(
        (again.length.clone(), again.config()),
        (later.length.clone(), later.config()),
        "a checkpoint keeps settings and length"
    );
}
