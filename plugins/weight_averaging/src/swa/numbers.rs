//! Keys that Lightning takes in two forms.

use thaw_plugin_api::config::{ConfigError, Ranged};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

/// A rate for all groups, or one for each.
#[derive(Clone, Debug, PartialEq)]
pub enum Rates {
    /// The same for all groups.
    All(f64),
    /// By position of the group.
    Each(Vec<f64>),
}

impl Rates {
    /// All of them.
    pub fn values(&self) -> &[f64] {
        match self {
            Self::All(rate) => std::slice::from_ref(rate),
            Self::Each(rates) => rates,
        }
    }

    /// That of the group at this position; groups past the end take the last.
    pub fn at(&self, index: usize) -> f64 {
        let values = self.values();
        values.get(index).or(values.last()).copied().unwrap_or_default()
    }

    /// Compares the list with the groups that there are.
    ///
    /// # Errors
    /// A list of another length.
    pub fn check_count(&self, groups: usize) -> Result<()> {
        match self {
            Self::Each(rates) if rates.len() != groups => Err(Error::of(
                ErrorKind::Config,
                format_args!("`swa_lrs` has {} rates, the optimizer {groups} groups", rates.len()),
            )),
            _ => Ok(()),
        }
    }
}

impl Config for Rates {
    fn schema() -> Value {
        json!({ "anyOf": [f64::schema(), Vec::<f64>::schema()] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::Number(_) => f64::from_value(value, key).map(Self::All),
            Value::Array(_) => Vec::from_value(value, key).map(Self::Each),
            _ => Err(ConfigError::mismatch(key, value, "a number, or a list of numbers by group")),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::All(number) => number.to_value(),
            Self::Each(numbers) => numbers.to_value(),
        }
    }
}

impl Ranged<f64> for Rates {
    fn numbers(&self) -> Vec<f64> {
        self.values().to_vec()
    }
}

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
