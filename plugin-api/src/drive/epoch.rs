//! One epoch of training.

use super::batch::{Window, optimizer_step, train_batch};
use super::{Call, Next, Pass, Training, hook, validation};
use crate::abi::Kind;
use crate::hook::Hook;

/// Trains an epoch from where it stands: to its end, or to where the run stops or leaves it.
///
/// # Errors
/// The first failure.
pub fn epoch<R: Training>(run: &mut R) -> Result<(), R::Error> {
    run.begin_epoch()?;
    if run.progress().batch_index == 0 {
        start_epoch(run)?;
    } else {
        run.epoch_resumed()?;
        // A validation that was interrupted comes first, and may be the last.
        match run.next() {
            Next::GoOn => {}
            Next::Stop => return stop_inside_epoch(run),
            Next::Leave => return run.leave(),
        }
    }
    match train_batches(run)? {
        Next::GoOn => end_epoch(run),
        Next::Stop => stop_inside_epoch(run),
        Next::Leave => run.leave(),
    }
}

/// Each strategy fine-tunes and has its hook, before the next one does.
///
/// # Errors
/// The first failure.
pub fn start_epoch<R: Training>(run: &mut R) -> Result<(), R::Error> {
    for index in 0..run.count() {
        if run.is_replaced(index)? {
            continue;
        }
        if run.kind(index) == Kind::Strategy {
            run.call(index, Call::Finetune)?;
        }
        run.call(index, Call::Hook(Hook::TrainEpochStart))?;
    }
    run.epoch_started()
}

/// Batches up to the end of the epoch, or to where the run stops.
fn train_batches<R: Training>(run: &mut R) -> Result<Next, R::Error> {
    let mut window = Window::default();
    let mut batches = run.training_data()?;
    let count = run.progress().num_training_batches;
    while run.progress().batch_index < count {
        match batches.next().transpose()?.filter(|(index, _)| *index < count) {
            Some((index, batch)) => train_batch(run, &mut window, index, batch)?,
            None => return end_without_last_batch(run, &mut window),
        }
        // Gradients of an unfinished window are in no checkpoint: it is finished first. After the last batch
        // the epoch ends as it would anyway.
        if window.is_open() || run.progress().batch_index >= count {
            continue;
        }
        match run.next() {
            Next::GoOn => {}
            next => return Ok(next),
        }
    }
    Ok(Next::GoOn)
}

/// None of the last batch's samples could be read: what was accumulated is stepped on all the same.
fn end_without_last_batch<R: Training>(run: &mut R, window: &mut Window) -> Result<Next, R::Error> {
    if window.is_open() {
        optimizer_step(run, window)?;
    }
    run.epoch_schedulers()?;
    run.progress_mut().batch_index = run.progress().num_training_batches;
    Ok(Next::GoOn)
}

/// The whole epoch is done. Its checkpoint is one of the next epoch's start.
fn end_epoch<R: Training>(run: &mut R) -> Result<(), R::Error> {
    close_epoch(run)?;
    let progress = run.progress_mut();
    progress.epoch += 1;
    progress.batch_index = 0;
    run.checkpoint_after_epoch()
}

/// The run stops here. What is saved goes on with the next batch, and does not have what follows.
fn stop_inside_epoch<R: Training>(run: &mut R) -> Result<(), R::Error> {
    run.checkpoint_before_stop()?;
    close_epoch(run)?;
    run.stopped_inside_epoch()
}

/// Validation and hooks of an epoch's end.
fn close_epoch<R: Training>(run: &mut R) -> Result<(), R::Error> {
    run.batches_ended()?;
    if run.validates_epoch() {
        validation(run, Pass::Epoch)?;
    }
    run.before_epoch_end()?;
    hook(run, Hook::TrainEpochEnd)?;
    run.epoch_ended()
}
