//! A validation of a checkpoint, in the order of a run's own.

use std::mem::take;
use std::sync::Arc;

use thaw_plugin_api::drive::{self, Batches, Validating, ValidationData};
use thaw_plugin_api::model::Batch as OnDevice;

use super::Inference;
use crate::Error;
use crate::fit::{BatchOutcome, Evaluation, Evaluator, Keep, set_batches, to_device};
use crate::world::World;
use thaw_data::{Batch, DataError};
use thaw_terminal::escape::shorten;
use thaw_torch::reading::Reads;

/// What a validation goes over, and what it gave.
#[derive(Default)]
pub(super) enum Pass {
    /// There is none.
    #[default]
    None,
    /// Over these batches.
    Over(Batches<Batch, Error>),
    /// It is done.
    Gave(Box<Evaluation>),
}

impl Inference {
    /// Loss and metrics of these batches, as many as the progress says, at most.
    pub(super) fn evaluate(
        &mut self,
        batches: impl Iterator<Item = Result<Batch, DataError>> + 'static,
    ) -> Result<Evaluation, Error> {
        self.pass = Pass::Over(by_position(batches));
        drive::validation(self, drive::Pass::Epoch)?;
        match take(&mut self.pass) {
            Pass::Gave(evaluation) => Ok(*evaluation),
            // Without a batch there is no validation.
            _ => self.evaluator().finish(),
        }
    }

    fn evaluator(&self) -> Evaluator {
        self.evaluator_of(self.keep)
    }

    fn evaluator_of(&self, keep: Keep) -> Evaluator {
        Evaluator::new(Reads::on(self.model.device()), &self.config.trainer.metrics, keep)
    }
}

fn by_position(batches: impl Iterator<Item = Result<Batch, DataError>> + 'static) -> Batches<Batch, Error> {
    Box::new(batches.map(|batch| {
        let batch = batch?;
        Ok((batch.position, batch))
    }))
}

/// A batch on the model's device.
pub struct Loaded {
    batch: OnDevice,
    samples: usize,
    indices: Vec<usize>,
}

impl Validating for Inference {
    type Batch = Batch;
    type Loaded = Loaded;
    type Evaluation = Evaluator;

    fn load(&mut self, batch: Batch) -> Result<Loaded, Error> {
        let set = self.progress.validation_set.checked_sub(1).and_then(|set| self.sets.get(set));
        let data = set.map(|set| set.data().samples()).or(self.data.as_ref());
        let name = |row: usize| {
            let index = batch.indices.get(row).copied().unwrap_or_default();
            data.map_or_else(|| index.to_string(), |data| shorten(&data.id(index)).into())
        };
        self.model.check_labels(batch.targets.as_ref(), name)?;
        self.order.extend(&batch.indices);
        let indices = batch.indices.clone();
        let (batch, samples) = to_device(batch, self.model.device())?;
        Ok(Loaded { batch, samples, indices })
    }

    fn validation_data(&mut self, _: usize) -> Result<ValidationData<Self>, Error> {
        let batches = match take(&mut self.pass) {
            Pass::Over(batches) => batches,
            _ => Box::new(std::iter::empty()),
        };
        Ok((batches, self.evaluator()))
    }

    fn further_data(&mut self, set: usize, _: drive::Pass) -> Result<Option<ValidationData<Self>>, Error> {
        let Some(further) = self.sets.get(set) else { return Ok(None) };
        let data = further.data();
        let taken = set_batches(&self.config, data.batches())?;
        let batches = by_position(data.first(taken)?.take(taken));
        Ok(Some((batches, self.evaluator_of(Keep::Nothing))))
    }

    fn further_validated(&mut self, set: usize, evaluator: Evaluator) -> Result<(), Error> {
        if let Some(further) = self.sets.get(set) {
            self.further.join(evaluator.of_set(further, &World::single())?);
        }
        Ok(())
    }

    fn validation_step(
        &mut self,
        evaluator: &mut Evaluator,
        Loaded { batch, samples, indices }: &Loaded,
    ) -> Result<(), Error> {
        let _guard = tch::no_grad_guard();
        let outputs = evaluator.batch(&mut self.model, batch, *samples, self.config.trainer.precision)?;
        let further = self.progress.validation_set.checked_sub(1);
        let further = further.and_then(|set| self.sets.get(set)).map(|set| set.data().samples());
        let data = further.or(self.data.as_ref()).map(Arc::clone);
        self.outcome = Some(BatchOutcome::new(outputs, batch.target.as_ref(), indices, data));
        Ok(())
    }

    fn validation_batch_ended(&mut self, _: Loaded) -> Result<(), Error> {
        self.outcome = None;
        Ok(())
    }

    fn validated(&mut self, evaluator: Evaluator, _: drive::Pass) -> Result<(), Error> {
        let mut evaluation = evaluator.finish()?;
        let order = take(&mut self.order);
        for sample in evaluation.samples.iter_mut().flat_map(|samples| &mut samples.positions) {
            *sample = order.get(*sample).copied().unwrap_or(*sample);
        }
        evaluation.metrics.join(take(&mut self.further));
        self.metrics.extend(evaluation.metrics.means().map(|(name, mean)| (name.to_owned(), mean)));
        self.pass = Pass::Gave(Box::new(evaluation));
        Ok(())
    }
}
