//! A test: a pass over all samples of an input, with their labels.

use std::path::Path;

use thaw_plugin_api::hook::Hook;

use super::Inference;
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
    pub fn test(&mut self, input: &Path, class_names: &[String]) -> Result<(Evaluation, TestData), Error> {
        let config = self.config.data.as_ref().ok_or_else(|| ConfigError::Incomplete {
            path: self.config.path.clone(),
            message: "there is no table [data]: `host test` needs its kind to read the input".to_owned(),
        })?;
        let data = TestData::open(config, input, class_names, &input_defaults(&self.model))?;
        self.progress.num_validation_batches = data.batches();
        let evaluation = self.with_teardown(|inference| {
            inference.hooks(Hook::ValidationStart)?;
            inference.hooks(Hook::ValidationEpochStart)?;
            let evaluation = inference.evaluate(data.loader()?)?;
            inference.hooks(Hook::ValidationEpochEnd)?;
            inference.hooks(Hook::ValidationEnd)?;
            Ok::<_, Error>(evaluation)
        })?;
        Ok((evaluation, data))
    }
}
