//! Strategies and callbacks in runs over models that are only trees: the loop and the host's rules without
//! training.

mod extremes;
mod failing_host;
mod frozen;
mod trees;

use serde_json::{Map, Value};
use thaw_plugin_api::Error;
use thaw_plugin_api::abi::BoxedInstance;
use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::testing::{FakeModel, FakeRun, Report};

pub(super) use failing_host::errors;

use super::outcome::says_something;
use super::trace::Trace;
use super::values::{Sizes, random};
use super::{Body, Check, Outcome, Subject, Verdict};
use thaw_data::CounterRng;
use thaw_train::audit;

pub(super) const CHECKS: &[Check] = &[
    Check::new(
        "runs",
        "a run over a usual model goes to its end, or the model is refused before it starts",
        Body::Instance(runs),
    )
    .after("builds"),
    Check::new(
        "groups-sound",
        "in every epoch each trainable parameter is in exactly one group",
        Body::Instance(groups_sound),
    )
    .after("builds"),
    Check::new(
        "frozen-untouched",
        "hooks leave the values of frozen parameters as they are",
        Body::Instance(frozen::untouched),
    )
    .after("runs"),
    Check::new(
        "deterministic",
        "two runs of the same seed are equal, each in a process of its own",
        Body::Instance(deterministic),
    )
    .after("runs")
    .twice(),
    Check::new(
        "restart",
        "a second run in one process equals the first, also after one that was broken off",
        Body::Instance(restart),
    )
    .after("deterministic"),
    Check::new(
        "two-instances",
        "two instances in turns do what each does alone",
        Body::Instance(two_instances),
    )
    .after("deterministic"),
    Check::new("zero-epochs", "a run without epochs goes to its end", Body::Instance(extremes::zero_epochs))
        .after("runs"),
    Check::new(
        "one-step",
        "runs of one step, without validation data and with accumulation go to their end",
        Body::Instance(extremes::one_step),
    )
    .after("runs"),
    Check::new(
        "stop-anywhere",
        "a run that is asked to stop at any point ends and can be saved",
        Body::Instance(extremes::stop_anywhere),
    )
    .after("runs"),
    Check::new(
        "odd-models",
        "nested containers, tied weights, nothing to freeze: handled, or refused with a reason",
        Body::Instance(extremes::odd_models),
    )
    .after("builds"),
    Check::new(
        "panics-contained",
        "whatever the host answers, hooks return: no panic, no end of the process",
        Body::Instance(failing_host::contained),
    )
    .after("builds"),
];

/// How long a run is.
#[derive(Clone, Copy)]
pub(super) struct Length {
    pub epochs: usize,
    pub batches: usize,
    pub validation_batches: usize,
}

/// Long enough for what strategies by default do late.
pub(super) const USUAL: Length = Length { epochs: 12, batches: 3, validation_batches: 1 };

/// A run with one instance over a model; losses and metrics follow from the seed.
///
/// # Errors
/// The instance cannot be made.
pub(super) fn build(
    subject: &Subject,
    model: &FakeModel,
    config: &Map<String, Value>,
    length: Length,
) -> Result<FakeRun, Error> {
    Ok(run_of(subject, subject.create(config)?, model, length))
}

/// The same with an instance that is there already.
pub(super) fn run_of(
    subject: &Subject,
    instance: BoxedInstance,
    model: &FakeModel,
    length: Length,
) -> FakeRun {
    let seed = subject.job().seed;
    let noise = move |purpose: u64, at: usize| CounterRng::new(&[seed, purpose, at as u64]).unit();
    let mut run = FakeRun::new(model.clone())
        .optimizer("adamw", 1e-2)
        .weight_decay(0.01)
        .max_epochs(length.epochs)
        .batches(length.batches)
        .validation_batches(length.validation_batches)
        .loss(move |batch| 2.0 / (1.0 + batch as f64) + 0.01 * noise(1, batch))
        // Falls, and stays where it is from the middle on: what waits for a plateau gets one.
        .metric("val_loss", move |epoch| 1.0 / (1.0 + epoch.min(5) as f64) + 0.001 * noise(2, epoch.min(5)))
        .metric("val_acc", move |epoch| 0.5 + 0.08 * epoch.min(5) as f64)
        .scheduler(|_, groups| groups.iter_mut().for_each(|group| group.lr *= 0.9))
        .without_audit();
    run.add_raw(subject.item().kind, &subject.item().id, instance);
    run
}

