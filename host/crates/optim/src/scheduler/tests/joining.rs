//! Groups that join a run in the middle: `lr_added * f(t) / f(t_added)` with every schedule, where PyTorch
//! raises.

use super::*;

/// Rates of a first group alone, and of a second one that joins before epoch `join` at `lr`.
fn with_second(toml: &str, join: usize, lr: f64) -> (Vec<f64>, Vec<f64>) {
    let mut scheduler = Scheduler::new(config(toml), LENGTH, &sgd()).unwrap();
    let mut groups = vec![group("first", 1.0)];
    scheduler.start(&mut groups).unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for epoch in 0..10 {
        if epoch == join {
            groups.insert(0, group("second", lr));
        }
        for group in &groups {
            if group.name == "first" { first.push(group.lr) } else { second.push(group.lr) }
        }
        scheduler.on_epoch_end(&mut groups, epoch).unwrap();
    }
    (first, second)
}

#[test]
fn a_group_that_joins_follows_the_same_factor_from_its_own_rate() {
    for toml in [
        "id='constant'\nfactor=0.5\ntotal_iters=6",
        "id='step'\nstep_size=3",
        "id='multi-step'\nmilestones=[2, 5, 7]",
        "id='exponential'\ngamma=0.9",
        "id='cosine'",
        "id='cosine'\nT_max=3",
        "id='cosine-warm-restarts'\nT_0=3\nT_mult=2",
        "id='linear'\ntotal_iters=8",
        "id='polynomial'\ntotal_iters=12\npower=2",
        "id='lambda'\nlambda='0.9 ^ epoch + 0.1'",
        "id='one-cycle'\nmax_lr=2.0\ninterval='epoch'",
        "id='one-cycle'\nmax_lr=2.0\ninterval='epoch'\nthree_phase=true\nanneal_strategy='linear'",
        "id='sequential'\nmilestones=[6]\nschedulers=[{id='linear', start_factor=0.2, total_iters=6}, \
         {id='cosine'}]",
        "id='warmup'\ntotal_iters=7\nscheduler={id='one-cycle'}",
    ] {
        let join = 4;
        let (first, second) = with_second(toml, join, 0.3);
        // f(t) / f(t_added) is the ratio of the first group's rates, which nobody interfered with.
        let expected: Vec<f64> = first[join..].iter().map(|lr| 0.3 * lr / first[join]).collect();
        assert_eq!(second[0], 0.3, "{toml}: it starts at its own rate");
        for (t, (found, expected)) in second.iter().zip(&expected).enumerate() {
            assert!(
                (found - expected).abs() <= 1e-12 * expected.abs() + 1e-15,
                "{toml}, {t} epochs on: {found}, expected {expected}"
            );
        }
    }
}

#[test]
fn a_group_that_joins_keeps_the_minimum_in_mind() {
    // (lr - eta_min) is what a cosine scales.
    let (first, second) = with_second("id='cosine'\neta_min=0.1", 4, 0.3);
    let expected: Vec<f64> = first[4..].iter().map(|lr| 0.1 + 0.2 * (lr - 0.1) / (first[4] - 0.1)).collect();
    assert_close(&second, &expected);
}

#[test]
fn a_group_that_joins_at_a_minimum_of_zero_still_gets_rates() {
    let (_, second) = with_second("id='cosine'\nT_max=4", 4, 0.3);
    let expected = |t: f64| 0.3 * (1.0 + (std::f64::consts::PI * t / 4.0).cos()) / 2.0;
    assert_eq!(second[0], 0.3);
    assert!(second.iter().all(|lr| lr.is_finite()));
    assert_close(&second[1..2], &[0.3 + expected(5.0)]);
}

#[test]
fn a_group_that_joins_below_the_minimum_stays_above_zero() {
    for toml in ["id='cosine'\nT_max=3\neta_min=0.2", "id='cosine-warm-restarts'\nT_0=5\neta_min=0.2"] {
        let (first, second) = with_second(toml, 4, 0.05);
        assert!(first.iter().all(|lr| *lr >= 0.2), "{toml}: {first:?}");
        assert_eq!(second[0], 0.05);
        assert!(second.iter().all(|lr| (0.0..=0.2).contains(lr)), "{toml}: {second:?}");
    }
}

#[test]
fn a_group_that_joins_a_plateau_schedule_is_reduced_too() {
    let toml = "id='reduce-on-plateau'\npatience=0\nfactor=0.5\nmin_lr=[0.1, 0.2]";
    let mut scheduler = Scheduler::new(config(toml), LENGTH, &sgd()).unwrap();
    let mut groups = vec![group("first", 1.0)];
    scheduler.start(&mut groups).unwrap();
    assert_eq!(scheduler.monitor(), Some(("val_loss", Interval::Epoch)));
    assert!(!scheduler.on_metric(1.0, &mut groups, 0).unwrap());
    groups.push(group("second", 0.5));
    for epoch in 1..5 {
        assert!(scheduler.on_metric(1.0, &mut groups, epoch).unwrap());
    }
    assert_eq!(groups.iter().map(|group| group.lr).collect::<Vec<_>>(), [0.1, 0.2]);
}

#[test]
fn a_group_that_joins_a_cycle_takes_its_momentum() {
    let optimizer = OptimizerConfig::default_for("adam").unwrap();
    let mut scheduler = Scheduler::new(config("id='one-cycle'\nmax_lr=1"), LENGTH, &optimizer).unwrap();
    let mut groups = vec![group("first", 1.0)];
    scheduler.start(&mut groups).unwrap();
    scheduler.on_step(&mut groups, 0).unwrap();
    groups.push(group("second", 0.5));
    scheduler.adopt(&mut groups).unwrap();
    assert_eq!(groups[0].options, groups[1].options);
    assert!(groups[1].options.contains_key("beta1"));
}

#[test]
fn a_group_that_leaves_and_comes_back_starts_anew() {
    let mut scheduler = Scheduler::new(config("id='lambda'\nlambda='0.5 ^ epoch'"), LENGTH, &sgd()).unwrap();
    let mut groups = vec![group("first", 1.0), group("second", 1.0)];
    scheduler.start(&mut groups).unwrap();
    let second = groups.pop();
    scheduler.on_epoch_end(&mut groups, 0).unwrap();
    groups.extend(second);
    scheduler.on_epoch_end(&mut groups, 1).unwrap();
    assert_eq!((groups[0].lr, groups[1].lr), (0.25, 0.5));
}
