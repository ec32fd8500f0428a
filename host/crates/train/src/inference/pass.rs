//! A validation of a checkpoint, in the order of a run's own.

use std::mem::take;

use thaw_plugin_api::drive::{self, Batches, Validating, ValidationData};
use thaw_plugin_api::model::Batch as OnDevice;

use super::Inference;
use crate::Error;
use crate::fit::{Evaluation, Evaluator, Keep, set_batches, to_device};
use thaw_data::{Batch, DataError};
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

impl Validating for Inference {
    type Batch = Batch;
    type Loaded = (OnDevice, usize);
    type Evaluation = Evaluator;

    fn load(&mut self, batch: Batch) -> Result<(OnDevice, usize), Error> {
        self.model.check_labels(batch.targets.as_ref())?;
        self.order.extend(&batch.indices);
        to_device(batch, self.model.device())
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
            self.further.join(evaluator.of_set(further)?);
        }
        Ok(())
    }

    fn validation_step(
        &mut self,
        evaluator: &mut Evaluator,
        (batch, samples): &(OnDevice, usize),
    ) -> Result<(), Error> {
        let _guard = tch::no_grad_guard();
        evaluator.batch(&mut self.model, batch, *samples, self.config.trainer.precision)
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
