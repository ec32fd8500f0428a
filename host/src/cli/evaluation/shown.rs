//! An evaluation as text and as JSON.

use std::path::Path;

use serde_json::{Map, Value, json};
use thaw_metrics::{CONFIDENCE, ClassScores, Scores};

use super::matrix;
use super::uncertainty::Uncertainty;
use crate::cli::classes;
use crate::width;
use thaw_terminal::{aligned, number};
use thaw_train::fit::Evaluation;

/// An evaluation to be shown.
pub(super) struct Shown<'e> {
    /// What was done: `validate` or `test`.
    pub(super) what: &'static str,
    /// What it is of: a path, a split.
    pub(super) input: &'e str,
    /// Whether the confusion matrix is asked for.
    pub(super) has_matrix: bool,
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
        let metrics: Vec<(&str, f64)> = self.evaluation.metrics.means().collect();
        let width = aligned::widest(metrics.iter().map(|(name, _)| name));
        let numbers = aligned::at_point(&metrics.iter().map(|(_, mean)| number(*mean)).collect::<Vec<_>>());
        let metrics = metrics.iter().zip(&numbers).map(|((name, _), shown)| {
            let interval = self.interval(name);
            let interval = interval.map(|(low, high)| format!("  ({} to {})", number(low), number(high)));
            let line = format!("{}  {shown}{}", aligned::left(name, width), interval.unwrap_or_default());
            line.trim_end().to_owned()
        });
        let classes = classes::table(&self.evaluation.classes, |index| self.name(index));
        let first = self.checkpoint.display().to_string();
        let note = self.uncertainty.as_ref().map(Uncertainty::lines).into_iter().flatten();
        let classes = classes.lines().map(str::to_owned);
        let matrix = match self.has_matrix {
            true => matrix::lines(&self.evaluation.confusion, width::of_stdout(), |index| self.name(index)),
            false => Vec::new(),
        };
        std::iter::once(first).chain(metrics).chain(note).chain(classes).chain(matrix).collect()
    }

    /// `command`, `checkpoint`, `input`, `metrics` by name; of each class that has samples `class`, `hits`,
    /// `samples`, `precision`, `recall` and `f1`; where they were asked for `intervals` by name, each a lower
    /// and an upper end, and `confusion`: a row for each class, in it a number for each predicted class.
    pub(super) fn json(&self) -> Value {
        let metrics = self.evaluation.metrics.means().map(|(name, mean)| (name.to_owned(), json!(mean)));
        let metrics: Map<String, Value> = metrics.collect();
        let mut told = Map::from_iter([
            ("command".to_owned(), json!(self.what)),
            ("checkpoint".to_owned(), json!(self.checkpoint.to_string_lossy())),
            ("input".to_owned(), json!(self.input)),
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
        told.insert("classes".to_owned(), json!(self.classes()));
        if self.has_matrix {
            let names = (0..self.evaluation.confusion.classes).map(|class| self.name(class));
            told.insert("class_names".to_owned(), json!(names.collect::<Vec<_>>()));
            told.insert("confusion".to_owned(), json!(self.evaluation.confusion.matrix()));
        }
        Value::Object(told)
    }

    /// Classes that have samples.
    fn classes(&self) -> Vec<Value> {
        let confusion = &self.evaluation.confusion;
        let scores = Scores::of(confusion.classes, confusion.counts());
        let met = self.evaluation.classes.iter().zip(&scores.classes).enumerate();
        let met = met.filter(|(_, ((_, samples), _))| *samples > 0);
        let of = |(index, ((hits, samples), scores)): (usize, (&(u64, u64), &ClassScores))| {
            json!({
                "class": self.name(index),
                "hits": hits,
                "samples": samples,
                "precision": scores.precision(),
                "recall": scores.recall(),
                "f1": scores.f1(),
            })
        };
        met.map(of).collect()
    }

    fn interval(&self, name: &str) -> Option<(f64, f64)> {
        self.uncertainty.as_ref()?.intervals.get(name).copied()
    }

    fn name(&self, index: usize) -> String {
        self.names.get(index).cloned().unwrap_or_else(|| index.to_string())
    }
}
