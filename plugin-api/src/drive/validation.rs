//! A pass over validation data.

use super::{Instances, hook};
use crate::context::Stage;
use crate::hook::Hook;

/// Batches with their position in the epoch; one that cannot be read keeps its place.
pub type Batches<B, E> = Box<dyn Iterator<Item = Result<(usize, B), E>>>;

/// What a validation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// To see that validation works: so many batches, whose metrics do not count.
    SanityCheck(usize),
    /// After an epoch, whose metrics it gives.
    Epoch,
    /// A hook asked for it, inside an epoch.
    Requested,
    /// The run is to validate so often, inside an epoch.
    Scheduled,
}

/// What a validation needs of a run. Where nothing is computed, defaults do.
pub trait Validating: Instances {
    /// A batch as the data gives it.
    type Batch;
    /// A batch where it is computed: on the run's device.
    type Loaded;
    /// What a pass gathers.
    type Evaluation;

    /// Brings a batch to where it is computed.
    ///
    /// # Errors
    /// The device's memory is too small.
    fn load(&mut self, batch: Self::Batch) -> Result<Self::Loaded, Self::Error>;

    /// A pass of so many batches begins; no hook of it has run.
    ///
    /// # Errors
    /// Who is told of it ends the run.
    fn begin_validation(&mut self, pass: Pass, batches: usize) -> Result<(), Self::Error> {
        let _ = (pass, batches);
        Ok(())
    }

    /// Puts every module into evaluation mode.
    fn enter_evaluation(&mut self) {}

    /// Opens the data of a pass of so many batches; the first hooks of it have run.
    ///
    /// # Errors
    /// It cannot be read.
    fn validation_data(&mut self, batches: usize) -> Result<ValidationData<Self>, Self::Error>;

    /// Opens a validation set beside the main one, from 0; none where there are no more.
    ///
    /// # Errors
    /// It cannot be read.
    fn further_data(&mut self, set: usize, pass: Pass) -> Result<Option<ValidationData<Self>>, Self::Error> {
        let _ = (set, pass);
        Ok(None)
    }

    /// Every batch of such a set was seen.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn further_validated(&mut self, set: usize, evaluation: Self::Evaluation) -> Result<(), Self::Error> {
        let _ = (set, evaluation);
        Ok(())
    }

    /// Whether the pass is to go on, asked before each batch.
    ///
    /// # Errors
    /// The user ends the run.
    fn check_interrupted(&self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Loss and metrics of a batch.
    ///
    /// # Errors
    /// What the model fails with.
    fn validation_step(
        &mut self,
        evaluation: &mut Self::Evaluation,
        batch: &Self::Loaded,
    ) -> Result<(), Self::Error> {
        let _ = (evaluation, batch);
        Ok(())
    }

    /// Hooks have had the batch.
    ///
    /// # Errors
    /// As [`Validating::begin_validation`].
    fn validation_batch_ended(&mut self, batch: Self::Loaded) -> Result<(), Self::Error> {
        let _ = batch;
        Ok(())
    }

    /// Every batch was seen: hooks can ask for the metrics from here on.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn validated(&mut self, evaluation: Self::Evaluation, pass: Pass) -> Result<(), Self::Error>;

    /// Looks at what a pass gave, after hooks had it.
    ///
    /// # Errors
    /// The run cannot go on with it.
    fn check_validation(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Puts modules back into the modes of training, also after a failure.
    fn leave_evaluation(&mut self) {}

    /// A pass ends early; gives the error that the run ends with.
    fn validation_failed(&mut self, error: Self::Error, pass: Pass) -> Self::Error {
        let _ = pass;
        error
    }
}

/// Batches of a pass, and what gathers what they give.
pub type ValidationData<R> =
    (Batches<<R as Validating>::Batch, <R as Instances>::Error>, <R as Validating>::Evaluation);

/// A validation, where there is data for one.
///
/// # Errors
/// The first failure.
pub fn validation<R: Validating>(run: &mut R, pass: Pass) -> Result<(), R::Error> {
    if run.progress().num_validation_batches == 0 || run.progress().stage == Stage::Plan {
        return Ok(());
    }
    let batch_index = run.progress().batch_index;
    let batches = match pass {
        Pass::SanityCheck(batches) => batches,
        Pass::Epoch | Pass::Requested | Pass::Scheduled => run.progress().num_validation_batches,
    };
    run.begin_validation(pass, batches)?;
    hook(run, Hook::ValidationStart)?;
    run.enter_evaluation();
    let result = validation_epoch(run, pass, batches);
    run.leave_evaluation();
    (run.progress_mut().batch_index, run.progress_mut().validation_set) = (batch_index, 0);
    if let Err(error) = result {
        return Err(run.validation_failed(error, pass));
    }
    hook(run, Hook::ValidationEnd)
}

fn validation_epoch<R: Validating>(run: &mut R, pass: Pass, count: usize) -> Result<(), R::Error> {
    hook(run, Hook::ValidationEpochStart)?;
    let (batches, mut evaluation) = run.validation_data(count)?;
    go_through(run, batches.take(count), &mut evaluation)?;
    let mut set = 0;
    while let Some((batches, mut further)) = run.further_data(set, pass)? {
        run.progress_mut().validation_set = set + 1;
        go_through(run, batches, &mut further)?;
        run.further_validated(set, further)?;
        set += 1;
    }
    run.progress_mut().validation_set = 0;
    run.validated(evaluation, pass)?;
    hook(run, Hook::ValidationEpochEnd)?;
    run.check_validation()
}

/// The batches of a validation set, between their hooks.
fn go_through<R: Validating>(
    run: &mut R,
    batches: impl Iterator<Item = Result<(usize, R::Batch), R::Error>>,
    evaluation: &mut R::Evaluation,
) -> Result<(), R::Error> {
    for (index, batch) in batches.enumerate() {
        run.check_interrupted()?;
        let (_, batch) = batch?;
        let batch = run.load(batch)?;
        run.progress_mut().batch_index = index;
        hook(run, Hook::ValidationBatchStart)?;
        run.validation_step(evaluation, &batch)?;
        hook(run, Hook::ValidationBatchEnd)?;
        run.validation_batch_ended(batch)?;
    }
    Ok(())
}
