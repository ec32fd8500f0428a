//! The order of hooks, once.
//!
//! `host fit`, `host plan`, `host find-lr`, `host validate`, `host test`, `host predict` and
//! [`testing::FakeRun`](crate::testing::FakeRun) run on the functions of this module. Each says through
//! [`Instances`], [`Validating`], [`Predicting`] and [`Training`] what a batch, a step or a checkpoint is for
//! it; in which order they come, and when which hook is called, stands here alone:
//!
//! ```text
//! setup           per strategy and callback: setup, freeze_before_training
//!                 → the optimizer is built; resumed: → on_load_checkpoint → load_state
//! start           on_fit_start → sanity check → on_train_start
//! epoch           per strategy and callback: finetune, on_train_epoch_start
//!                 → the batches, and validations between them → validation → on_train_epoch_end
//!                 → checkpoint
//! training_step   forward → on_before_zero_grad → on_before_backward → on_after_backward
//!                 → on_before_optimizer_step → on_after_optimizer_step → schedulers
//! validation      on_validation_start → on_validation_epoch_start → the batches
//!                 → on_validation_epoch_end → on_validation_end
//! end             on_train_end → on_fit_end
//! open            of a checkpoint to be used: setup → on_load_checkpoint → load_state
//! prediction      on_predict_start → on_predict_epoch_start → the batches
//!                 → on_predict_epoch_end → on_predict_end
//! teardown, fail  teardown; after a failure on_exception before it
//! ```
//!
//! Strategies and callbacks are called one after the other in the run config's order, strategies not first:
//! one that is named earlier has frozen, or has set its rates, before the next one looks. A planned run
//! ([`is_planned`]) has the same order without the hooks of what it does not do.

mod batch;
mod epoch;
mod instances;
mod prediction;
mod training;
mod validation;

pub use batch::{Step, Window, training_step};
pub use epoch::{epoch, start_epoch};
pub use instances::{Call, Instances, close, fail, hook, is_planned, teardown};
pub use prediction::{Predicting, open, prediction};
pub use training::{Next, Training};
pub use validation::{Batches, Pass, Validating, ValidationData, validation};

use crate::abi::Kind;
use crate::hook::Hook;

/// Trains a run that is set up to its end. Whatever happens, its last hooks run.
///
/// # Errors
/// What ended the run.
pub fn fit<R: Training>(run: &mut R) -> Result<(), R::Error> {
    let result = start(run).and_then(|()| epochs(run)).and_then(|()| end(run));
    run.ended();
    match result {
        Ok(()) => teardown(run),
        Err(error) => {
            fail(run, &error);
            Err(error)
        }
    }
}

/// From `setup` to the state to train from; with `saved`, to what was saved: nothing is frozen anew then.
///
/// # Errors
/// The first failure. [`fail`] is the caller's.
pub fn setup<R: Training>(run: &mut R, saved: Option<&R::Saved>) -> Result<(), R::Error> {
    for index in 0..run.count() {
        run.call(index, Call::Hook(Hook::Setup))?;
        if saved.is_none() && run.kind(index) == Kind::Strategy {
            run.call(index, Call::FreezeBeforeTraining)?;
        }
    }
    run.build_optimizer()?;
    if let Some(saved) = saved {
        run.restore(saved)?;
        hook(run, Hook::LoadCheckpoint)?;
        run.load_states(saved)?;
    }
    Ok(())
}

/// What comes before the first epoch.
///
/// # Errors
/// The first failure.
pub fn start<R: Training>(run: &mut R) -> Result<(), R::Error> {
    hook(run, Hook::FitStart)?;
    if run.progress().is_fresh() {
        sanity_check(run)?;
    }
    hook(run, Hook::TrainStart)
}

/// The first batches of validation, to find errors before an epoch is spent.
fn sanity_check<R: Training>(run: &mut R) -> Result<(), R::Error> {
    let batches = run.sanity_batches();
    if batches > 0 {
        hook(run, Hook::SanityCheckStart)?;
        validation(run, Pass::SanityCheck(batches))?;
        hook(run, Hook::SanityCheckEnd)?;
    }
    run.sanity_checked()
}

/// Epoch after epoch, to the last one or to where the run is to stop.
///
/// # Errors
/// The first failure.
pub fn epochs<R: Training>(run: &mut R) -> Result<(), R::Error> {
    while run.progress().epoch < run.progress().max_epochs && !run.is_over() {
        epoch(run)?;
    }
    Ok(())
}

/// What comes after the last epoch.
///
/// # Errors
/// The first failure.
pub fn end<R: Training>(run: &mut R) -> Result<(), R::Error> {
    run.trained()?;
    hook(run, Hook::TrainEnd)?;
    hook(run, Hook::FitEnd)?;
    run.fitted()
}
