//! A validation of the whole validation data, as the run makes one after an epoch.

use std::sync::Arc;

use super::Inference;
use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::fit::{Evaluation, FitError, batch_limits, open_data, tell_validated};
use thaw_data::{DataModule, Split, first_names};

impl Inference {
    /// Opens the run's data and repeats its validation; gives the data, too, for the names of its classes.
    /// Says where the data is not what the run had.
    ///
    /// # Errors
    /// No validation data, classes other than those of the checkpoint, or what a model, a hook or the data
    /// fail with.
    pub fn validate(&mut self, checkpoint: &Checkpoint) -> Result<(Evaluation, DataModule), Error> {
        let class_names = &checkpoint.state.given.class_names;
        let data = open_data(&self.config, &self.model, &self.plugins, &self.earlier, class_names)?;
        if !class_names.is_empty() && data.class_names() != class_names.as_slice() {
            return Err(FitError::Config(format!(
                "[data] has the classes {}, the checkpoint was trained on {}: their order decides what an \
                 output means. `host test --checkpoint … --input FOLDER|TABLE|FILE` evaluates all samples of \
                 other data by the names of their classes, which need not all be there",
                first_names(data.class_names(), 12),
                first_names(class_names, 12)
            ))
            .into());
        }
        let batches = data.batches(Split::Val);
        if batches == 0 {
            return Err(FitError::Config(
                "there is no validation data; name some in [data] (val_path, val_split), or evaluate all \
                 samples of other data with `host test --checkpoint … --input FOLDER|TABLE|FILE`"
                    .to_owned(),
            )
            .into());
        }
        tell_validated(checkpoint, &self.config, &data);
        let limit = batch_limits(&self.config, &data)?.val;
        self.progress.num_validation_batches = limit.map_or(batches, |limit| batches.min(limit));
        self.sets = data.further_sets().to_vec();
        self.data = data.dataset(Split::Val).map(Arc::clone);
        let evaluation = self.with_teardown(|inference| {
            let loader = data.loader(Split::Val, inference.progress.epoch as u64, 0)?;
            inference.evaluate(loader.into_iter().flatten())
        })?;
        Ok((evaluation, data))
    }
}
