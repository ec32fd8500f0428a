//! The epoch to begin with.

use thaw_plugin_api::config::{ConfigError, Ranged};
use thaw_plugin_api::prelude::*;

/// An epoch: below 1 a share of the run's, else its number, from 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Start(pub f64);

impl Start {
    /// The epoch from 0, in a run of so many.
    pub fn first_epoch(self, max_epochs: usize) -> usize {
        let number = if self.0 < 1.0 { (self.0 * max_epochs as f64) as usize } else { self.0 as usize };
        number.saturating_sub(1)
    }

    pub(super) fn check(self) -> Result<()> {
        ensure!(
            self.0 < 1.0 || self.0.fract() == 0.0,
            "`swa_epoch_start` is {}, expected a share below 1 or a whole number",
            self.0
        );
        Ok(())
    }
}

impl Config for Start {
    fn schema() -> Value {
        f64::schema()
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        f64::from_value(value, key).map(Self)
    }

    fn to_value(&self) -> Value {
        self.0.to_value()
    }
}

impl Ranged<f64> for Start {
    fn numbers(&self) -> Vec<f64> {
        vec![self.0]
    }
}
