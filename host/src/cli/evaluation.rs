//! What a validation or a test found, as text and as JSON.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::classes;
use thaw_train::fit::Evaluation;

/// An evaluation to be shown.
pub struct Shown<'e> {
    /// Of which checkpoint.
    pub checkpoint: &'e Path,
    /// What it found.
    pub evaluation: &'e Evaluation,
    /// Names of the classes.
    pub names: &'e [String],
}

impl Shown<'_> {
    /// The checkpoint, a line per metric, and a line per class.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let metrics = self.evaluation.metrics.means().map(|(name, mean)| format!("{name} {mean}"));
        let classes = classes::table(&self.evaluation.classes, |index| self.name(index));
        let first = self.checkpoint.display().to_string();
        let lines: Vec<String> =
            std::iter::once(first).chain(metrics).chain(classes.lines().map(str::to_owned)).collect();
        lines.into_iter()
    }

    /// `checkpoint`, `metrics` by name, and of each class that has samples `class`, `hits` and `samples`.
    pub fn json(&self) -> Value {
        let metrics = self.evaluation.metrics.means().map(|(name, mean)| (name.to_owned(), json!(mean)));
        let met = self.evaluation.classes.iter().enumerate().filter(|(_, (_, samples))| *samples > 0);
        let classes: Vec<Value> = met
            .map(|(index, (hits, samples))| {
                json!({ "class": self.name(index), "hits": hits, "samples": samples })
            })
            .collect();
        let metrics: Map<String, Value> = metrics.collect();
        json!({ "checkpoint": self.checkpoint.to_string_lossy(), "metrics": metrics, "classes": classes })
    }

    fn name(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_else(|| index.to_string())
    }
}
