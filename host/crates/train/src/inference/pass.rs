//! A validation of a checkpoint, in the order of a run's own.

use std::mem::take;

use thaw_plugin_api::drive::{self, Batches, Validating, ValidationData};
use thaw_plugin_api::model::Batch as OnDevice;

use super::Inference;
use crate::Error;
use crate::fit::{Evaluation, Evaluator, to_device};
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
        let by_position = batches.map(|batch| {
            let batch = batch?;
            Ok((batch.position, batch))
        });
        self.pass = Pass::Over(Box::new(by_position));
        drive::validation(self, drive::Pass::Epoch)?;
        match take(&mut self.pass) {
            Pass::Gave(evaluation) => Ok(*evaluation),
            // Without a batch there is no validation.
            _ => self.evaluator().finish(),
        }
    }

    fn evaluator(&self) -> Evaluator {
        Evaluator::new(Reads::on(self.model.device()), &self.config.trainer.metrics, self.keep)
    }
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
        self.metrics.extend(evaluation.metrics.means().map(|(name, mean)| (name.to_owned(), mean)));
        self.pass = Pass::Gave(Box::new(evaluation));
        Ok(())
    }
}
