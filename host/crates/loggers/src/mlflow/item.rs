//! What is sent: parameters, metrics, the state of the run.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Metrics that a request may have.
const METRICS: usize = 1000;
/// Parameters that a request may have.
const PARAMS: usize = 100;
/// Letters that a parameter's value may have.
const VALUE: usize = 500;
/// Letters that a name may have.
const NAME: usize = 250;

/// Something to be sent, in one request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Item {
    /// Parameters, names with values.
    Params(Vec<(String, String)>),
    /// Values of metrics.
    Metrics(Vec<Metric>),
    /// What becomes of the run.
    Status {
        /// Its state.
        status: Status,
        /// When it ended, in milliseconds since 1970.
        end_time: Option<i64>,
    },
}

/// A value of a metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Metric {
    key: String,
    /// A number, or `NaN`, `Infinity`, `-Infinity` as text.
    value: Value,
    timestamp: i64,
    step: usize,
}

/// State of a run on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Running,
    Finished,
    Failed,
    Killed,
}

impl Metric {
    /// A value at a step, with the time in milliseconds since 1970.
    pub(super) fn new(name: &str, value: f64, timestamp: i64, step: usize) -> Self {
        let value = match value {
            value if value.is_finite() => json!(value),
            value if value.is_nan() => json!("NaN"),
            value if value > 0.0 => json!("Infinity"),
            _ => json!("-Infinity"),
        };
        Self { key: allowed(name), value, timestamp, step }
    }
}

impl Item {
    /// Metrics in as few requests as may be.
    pub(super) fn metrics(metrics: impl Iterator<Item = Metric>) -> Vec<Self> {
        let metrics: Vec<Metric> = metrics.collect();
        metrics.chunks(METRICS).map(|chunk| Self::Metrics(chunk.to_vec())).collect()
    }

    /// Parameters in as few requests as may be; longer values than a server takes are cut. Of two with one
    /// name the first counts.
    pub(super) fn params<'k>(params: impl Iterator<Item = (&'k str, String)>) -> Vec<Self> {
        let mut known = BTreeSet::new();
        let mut all = Vec::new();
        for (key, value) in params {
            let key = allowed(key);
            if known.insert(key.clone()) {
                all.push((key, value.chars().take(VALUE).collect()));
            }
        }
        all.chunks(PARAMS).map(|chunk: &[(String, String)]| Self::Params(chunk.to_vec())).collect()
    }

    /// The request: the end of its address, and its body.
    pub(super) fn request(&self, run_id: &str) -> (&'static str, Value) {
        match self {
            Self::Params(params) => {
                let params = params.iter().map(|(key, value)| json!({ "key": key, "value": value }));
                let params: Vec<Value> = params.collect();
                ("runs/log-batch", json!({ "run_id": run_id, "params": params }))
            }
            Self::Metrics(metrics) => ("runs/log-batch", json!({ "run_id": run_id, "metrics": metrics })),
            Self::Status { status, end_time: None } => {
                ("runs/update", json!({ "run_id": run_id, "status": status }))
            }
            Self::Status { status, end_time } => {
                ("runs/update", json!({ "run_id": run_id, "status": status, "end_time": end_time }))
            }
        }
    }

    /// Whether the run is over with it.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self, Self::Status { end_time: Some(_), .. })
    }
}

/// A name that a server takes: others than these characters are replaced.
fn allowed(name: &str) -> String {
    let takes = |letter: char| letter.is_ascii_alphanumeric() || "_-. /".contains(letter);
    name.chars().map(|letter| if takes(letter) { letter } else { '_' }).take(NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_to_the_limits_of_the_server() {
        let params: Vec<String> = (0..150).map(|number| format!("key[{number}]")).collect();
        let items = Item::params(params.iter().map(|key| (key.as_str(), "é".repeat(600))));
        let [Item::Params(first), Item::Params(second)] = &items[..] else { panic!("{items:?}") };
        assert_eq!((first.len(), second.len()), (100, 50));
        assert_eq!(first[7].0, "key_7_");
        assert_eq!(first[7].1.chars().count(), 500);
        let metrics = (0..1001).map(|step| Metric::new("loss", 0.5, 0, step));
        assert_eq!(Item::metrics(metrics).len(), 2);
    }

    #[test]
    fn numbers_that_json_does_not_have_are_sent_by_name() {
        let values =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(|value| Metric::new("a", value, 0, 0).value);
        assert_eq!(values, [json!("NaN"), json!("Infinity"), json!("-Infinity")]);
    }
}
