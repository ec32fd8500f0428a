//! One batch of training.

use super::{Pass, Training, hook, validation};
use crate::hook::Hook;

/// The accumulation window under way: batches whose gradients wait for their step.
#[derive(Debug, Default)]
pub struct Window {
    is_open: bool,
}

impl Window {
    /// Whether gradients wait for their step.
    pub fn is_open(&self) -> bool {
        self.is_open
    }
}

/// Whether a batch is the last one of its window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The optimizer steps after it.
    Now,
    /// A later batch's gradients come first.
    Later,
}

/// A batch of an epoch, between its hooks; `index` is its position.
pub(super) fn train_batch<R: Training>(
    run: &mut R,
    window: &mut Window,
    index: usize,
    batch: R::Batch,
) -> Result<(), R::Error> {
    let (size, count) = (run.accumulate_grad_batches(), run.progress().num_training_batches);
    // Where batches in between were left out, the window before this one still waits for its step.
    if window.is_open && index >= run.progress().batch_index.next_multiple_of(size) {
        optimizer_step(run, window)?;
    }
    run.progress_mut().batch_index = index;
    let mut batch = run.load(batch)?;
    hook(run, Hook::TrainBatchStart)?;
    let is_last = index + 1 == count;
    let step = if (index + 1).is_multiple_of(size) || is_last { Step::Now } else { Step::Later };
    if let Err(error) = training_step(run, window, &mut batch, step) {
        return Err(run.batch_failed(error, &batch));
    }
    if is_last {
        run.epoch_schedulers()?;
    }
    hook(run, Hook::TrainBatchEnd)?;
    run.batch_ended(batch, step)?;
    run.progress_mut().batch_index += 1;
    run.after_batch();
    let is_requested = run.take_validation_request();
    // One after the last batch is the epoch's own.
    let pass = match !is_last && run.validates_batch() {
        true => Some(Pass::Scheduled),
        false => is_requested.then_some(Pass::Requested),
    };
    if let Some(pass) = pass {
        validation(run, pass)?;
        run.validated_inside_epoch()?;
    }
    if step == Step::Now && !is_last {
        run.checkpoint_after_step()?;
    }
    Ok(())
}

/// Forward, backward and, at the end of a window, the optimizer's step.
///
/// # Errors
/// The first failure.
pub fn training_step<R: Training>(
    run: &mut R,
    window: &mut Window,
    batch: &mut R::Loaded,
    step: Step,
) -> Result<(), R::Error> {
    run.forward(batch)?;
    if !window.is_open {
        hook(run, Hook::BeforeZeroGrad)?;
        run.zero_grad()?;
        window.is_open = true;
    }
    hook(run, Hook::BeforeBackward)?;
    run.backward(batch)?;
    hook(run, Hook::AfterBackward)?;
    match step {
        Step::Now => optimizer_step(run, window),
        Step::Later => Ok(()),
    }
}

/// The step of a window, and what follows it.
pub(super) fn optimizer_step<R: Training>(run: &mut R, window: &mut Window) -> Result<(), R::Error> {
    run.unscale()?;
    hook(run, Hook::BeforeOptimizerStep)?;
    run.optimizer_step()?;
    window.is_open = false;
    run.progress_mut().global_step += 1;
    hook(run, Hook::AfterOptimizerStep)?;
    run.step_schedulers()
}
