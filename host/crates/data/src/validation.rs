//! Validation sets beside the main one.

use std::sync::Arc;

use super::config::{DataConfig, ValidationSet};
use super::fingerprint::Fingerprint;
use super::{DataError, InputDefaults, Share, TestData};

/// A validation set beside the main one: all samples of its path, by the classes of the training data.
pub struct FurtherSet {
    name: String,
    data: TestData,
}

impl FurtherSet {
    pub(crate) fn open_all(
        config: &DataConfig,
        classes: &[String],
        defaults: &InputDefaults,
    ) -> Result<Vec<Arc<FurtherSet>>, DataError> {
        let sets = config.held_out.sets().iter();
        sets.map(|set| FurtherSet::open(set, config, classes, defaults).map(Arc::new)).collect()
    }

    fn open(
        set: &ValidationSet,
        config: &DataConfig,
        classes: &[String],
        defaults: &InputDefaults,
    ) -> Result<FurtherSet, DataError> {
        let key = format!("validation.{}", set.name);
        if !set.path.exists() {
            let found = format!("{}, which is not there", thaw_terminal::escape::path(&set.path));
            return Err(DataError::value(&key, found, "a path of the kind of [data]"));
        }
        let config = set.config(config).map_err(|error| DataError::value(&key, error, "keys of its kind"))?;
        let data = TestData::open(&config, &set.path, classes, defaults)?;
        Ok(FurtherSet { name: set.name.clone(), data })
    }

    /// Its name in `[data.validation]`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its samples, in their order.
    pub fn data(&self) -> &TestData {
        &self.data
    }

    pub(crate) fn share(&mut self, share: Share) {
        self.data.share(share);
    }

    /// The name of a metric of it, by that of the main set's: `val_loss` is `val_night_loss`.
    pub fn metric(&self, main: &str) -> String {
        format!("val_{}_{}", self.name, main.strip_prefix("val_").unwrap_or(main))
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.data.fingerprint()
    }
}
