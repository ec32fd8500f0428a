//! An evaluation as text and as JSON.

use std::path::Path;

use serde_json::{Map, Value, json};
use thaw_metrics::CONFIDENCE;

use super::uncertainty::Uncertainty;
use crate::cli::classes;
use thaw_report::number;
use thaw_train::fit::Evaluation;

/// An evaluation to be shown.
pub(super) struct Shown<'e> {
    /// Of which checkpoint.
    pub(super) checkpoint: &'e Path,
    /// What it found.
    pub(super) evaluation: &'e Evaluation,
    /// Names of the classes.
    pub(super) names: &'e [String],
    /// Confidence intervals, where they are asked for.
    pub(super) uncertainty: Option<Uncertainty>,
}

impl Shown<'_> {
    /// The checkpoint, a line per metric, and a line per class.
    pub(super) fn lines(&self) -> Vec<String> {
        let metrics = self.evaluation.metrics.means().map(|(name, mean)| match self.interval(name) {
            Some((low, high)) => format!("{name} {mean}  ({} to {})", number(low), number(high)),
            None => format!("{name} {mean}"),
        });
        let classes = classes::table(&self.evaluation.classes, |index| self.name(index));
        let first = self.checkpoint.display().to_string();
        let note = self.uncertainty.as_ref().map(Uncertainty::lines).into_iter().flatten();
        let classes = classes.lines().map(str::to_owned);
        std::iter::once(first).chain(metrics).chain(note).chain(classes).collect()
    }

    /// `checkpoint`, `metrics` by name, and of each class that has samples `class`, `hits` and `samples`;
    /// where they were asked for `intervals` by name, each a lower and an upper end.
    pub(super) fn json(&self) -> Value {
        let metrics = self.evaluation.metrics.means().map(|(name, mean)| (name.to_owned(), json!(mean)));
        let met = self.evaluation.classes.iter().enumerate().filter(|(_, (_, samples))| *samples > 0);
        let classes: Vec<Value> = met
            .map(|(index, (hits, samples))| {
                json!({ "class": self.name(index), "hits": hits, "samples": samples })
            })
            .collect();
        let metrics: Map<String, Value> = metrics.collect();
        let mut told = Map::from_iter([
            ("checkpoint".to_owned(), json!(self.checkpoint.to_string_lossy())),
            ("metrics".to_owned(), Value::Object(metrics)),
        ]);
        if let Some(Uncertainty { resamples, intervals, undefined, lacking }) = &self.uncertainty {
            told.insert("intervals".to_owned(), json!(intervals));
            let bootstrap = json!({
                "resamples": resamples, "confidence": CONFIDENCE, "undefined": undefined,
                "without_a_class": lacking,
            });
            told.insert("bootstrap".to_owned(), bootstrap);
        }
        told.insert("classes".to_owned(), json!(classes));
        Value::Object(told)
    }

    fn interval(&self, name: &str) -> Option<(f64, f64)> {
        self.uncertainty.as_ref()?.intervals.get(name).copied()
    }

    fn name(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_else(|| index.to_string())
    }
}
