//! Held against Lightning's recorded rates, and, where PyTorch fails, against the published closed forms.

use super::*;

mod joining;
mod recorded;
mod restart;

pub(super) fn config(toml: &str) -> SchedulerConfig {
    toml::from_str(toml).unwrap()
}

pub(super) fn sgd() -> OptimizerConfig {
    OptimizerConfig::default_for("sgd").unwrap()
}

pub(super) fn group(name: &str, lr: f64) -> ParamGroup {
    ParamGroup { lr, initial_lr: lr, ..sgd().group(name, Vec::new()) }
}

const LENGTH: RunLength = RunLength::even(10, 5);

/// Rates of one group in epochs 0, 1, ….
fn rates(toml: &str, lr: f64, epochs: usize) -> Vec<f64> {
    let mut scheduler = Scheduler::new(config(toml), LENGTH, &sgd()).unwrap();
    let mut groups = [group("all", lr)];
    scheduler.start(&mut groups).unwrap();
    (0..epochs)
        .map(|epoch| {
            let lr = groups[0].lr;
            scheduler.on_epoch_end(&mut groups, epoch).unwrap();
            lr
        })
        .collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= 1e-12 * e.abs() + 1e-15, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn the_rate_stays_with_constant() {
    assert_eq!(rates("id='constant'", 0.1, 8), [0.1; 8]);
}

#[test]
fn a_constant_factor_ends_at_total_iters() {
    assert_close(&rates("id='constant'\nfactor=0.5\ntotal_iters=2", 1.0, 4), &[0.5, 0.5, 1.0, 1.0]);
}

#[test]
fn milestones_multiply_once_each_time_they_are_named() {
    assert_close(
        &rates("id='multi-step'\nmilestones=[1, 3, 3]\ngamma=0.5", 1.0, 5),
        &[1.0, 0.5, 0.5, 0.125, 0.125],
    );
}

#[test]
fn a_schedule_spans_what_max_steps_leaves_of_the_run() {
    let length = RunLength { max_steps: Some(20), ..LENGTH };
    let half_way = |toml: &str, half: usize| {
        let mut scheduler = Scheduler::new(config(toml), length.clone(), &sgd()).unwrap();
        let mut groups = [group("all", 1.0)];
        scheduler.start(&mut groups).unwrap();
        for count in 0..half {
            scheduler.on_step(&mut groups, count).unwrap();
            scheduler.on_epoch_end(&mut groups, count).unwrap();
        }
        groups[0].lr
    };
    assert_close(&[half_way("id='cosine'\ninterval='step'", 10), half_way("id='cosine'", 2)], &[0.5, 0.5]);
}

#[test]
fn polynomial_decay_reaches_zero_and_stays() {
    let expected: Vec<f64> = (0..6).map(|t: i32| (1.0 - f64::from(t.min(4)) / 4.0).powi(2)).collect();
    assert_close(&rates("id='polynomial'\ntotal_iters=4\npower=2", 1.0, 6), &expected);
}

#[test]
fn warm_restarts_lengthen_their_periods() {
    let cosine = |t: f64, period: f64| 0.1 + 0.9 * (1.0 + (std::f64::consts::PI * t / period).cos()) / 2.0;
    let expected = [(0.0, 2.0), (1.0, 2.0), (0.0, 4.0), (1.0, 4.0), (2.0, 4.0), (3.0, 4.0), (0.0, 8.0)]
        .map(|(t, p)| cosine(t, p));
    assert_close(&rates("id='cosine-warm-restarts'\nT_0=2\nT_mult=2\neta_min=0.1", 1.0, 7), &expected);
}

#[test]
fn a_cosine_spans_the_run_by_default() {
    assert_close(&rates("id='cosine'", 1.0, 10), &rates("id='cosine'\nT_max=10", 1.0, 10));
    let expected = rates(
        "id='sequential'\nmilestones=[4]\nschedulers=[{id='linear', start_factor=0.01, total_iters=4}, \
         {id='cosine', T_max=6}]",
        1.0,
        10,
    );
    assert_close(&rates("id='warmup'\ntotal_iters=4\nscheduler={id='cosine'}", 1.0, 10), &expected);
}

#[test]
fn warm_up_rises_to_the_rate_and_stays_there() {
    assert_close(
        &rates("id='warmup'\ntotal_iters=4\nstart_factor=0.2", 1.0, 6),
        &[0.2, 0.4, 0.6, 0.8, 1.0, 1.0],
    );
}

#[test]
fn a_linear_decay_to_nothing_ends_at_0() {
    for steps in 1..60 {
        let rates = rates(
            &format!("id='linear'\nstart_factor=0.1\nend_factor=0\ntotal_iters={steps}"),
            1e-3,
            steps + 2,
        );
        assert!(rates[steps..].iter().all(|lr| (0.0..1e-18).contains(lr)), "{steps} steps: {rates:?}");
    }
}

#[test]
fn sequences_nest() {
    let inner =
        "{id='sequential', milestones=[2], schedulers=[{id='constant'}, {id='exponential', gamma=0.5}]}";
    let toml = format!(
        "id='sequential'\nmilestones=[2]\nschedulers=[{{id='linear', start_factor=0.5, total_iters=2}}, \
         {inner}]"
    );
    assert_close(&rates(&toml, 1.0, 7), &[0.5, 0.75, 1.0, 1.0, 1.0, 0.5, 0.25]);
}

#[test]
fn a_lambda_may_use_epoch_and_step() {
    let by_epoch = rates("id='lambda'\nlambda='1 / (1 + epoch + step)'", 1.0, 3);
    assert_close(&by_epoch, &[1.0, 1.0 / 7.0, 1.0 / 13.0]);
    let mut scheduler =
        Scheduler::new(config("id='lambda'\ninterval='step'\nlr_lambda='10 * epoch + step'"), LENGTH, &sgd())
            .unwrap();
    let mut groups = [group("all", 1.0)];
    scheduler.start(&mut groups).unwrap();
    (0..7).for_each(|step| scheduler.on_step(&mut groups, step % 5).unwrap());
    assert_eq!(groups[0].lr, 17.0);
    assert_eq!(rates("id='lambda'\nlambda=0.5", 1.0, 2), [0.5, 0.5]);
}

#[test]
fn expressions_that_cannot_be_used_are_refused() {
    let error = |toml: &str| {
        let mut scheduler = Scheduler::new(config(toml), LENGTH, &sgd())?;
        scheduler.start(&mut [group("head", 1.0)])
    };
    let text = error("id='lambda'\nlambda='0.9 ^ epok'").unwrap_err().to_string();
    assert!(text.contains("\"epok\" is neither epoch nor step; did you mean `epoch`?"), "{text}");
    assert!(error("id='lambda'\nlambda='0.9 ^'").unwrap_err().to_string().contains("cannot read \"0.9 ^\""));
    let text = error("id='lambda'\nlambda='1 / epoch'").unwrap_err().to_string();
    assert!(text.contains("gives group \"head\" the rate inf"), "{text}");
    assert!(error("id='lambda'\nlambda='epoch - 1'").is_err(), "a rate below 0");
}

#[test]
fn a_rate_written_by_a_strategy_is_scaled_from_there() {
    let mut scheduler = Scheduler::new(config("id='exponential'\ngamma=0.5"), LENGTH, &sgd()).unwrap();
    let mut groups = [group("all", 1.0)];
    scheduler.start(&mut groups).unwrap();
    scheduler.on_epoch_end(&mut groups, 0).unwrap();
    groups[0].lr = 8.0;
    scheduler.on_epoch_end(&mut groups, 1).unwrap();
    assert_eq!(groups[0].lr, 4.0);
}

#[test]
fn a_restored_schedule_continues_as_if_it_had_not_stopped() {
    for toml in [
        "id='step'\nstep_size=2",
        "id='cosine'\nT_max=3",
        "id='cosine-warm-restarts'\nT_0=2",
        "id='one-cycle'\nmax_lr=1.0\ninterval='epoch'",
        "id='warmup'\ntotal_iters=4\nscheduler={id='cosine'}",
        "id='lambda'\nlambda='0.9 ^ epoch'",
        "id='reduce-on-plateau'\npatience=1\nfactor=0.5",
    ] {
        let metrics = [1.0, 0.9, 0.95, 0.96, 0.97, 0.98, 0.99, 1.0, 1.1, 1.2];
        let epoch = |scheduler: &mut Scheduler, groups: &mut Vec<ParamGroup>, epoch: usize| {
            scheduler.on_epoch_end(groups, epoch).unwrap();
            scheduler.on_metric(metrics[epoch], groups, epoch).unwrap();
            if epoch == 2 {
                groups.push(group("late", 0.05));
            }
        };
        let make = || Scheduler::new(config(toml), LENGTH, &sgd()).unwrap();
        let (mut straight, mut groups) = (make(), vec![group("all", 0.1)]);
        straight.start(&mut groups).unwrap();
        (0..5).for_each(|e| epoch(&mut straight, &mut groups, e));
        let text = straight.state().unwrap().to_string();
        let (mut resumed, mut copies) = (make(), groups.clone());
        resumed.load_state(&serde_json::from_str(&text).unwrap()).unwrap();
        (5..10).for_each(|e| epoch(&mut straight, &mut groups, e));
        (5..10).for_each(|e| epoch(&mut resumed, &mut copies, e));
        assert_eq!(groups, copies, "{toml}");
    }
}

#[test]
fn the_state_of_another_schedule_is_refused() {
    let make = |toml: &str| Scheduler::new(config(toml), LENGTH, &sgd()).unwrap();
    let state = make("id='cosine'").state().unwrap();
    let error = make("id='exponential'\ngamma=0.9").load_state(&state).unwrap_err().to_string();
    assert!(
        error.contains("the checkpoint's scheduler is \"cosine\", the run config's \"exponential\""),
        "{error}"
    );
    assert!(make("id='cosine'").load_state(&serde_json::json!({"id": "cosine"})).is_err());
}
