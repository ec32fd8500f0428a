use super::*;

fn parse(toml: &str) -> std::result::Result<SchedulerConfig, String> {
    let table: toml::Table = toml.parse().unwrap();
    let table = serde_json::to_value(table).unwrap();
    SchedulerConfig::from_value(&table, &SchedulerConfig::key()).map_err(|error| error.to_string())
}

/// Every schedule with every key.
const FULL: [&str; 15] = [
    "id='constant'\nfactor=0.5\ntotal_iters=3",
    "id='step'\nstep_size=2\ngamma=0.3\ninterval='step'\nfrequency=2",
    "id='multi-step'\nmilestones=[1, 4]\ngamma=0.3",
    "id='exponential'\ngamma=0.9",
    "id='cosine'\nT_max=4\neta_min=0.1",
    "id='cosine-warm-restarts'\nT_0=4\nT_mult=2\neta_min=0.1",
    "id='linear'\nstart_factor=0.5\nend_factor=0.25\ntotal_iters=3",
    "id='polynomial'\ntotal_iters=3\npower=2.5",
    "id='lambda'\nlambda='0.9 ^ epoch'",
    "id='one-cycle'\nmax_lr=[0.1, \
     0.2]\ntotal_steps=9\nepochs=3\nsteps_per_epoch=3\npct_start=0.5\nanneal_strategy='linear'\n\
     cycle_momentum=false\nbase_momentum=0.5\n\
     max_momentum=0.6\ndiv_factor=2\nfinal_div_factor=3\nthree_phase=true",
    "id='cyclic'\nbase_lr=[0.1, 0.2]\nmax_lr=[1.0, \
     2.0]\nstep_size_up=3\nstep_size_down=4\nmode='exp_range'\ngamma=0.5\n\
     cycle_momentum=false\nbase_momentum=0.5\nmax_momentum=0.6",
    "id='reduce-on-plateau'\nmonitor='val_acc'\nmode='max'\nfactor=0.5\npatience=2\n\
     threshold=0.1\nthreshold_mode='abs'\n\
     cooldown=1\nmin_lr=0.001\neps=0.0",
    "id='sequential'\nmilestones=[3]\nschedulers=[{id='linear'}, {id='cosine'}]",
    "id='chained'\nschedulers=[{id='linear'}, {id='step', step_size=2}]",
    "id='warmup'\ntotal_iters=3\nstart_factor=0.5\nscheduler={id='step', step_size=2}",
];

#[test]
fn a_config_survives_being_written_and_read() {
    for (toml, id) in FULL.iter().zip(Schedule::IDS) {
        let config = parse(toml).unwrap_or_else(|error| panic!("{toml}: {error}"));
        assert_eq!(config.schedule.id(), id);
        let written = toml::to_string(&config).unwrap();
        assert_eq!(parse(&written).unwrap(), config, "{written}");
    }
}

#[test]
fn checkpoints_keep_it_as_version_1_0_wrote_it() {
    for (toml, written) in [
        ("id='cosine'", r#"{"id":"cosine","eta_min":0.0,"interval":"epoch","frequency":1}"#),
        (
            "id='warmup'\ntotal_iters=3\nscheduler={id='step', step_size=2}",
            concat!(
                r#"{"id":"warmup","total_iters":3,"start_factor":0.01,"#,
                r#""scheduler":{"id":"step","step_size":2,"gamma":0.1},"interval":"epoch","frequency":1}"#
            ),
        ),
        (
            "id='reduce-on-plateau'\nmin_lr=[0.1, 0.2]",
            concat!(
                r#"{"id":"reduce-on-plateau","monitor":"val_loss","factor":0.1,"patience":10,"#,
                r#""threshold":0.0001,"threshold_mode":"rel","cooldown":0,"min_lr":[0.1,0.2],"#,
                r#""eps":1e-8,"interval":"epoch","frequency":1}"#
            ),
        ),
    ] {
        let config = parse(toml).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), written);
        assert_eq!(serde_json::from_str::<SchedulerConfig>(written).unwrap(), config);
    }
}

#[test]
fn defaults_are_those_of_pytorch() {
    let schedule = |toml: &str| parse(toml).unwrap().schedule;
    assert_eq!(schedule("id='step'\nstep_size=3"), Schedule::Step(Step { step_size: 3, gamma: 0.1 }));
    let Schedule::Linear(linear) = schedule("id='linear'") else { panic!() };
    assert_eq!((linear.start_factor, linear.end_factor, linear.total_iters), (1.0 / 3.0, 1.0, 5));
    assert_eq!(schedule("id='polynomial'"), Schedule::Polynomial(Polynomial { total_iters: 5, power: 1.0 }));
    let Schedule::OneCycle(cycle) = schedule("id='one-cycle'\nmax_lr=1") else { panic!() };
    assert_eq!((cycle.pct_start, cycle.div_factor, cycle.final_div_factor), (0.3, 25.0, 1e4));
    assert_eq!((cycle.cycle_momentum, cycle.base_momentum, cycle.max_momentum), (true, 0.85, 0.95));
    let Schedule::Cyclic(cycle) = schedule("id='cyclic'\nbase_lr=0.1\nmax_lr=1") else { panic!() };
    assert_eq!(
        (cycle.step_size_up, cycle.step_size_down, cycle.mode, cycle.gamma),
        (2000, None, CyclicMode::Triangular, 1.0)
    );
    assert_eq!((cycle.cycle_momentum, cycle.base_momentum, cycle.max_momentum), (true, 0.8, 0.9));
    let Schedule::ReduceOnPlateau(plateau) = schedule("id='reduce-on-plateau'") else { panic!() };
    assert_eq!((plateau.factor, plateau.patience, plateau.threshold, plateau.eps), (0.1, 10, 1e-4, 1e-8));
}