/// The first usual model that the id takes with this configuration, and its whole run.
///
/// # Errors
/// [`Outcome::Skipped`]: that there is one is another check's.
pub(super) fn straight(
    subject: &Subject,
    config: &Map<String, Value>,
    length: Length,
) -> Result<(FakeModel, Report), Outcome> {
    let mut reason = String::new();
    for tree in trees::usual() {
        subject.job().doing(&format!("in a run over a model of {}", tree.name));
        match build(subject, &tree.model, config, length).and_then(|mut run| fit(&mut run)) {
            Ok(report) => return Ok((tree.model, report)),
            Err(error) if reason.is_empty() => reason = error.to_string(),
            Err(_) => {}
        }
    }
    Err(Outcome::skipped(format!("no model of the checks runs to its end: {reason}")))
}

/// Configurations for comparisons: the usual one, and random ones of the schema that run.
pub(super) fn configs(subject: &Subject, purpose: u64) -> Vec<Map<String, Value>> {
    const RANDOM: usize = 6;
    let mut numbers = subject.random(purpose);
    let schema = &subject.item().schema;
    let mut configs = vec![subject.config().clone()];
    configs.extend(
        (0..RANDOM).map(|_| random(schema, subject.config(), subject.config(), &mut numbers, Sizes::Small)),
    );
    configs.retain(|config| straight(subject, config, USUAL).is_ok());
    configs
}

/// Runs to the end; an error is the plugin's own, without the fake run's word of whose it is.
fn fit(run: &mut FakeRun) -> Result<Report, Error> {
    run.fit().map_err(|error| match error.causes() {
        [] => error,
        causes => Error::of(error.kind(), causes.join(": ")),
    })
}

/// Where a run failed.
fn place(report: &Report) -> String {
    report
        .epochs
        .last()
        .map_or_else(|| "before the first epoch".to_owned(), |record| format!("in epoch {}", record.epoch))
}

/// What is wrong with the way in which a run failed; nothing where the model was refused with a reason.
fn fault(name: &str, report: &Report, error: &Error) -> Option<Outcome> {
    let found = format!("{name}: {} {error}", place(report));
    let expected = "a run to its end, or an error before its first epoch that says what the model lacks";
    match error.kind() {
        ErrorKind::Panic => Some(Outcome::failed(
            found,
            expected,
            "return an error where the code panics now (`?`, `bail!`, `ensure!`)",
        )),
        _ if !says_something(error) => {
            Some(Outcome::failed(found, expected, "say in the error what was found and what is expected"))
        }
        _ => None,
    }
}

fn runs(subject: &mut Subject) -> Verdict {
    let mut refused = Vec::new();
    let mut ran = Vec::new();
    for tree in trees::usual() {
        subject.job().doing(&format!("in a run over a model of {}", tree.name));
        let mut run = build(subject, &tree.model, subject.config(), USUAL)
            .map_err(|error| Outcome::skipped(error.to_string()))?;
        let Err(error) = fit(&mut run) else {
            ran.push(tree.name);
            continue;
        };
        let report = run.report();
        if let Some(fault) = fault(tree.name, &report, &error) {
            return Err(fault);
        }
        // Groups that no run accepts are the matter of their own check.
        if !report.epochs.is_empty() && error.kind() != ErrorKind::Groups {
            let hint = "look at the model in `setup` or `freeze_before_training`, so that a run ends before \
                        hours of training, not after";
            let found = format!("{}: {} {error}", tree.name, place(&report));
            return Err(Outcome::failed(found, "a run to its end, or an error before its first epoch", hint));
        }
        refused.push(format!("{} ({})", tree.name, error.message()));
    }
    if ran.is_empty() {
        let hint = "modules are named otherwise here: give their paths with --config, so that there is \
                    something to check";
        return Err(Outcome::warning(
            format!("refused: {}", refused.join("; ")),
            "a run over one of these models",
            hint,
        ));
    }
    Ok(Outcome::noted(format!("over {}", ran.join("; "))))
}

