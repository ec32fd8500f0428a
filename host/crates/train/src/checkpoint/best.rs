//! A checkpoint that is kept for its rank.

use serde::{Deserialize, Serialize};

/// A checkpoint with the value that ranks it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Best {
    /// Name of its folder.
    pub name: String,
    /// The metric.
    pub monitor: String,
    /// Its value; NaN ranks behind all numbers.
    #[serde(with = "number")]
    pub value: f64,
    /// The epoch after which it was written.
    pub epoch: usize,
    /// Hits and samples of each class in that epoch's validation.
    #[serde(default)]
    pub classes: Vec<(u64, u64)>,
}

/// A number in JSON, which has no infinities and no NaN.
mod number {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;
    use thaw_plugin_api::context::{number_from_json, number_to_json};

    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        number_to_json(*number).serialize(serializer)
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<f64, D::Error> {
        let value = Value::deserialize(deserializer)?;
        number_from_json(&value)
            .ok_or_else(|| D::Error::custom(format_args!("expected a number, found {value}")))
    }
}
