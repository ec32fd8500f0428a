//! `metrics.jsonl`.

use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

/// A record of metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricsRecord {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps that were done.
    pub step: usize,
    /// Seconds since the run was started, where they are recorded.
    pub seconds: Option<f64>,
    /// The batch of the epoch, from 0, of a record of a single batch.
    pub batch: Option<usize>,
    /// Metrics and rates (`lr-…`) by name, in their order; NaN where the record has no number.
    pub values: Vec<(String, f64)>,
}

impl MetricsRecord {
    /// A value by name.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Whether it is of an epoch of training, and not of a validation inside of one.
    pub fn is_of_training(&self) -> bool {
        self.values.iter().any(|(name, _)| name.starts_with("train_") || name.starts_with("lr-"))
    }
}

impl<'d> Deserialize<'d> for MetricsRecord {
    fn deserialize<D: Deserializer<'d>>(deserializer: D) -> Result<Self, D::Error> {
        let record = Map::deserialize(deserializer)?;
        let count = |key: &'static str| {
            let found = record.get(key).and_then(Value::as_u64).and_then(|value| usize::try_from(value).ok());
            found.ok_or_else(|| de::Error::custom(format_args!("`{key}` is no count")))
        };
        let is_place = |name: &str| ["epoch", "step", "time", "seconds", "batch"].contains(&name);
        let value = |(name, value): (&String, &Value)| match value {
            Value::Null => Some((name.clone(), f64::NAN)),
            value => Some((name.clone(), value.as_f64()?)),
        };
        Ok(Self {
            epoch: count("epoch")?,
            step: count("step")?,
            seconds: record.get("seconds").and_then(Value::as_f64),
            batch: record.contains_key("batch").then(|| count("batch")).transpose()?,
            values: record.iter().filter(|(name, _)| !is_place(name)).filter_map(value).collect(),
        })
    }
}