fn groups_sound(subject: &mut Subject) -> Verdict {
    let mut runs = 0;
    for tree in trees::usual() {
        subject.job().doing(&format!("in a run over a model of {}", tree.name));
        let mut run = build(subject, &tree.model, subject.config(), USUAL)
            .map_err(|error| Outcome::skipped(error.to_string()))?;
        let failed = fit(&mut run).err().filter(|error| error.kind() == ErrorKind::Groups);
        let report = run.report();
        let findings = report.epochs.iter().find_map(|record| {
            let findings = audit::groups(&record.tree, &record.groups);
            (!findings.is_empty()).then(|| format!("epoch {}: {}", record.epoch, findings.join("; ")))
        });
        if let Some(found) =
            findings.or_else(|| failed.map(|error| format!("{}: {}", place(&report), error.message())))
        {
            let hint =
                "`unfreeze_and_add_param_group` adds what is in no group yet; freeze what is not to train";
            return Err(Outcome::failed(
                format!("{}, {found}", tree.name),
                "each trainable parameter in exactly one group",
                hint,
            ));
        }
        runs += usize::from(!report.epochs.is_empty());
    }
    if runs == 0 {
        Err(Outcome::skipped("no model of the checks gets as far as its first epoch"))
    } else {
        Ok(Outcome::passed())
    }
}

const DETERMINISM: &str = "the clock, addresses, the order of a HashMap, a generator that is not seeded: \
                           take another source, or a BTreeMap";

fn deterministic(subject: &mut Subject) -> Verdict {
    let mut trace = Trace::new();
    for (index, config) in configs(subject, 3).iter().enumerate() {
        trace.push("configuration", &index.to_string());
        let (_, report) = straight(subject, config, USUAL)?;
        trace.append(Trace::of(&report));
    }
    trace.compare_across_processes(subject.job(), DETERMINISM)?;
    Ok(Outcome::passed())
}

/// A run anew, to be compared with what another one did.
fn again(subject: &Subject, model: &FakeModel) -> Result<FakeRun, Outcome> {
    build(subject, model, subject.config(), USUAL)
        .map_err(|error| Outcome::skipped(format!("it cannot be made: {error}")))
}

fn restart(subject: &mut Subject) -> Verdict {
    let (model, first) = straight(subject, subject.config(), USUAL)?;
    let expected = Trace::of(&first);
    let hint = "something outlives the instance: a static, a thread local, a file; keep it in a field";
    for broken_off in [None, Some(0), Some(1), Some(USUAL.epochs / 2)] {
        if let Some(epochs) = broken_off {
            let mut run = again(subject, &model)?;
            run.run_epochs(epochs)
                .map_err(|error| Outcome::failed(error.to_string(), "the run that went before", hint))?;
        }
        let second = again(subject, &model)?
            .fit()
            .map_err(|error| Outcome::failed(error.to_string(), "the run that went before", hint))?;
        if let Some((found, expected)) = Trace::of(&second).difference(&expected) {
            let after = broken_off.map_or_else(
                || "again".to_owned(),
                |epochs| format!("after one that was broken off after {epochs} epochs"),
            );
            return Err(Outcome::failed(format!("{after}, {found}"), expected, hint));
        }
    }
    Ok(Outcome::passed())
}

fn two_instances(subject: &mut Subject) -> Verdict {
    let (model, alone) = straight(subject, subject.config(), USUAL)?;
    let expected = Trace::of(&alone);
    let hint = "the instances share something: a static, a thread local, a file; keep it in a field";
    let mut both = [again(subject, &model)?, again(subject, &model)?];
    let failed = |error: Error| Outcome::failed(error.to_string(), "the run of one instance alone", hint);
    for _ in 0..USUAL.epochs {
        for run in &mut both {
            run.run_epochs(1).map_err(failed)?;
        }
    }
    for run in &mut both {
        let report = run.fit().map_err(failed)?;
        if let Some((found, expected)) = Trace::of(&report).difference(&expected) {
            return Err(Outcome::failed(format!("in turns, {found}"), format!("as alone, {expected}"), hint));
        }
    }
    Ok(Outcome::passed())
}

/// A run of so many steps, for what is measured around it.
///
/// # Errors
/// [`Outcome::Skipped`]: that it goes to its end is another check's.
pub(super) fn exercise(subject: &Subject, steps: usize) -> Result<(), Outcome> {
    let length = Length { epochs: 10, batches: steps.div_ceil(10), ..USUAL };
    straight(subject, subject.config(), length).map(drop)
}
