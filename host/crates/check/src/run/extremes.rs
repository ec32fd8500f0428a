//! The shortest runs, runs that stop early, models at the edge.

use serde_json::json;
use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::testing::FakeModel;

use super::{Length, USUAL, build, fault, fit, place, straight, trees};
use crate::{Outcome, Subject, Verdict};
use thaw_train::audit;

const HINT: &str =
    "a run may be as short as that: hooks cannot count on an epoch, a batch or a validation before them";

/// A run over the model that the id takes, which has to go to its end, or to be refused before its first
/// epoch.
fn goes_to_its_end(
    subject: &Subject,
    model: &FakeModel,
    length: Length,
    accumulate: usize,
) -> Result<(), Outcome> {
    let run = build(subject, model, subject.config(), length)
        .map_err(|error| Outcome::skipped(error.to_string()))?;
    let mut run = run.accumulate(accumulate);
    let what = format!(
        "{} epochs of {} batches, {} of validation",
        length.epochs, length.batches, length.validation_batches
    );
    subject.job().doing(&format!("in a run of {what}"));
    let Err(error) = fit(&mut run).and_then(|_| run.save().map(drop)) else { return Ok(()) };
    let report = run.report();
    let is_refused = report.epochs.is_empty() && length.validation_batches == 0;
    match fault(&what, &report, &error) {
        None if is_refused => Ok(()),
        None => Err(Outcome::failed(format!("{what}: {} {error}", place(&report)), "a run to its end", HINT)),
        Some(fault) => Err(fault),
    }
}

pub(super) fn zero_epochs(subject: &mut Subject) -> Verdict {
    let (model, _) = straight(subject, subject.config(), USUAL)?;
    for validation_batches in [0, 1] {
        goes_to_its_end(subject, &model, Length { epochs: 0, batches: 3, validation_batches }, 1)?;
    }
    Ok(Outcome::passed())
}

pub(super) fn one_step(subject: &mut Subject) -> Verdict {
    let (model, _) = straight(subject, subject.config(), USUAL)?;
    for (batches, validation_batches, accumulate) in [(1, 0, 1), (1, 1, 1), (1, 1, 4), (5, 1, 2)] {
        goes_to_its_end(subject, &model, Length { epochs: 1, batches, validation_batches }, accumulate)?;
    }
    Ok(Outcome::passed())
}

/// Asks the run to stop, in one hook of one epoch.
#[derive(Config)]
struct StopAt {
    /// The hook, by its number.
    hook: u32,
    /// The epoch.
    epoch: usize,
}

impl StopAt {
    fn in_hook(&self, hook: Hook, context: &mut Context) -> Result<()> {
        if hook as u32 == self.hook && context.epoch() == self.epoch {
            context.stop("the check asks for it")
        } else {
            Ok(())
        }
    }
}

macro_rules! stop_in {
    ($($method:ident = $hook:ident),* $(,)?) => {
        /// Hooks that a run can be stopped in.
        const HOOKS: &[Hook] = &[$(Hook::$hook),*];

        impl Callback for StopAt {
            const ID: &'static str = "stop-at";

            $(fn $method(&mut self, context: &mut Context) -> Result<()> {
                self.in_hook(Hook::$hook, context)
            })*
        }
    };
}

stop_in! {
    setup = Setup, on_fit_start = FitStart, on_sanity_check_start = SanityCheckStart,
    on_sanity_check_end = SanityCheckEnd,
    on_train_start = TrainStart, on_train_epoch_start = TrainEpochStart,
    on_train_batch_start = TrainBatchStart,
    on_before_zero_grad = BeforeZeroGrad, on_before_backward = BeforeBackward,
    on_after_backward = AfterBackward,
    on_before_optimizer_step = BeforeOptimizerStep, on_after_optimizer_step = AfterOptimizerStep,
    on_train_batch_end = TrainBatchEnd,
    on_validation_start = ValidationStart, on_validation_epoch_start = ValidationEpochStart,
    on_validation_batch_start = ValidationBatchStart, on_validation_batch_end = ValidationBatchEnd,
    on_validation_epoch_end = ValidationEpochEnd, on_validation_end = ValidationEnd,
    on_train_epoch_end = TrainEpochEnd,
    on_save_checkpoint = SaveCheckpoint,
}

/// Every hook in the first two epochs, in one in the middle and in the last; in the others those at which
/// runs stop mostly.
fn is_tried(hook: Hook, epoch: usize) -> bool {
    [0, 1, USUAL.epochs / 2, USUAL.epochs - 1].contains(&epoch)
        || [Hook::TrainBatchEnd, Hook::TrainEpochEnd].contains(&hook)
}

pub(super) fn stop_anywhere(subject: &mut Subject) -> Verdict {
    let (model, _) = straight(subject, subject.config(), USUAL)?;
    let mut points = 0;
    for epoch in 0..USUAL.epochs {
        for &hook in HOOKS.iter().filter(|hook| is_tried(**hook, epoch)) {
            let place = format!("stopped in `{}` of epoch {epoch}", hook.name());
            subject.job().doing(&place);
            let mut run = build(subject, &model, subject.config(), USUAL)
                .map_err(|error| Outcome::skipped(error.to_string()))?;
            run.add_callback::<StopAt>(json!({ "hook": hook as u32, "epoch": epoch }))
                .map_err(|error| Outcome::skipped(error.to_string()))?;
            if let Err(error) = run.fit().and_then(|_| run.save()) {
                return Err(Outcome::failed(
                    format!("{place}: {error}"),
                    "a run to its end, and a state that can be saved",
                    HINT,
                ));
            }
            // Hooks before the first epoch run in no other.
            points += usize::from(run.report().stopped.is_some());
        }
    }
    Ok(Outcome::noted(format!("{points} points")))
}

pub(super) fn odd_models(subject: &mut Subject) -> Verdict {
    let mut refused = Vec::new();
    for tree in trees::odd() {
        subject.job().doing(&format!("in a run over a model of {}", tree.name));
        let mut run = build(subject, &tree.model, subject.config(), USUAL)
            .map_err(|error| Outcome::skipped(error.to_string()))?;
        let error = fit(&mut run).err();
        let report = run.report();
        if let Some(error) = error {
            match fault(tree.name, &report, &error) {
                Some(fault) => return Err(fault),
                None => refused.push(format!("{} ({})", tree.name, error.message())),
            }
            continue;
        }
        let findings =
            report.epochs.iter().flat_map(|record| audit::groups(&record.tree, &record.groups)).next();
        if let Some(finding) = findings {
            let hint = "go by `Parameter::storage` for tied weights, and by `subtree` or `parameters_of` for \
                        nested containers";
            return Err(Outcome::failed(
                format!("{}: {finding}", tree.name),
                "each trainable parameter in exactly one group",
                hint,
            ));
        }
    }
    Ok(Outcome::noted(if refused.is_empty() {
        String::new()
    } else {
        format!("refused: {}", refused.join("; "))
    }))
}
