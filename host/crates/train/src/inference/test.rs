//! A test: a pass over all samples of an input, with their labels.

use std::sync::Arc;

use super::{Inference, UsedOn};
use crate::Error;
use crate::config::ConfigError;
use crate::fit::{Evaluation, input_defaults};
use thaw_data::TestData;

impl Inference {
    /// Evaluates every sample of `input` with the checkpoint's classes, of which it need not have all; gives
    /// the data, too. Metrics are called `test_loss`, `test_acc`, …; hooks are those of a validation.
    ///
    /// # Errors
    /// There is no `[data]`, the input cannot be read, has a class that the checkpoint does not know, or the
    /// model or a hook fails.
    pub fn test(
        &mut self,
        input: UsedOn<'_>,
        class_names: &[String],
    ) -> Result<(Evaluation, TestData), Error> {
        let (config, defaults) = (self.data_config()?, input_defaults(&self.model));
        let data = match input {
            UsedOn::Path(path) => TestData::open(config, path, class_names, &defaults)?,
            UsedOn::Split(split, given) => {
                TestData::of_samples(&given.samples, split, &given.config, class_names, &defaults)?
            }
        };
        let batches = self.tested_batches(&data)?;
        self.progress.num_validation_batches = batches;
        self.data = Some(Arc::clone(data.samples()));
        let evaluation = self.with_teardown(|inference| inference.evaluate(data.first(batches)?))?;
        Ok((evaluation, data))
    }

    /// How many batches `limit_test_batches` takes; a test that leaves some out is said to.
    fn tested_batches(&self, data: &TestData) -> Result<usize, Error> {
        let all = data.batches();
        let Some(limit) = self.config.trainer.limit_test_batches else { return Ok(all) };
        let wrong = |error| ConfigError::Key { path: self.config.path.clone(), error };
        let batches = limit.of(all, "trainer.limit_test_batches").map_err(wrong)?;
        if batches < all {
            tracing::warn!("trainer.limit_test_batches: {batches} of {all} batches are tested");
        }
        Ok(batches)
    }
}
