//! Strategies and callbacks, and how a hook reaches all of them.

use std::fmt::Display;

use crate::abi::Kind;
use crate::context::{Progress, Stage};
use crate::hook::Hook;

/// The strategies and callbacks of a run, in the run config's order.
pub trait Instances {
    /// What a hook fails with.
    type Error: Display;

    /// Where the run stands.
    fn progress(&self) -> &Progress;

    /// Where the run stands, for the driver to move it.
    fn progress_mut(&mut self) -> &mut Progress;

    /// How many strategies and callbacks there are.
    fn count(&self) -> usize;

    /// Strategy or callback.
    fn kind(&self, index: usize) -> Kind;

    /// Calls one of them.
    ///
    /// # Errors
    /// What its author returns.
    fn call(&mut self, index: usize, call: Call) -> Result<(), Self::Error>;

    /// All have had a hook. What they changed of freeze state and groups takes effect.
    ///
    /// # Errors
    /// A change that is refused.
    fn called(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The run has failed: hooks may ask why from here on.
    fn failed(&mut self, reason: &dyn Display);

    /// A failure after which the run ends all the same. To be told, where it does not hide the first one.
    fn tell(&mut self, error: Self::Error);

    /// Nothing but `teardown` is left.
    fn before_teardown(&mut self) {}
}

/// What is called of a strategy or callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A hook.
    Hook(Hook),
    /// A strategy's `freeze_before_training`.
    FreezeBeforeTraining,
    /// A strategy's `finetune`.
    Finetune,
}

impl Call {
    /// Name of the method, as authors write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hook(hook) => hook.name(),
            Self::FreezeBeforeTraining => "freeze_before_training",
            Self::Finetune => "finetune",
        }
    }
}

/// Whether a hook is called where nothing is computed ([`Stage::Plan`]): there are no gradients, no
/// validation and no checkpoints, and such a run has no end of its own.
pub fn is_planned(hook: Hook) -> bool {
    matches!(
        hook,
        Hook::Setup
            | Hook::FitStart
            | Hook::TrainStart
            | Hook::TrainEpochStart
            | Hook::TrainBatchStart
            | Hook::TrainBatchEnd
            | Hook::TrainEpochEnd
    )
}

/// Calls a hook of every strategy and callback, up to the first that fails.
///
/// # Errors
/// The first failure.
pub fn hook<R: Instances>(run: &mut R, hook: Hook) -> Result<(), R::Error> {
    if run.progress().stage == Stage::Plan && !is_planned(hook) {
        return Ok(());
    }
    for index in 0..run.count() {
        run.call(index, Call::Hook(hook))?;
    }
    run.called()
}

/// The last hook of a run that did not fail, of all, whichever fails.
///
/// # Errors
/// The first failure.
pub fn teardown<R: Instances>(run: &mut R) -> Result<(), R::Error> {
    run.before_teardown();
    let mut result = Ok(());
    for index in 0..run.count() {
        result = result.and(run.call(index, Call::Hook(Hook::Teardown)));
    }
    result
}

/// The last hooks of a run that failed, of all. Their own failures are told and change nothing.
pub fn fail<R: Instances>(run: &mut R, reason: &dyn Display) {
    run.failed(reason);
    to_all(run, Hook::Exception);
    close(run);
}

/// Ends a run that is not to train: `teardown` of all. Their failures are told.
pub fn close<R: Instances>(run: &mut R) {
    run.before_teardown();
    to_all(run, Hook::Teardown);
}

fn to_all<R: Instances>(run: &mut R, hook: Hook) {
    for index in 0..run.count() {
        if let Err(error) = run.call(index, Call::Hook(hook)) {
            run.tell(error);
        }
    }
}