#[test]
fn schedules_advance_per_epoch_unless_told_otherwise() {
    assert_eq!(parse("id='cosine'").unwrap().interval, Interval::Epoch);
    assert_eq!(parse("id='one-cycle'").unwrap().interval, Interval::Step);
    assert_eq!(parse("id='cyclic'\nbase_lr=0\nmax_lr=1").unwrap().interval, Interval::Step);
    assert_eq!(parse("id='one-cycle'\ninterval='epoch'").unwrap().interval, Interval::Epoch);
}

/// Refuses each of these, with these words in the error.
#[track_caller]
fn refused(cases: &[(&str, &str)]) {
    for (toml, expected) in cases {
        let error = parse(toml).unwrap_err();
        assert!(error.contains(expected), "{toml}: {error}");
    }
}

#[test]
fn errors_name_key_value_and_nearest() {
    refused(&[
        ("gamma=1", "missing key `scheduler.id`, expected one of constant, step,"),
        ("id='cosin'", "`scheduler.id` is \"cosin\", expected one of constant, step,"),
        ("id='cosin'", "; did you mean `cosine`?"),
        ("id='step'\nstepsize=3", "unknown key `scheduler.stepsize`, did you mean `step_size`?"),
        ("id='step'", "missing key `scheduler.step_size`, expected a whole number of at least 1"),
        ("id='step'\nstep_size=0", "`scheduler.step_size` is 0, expected a number of at least 1"),
        ("id='step'\nstep_size=-1", "`scheduler.step_size` is -1, expected a whole number of at least 1"),
        (
            "id='cosine'\nmonitor='val_loss'",
            "unknown key `scheduler.monitor`; the keys are: id, T_max, eta_min, interval, frequency",
        ),
        ("id='cosine'\ninterval='batch'", "`scheduler.interval` is \"batch\", expected one of epoch, step"),
        ("id='cosine'\nfrequency=0", "`scheduler.frequency` is 0"),
        (
            "id='linear'\nstart_factor=0",
            "`scheduler.start_factor` is 0.0, expected a number of more than 0.0 and at most 1.0",
        ),
        ("id='linear'\nend_factor=1.5", "`scheduler.end_factor` is 1.5, expected a number of at least 0.0"),
        (
            "id='reduce-on-plateau'\nfactor=1",
            "`scheduler.factor` is 1.0, expected a number of at least 0.0 and less than 1.0",
        ),
        (
            "id='reduce-on-plateau'\nmonitor='count'",
            "`scheduler.mode` is not there, expected min or max: the name of metric `count`",
        ),
        ("id='lambda'", "missing key `scheduler.lambda`, expected a number or a text"),
        ("id='lambda'\nlambda=true", "`scheduler.lambda` is true, expected a number or an expression"),
        (
            "id='lambda'\nlambda=1\nlr_lambda=1",
            "`scheduler.lr_lambda` is there beside `lambda`, expected `lambda` alone",
        ),
        ("id='one-cycle'\nepochs=3", "`scheduler.epochs` is there without steps_per_epoch"),
        (
            "id='cyclic'\nmax_lr=0.1",
            "missing key `scheduler.base_lr`, expected a number of at least 0.0, or a list",
        ),
        (
            "id='cyclic'\nbase_lr=0.1\nmax_lr=[0.1, 0]",
            "`scheduler.max_lr` is 0.0, expected a number of more than",
        ),
        (
            "id='cyclic'\nbase_lr=[0.01, 0.1]\nmax_lr=0.1",
            "`scheduler.base_lr` is another share of max_lr from group to group, or none, expected the same",
        ),
        (
            "id='cyclic'\nbase_lr=0.01\nmax_lr=0.1\nmode='square'",
            "`scheduler.mode` is \"square\", expected one of triangular, triangular2, exp_range",
        ),
    ]);
}

#[test]
fn errors_of_schedules_inside_others_name_their_place() {
    refused(&[
        (
            "id='sequential'\nschedulers=[]\nmilestones=[]",
            "`scheduler.schedulers` is empty, expected at least one",
        ),
        (
            "id='sequential'\nschedulers=[{id='linear'}]\nmilestones=[1]",
            "`scheduler.milestones` is 1 for 1 schedulers",
        ),
        (
            "id='sequential'\nschedulers=[{id='linear'}, {id='linear'}]\nmilestones=[0]",
            "`scheduler.milestones` is [0], expected numbers above 0",
        ),
        (
            "id='sequential'\nschedulers=[{id='step'}]\nmilestones=[]",
            "missing key `scheduler.schedulers[0].step_size`",
        ),
        (
            "id='sequential'\nschedulers=[{id='reduce-on-plateau'}]\nmilestones=[]",
            "`scheduler.schedulers[0].id` is reduce-on",
        ),
        (
            "id='warmup'\ntotal_iters=1\nscheduler={id='cosine', interval='step'}",
            "unknown key `scheduler.scheduler.interval`",
        ),
        (
            "id='warmup'\ntotal_iters=1\nscheduler={id='warmup', total_iters=1, scheduler={id='cyclic', \
             base_lr=0, max_lr=1}}",
            "`scheduler.scheduler.scheduler.id` is cyclic",
        ),
        ("id='chained'\nschedulers=[]", "`scheduler.schedulers` is empty, expected at least one"),
        (
            "id='chained'\nschedulers=[{id='one-cycle', max_lr=0.1}]",
            "`scheduler.schedulers[0].max_lr` is a rate, expected none inside",
        ),
        (
            "id='chained'\nschedulers=[{id='cyclic', base_lr=0, max_lr=1}]",
            "`scheduler.schedulers[0].id` is cyclic",
        ),
    ]);
}
