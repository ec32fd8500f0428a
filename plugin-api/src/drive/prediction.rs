//! A pass over samples without targets.

use super::{Batches, Instances, hook};
use crate::hook::Hook;

/// What a prediction needs of a run.
pub trait Predicting: Instances {
    /// A batch as the data gives it.
    type Batch;
    /// A batch where it is computed: on the run's device.
    type Loaded;

    /// Opens the data; the first hooks of the pass have run.
    ///
    /// # Errors
    /// It cannot be read.
    fn prediction_data(&mut self) -> Result<Batches<Self::Batch, Self::Error>, Self::Error>;

    /// Brings a batch to where it is computed.
    ///
    /// # Errors
    /// The device's memory is too small.
    fn load(&mut self, batch: Self::Batch) -> Result<Self::Loaded, Self::Error>;

    /// Gives a batch through the model, and hands over what it gave.
    ///
    /// # Errors
    /// What the model, or whoever takes it, fails with.
    fn prediction_step(&mut self, batch: Self::Loaded) -> Result<(), Self::Error>;
}

/// What comes before a model out of a checkpoint is used: `load_states` puts the state of strategies and
/// callbacks back.
///
/// # Errors
/// The first failure. [`fail`](super::fail) is the caller's.
pub fn open<R: Instances>(
    run: &mut R,
    load_states: impl FnOnce(&mut R) -> Result<(), R::Error>,
) -> Result<(), R::Error> {
    hook(run, Hook::Setup)?;
    hook(run, Hook::LoadCheckpoint)?;
    load_states(run)
}

/// A prediction of all batches.
///
/// # Errors
/// The first failure. [`fail`](super::fail) is the caller's.
pub fn prediction<R: Predicting>(run: &mut R) -> Result<(), R::Error> {
    hook(run, Hook::PredictStart)?;
    hook(run, Hook::PredictEpochStart)?;
    for (index, batch) in run.prediction_data()?.enumerate() {
        let (_, batch) = batch?;
        let batch = run.load(batch)?;
        run.progress_mut().batch_index = index;
        hook(run, Hook::PredictBatchStart)?;
        run.prediction_step(batch)?;
        hook(run, Hook::PredictBatchEnd)?;
    }
    hook(run, Hook::PredictEpochEnd)?;
    hook(run, Hook::PredictEnd)
}
