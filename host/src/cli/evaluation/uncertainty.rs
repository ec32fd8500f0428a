//! How far loss and metrics would have moved with other samples of the same kind.

use std::collections::BTreeMap;

use thaw_metrics::{CONFIDENCE, Intervals, Metric, Outcomes};
use thaw_train::fit::Evaluation;
use thaw_train::inference::Inference;

/// Confidence intervals by the names of the metrics.
pub struct Uncertainty {
    /// How many resamples they are of.
    pub resamples: u32,
    /// Lower and upper end of each.
    pub intervals: BTreeMap<String, (f64, f64)>,
    /// In how many resamples a metric had no value, where that is so of some.
    pub undefined: BTreeMap<String, usize>,
    /// How many resamples have no sample of a class that the data has.
    pub lacking: usize,
}

impl Uncertainty {
    /// What the intervals are of.
    pub fn lines(&self) -> Vec<String> {
        let (share, all) = (CONFIDENCE * 100.0, self.resamples);
        let mut lines = vec![format!("in brackets: {share}% intervals of {all} resamples")];
        for (metric, count) in &self.undefined {
            lines.push(format!(
                "`{metric}` has no value in {count} of the {all} resamples, which do not count"
            ));
        }
        if self.lacking > 0 {
            lines.push(format!(
                "{} of the {all} resamples have no sample of some class: averages over classes differ \
                 there, and intervals are wide; take more data of rare classes",
                self.lacking
            ));
        }
        lines
    }

    /// Of the loss, the metrics that the run config names, and accuracy or absolute error.
    pub fn of(evaluation: &Evaluation, inference: &Inference, resamples: u32) -> Self {
        let samples = evaluation.samples.clone().unwrap_or_default();
        let mut metrics = inference.config().trainer.metrics.clone();
        let common = match &samples.outcomes {
            Outcomes::Labelled(_) => Some(Metric::Accuracy),
            Outcomes::Numbers(_) => Some(Metric::AbsoluteError),
            Outcomes::None | Outcomes::Tagged(_) | Outcomes::Sums(_) => None,
        };
        metrics.extend(common.filter(|common| !metrics.contains(common)));
        let seed = inference.config().seed;
        let found = Intervals::of(&samples.outcomes, &metrics, &samples.losses, resamples as usize, seed);
        // The loss of a pass whose classes weigh differently is no mean over samples.
        let means = found.means.filter(|_| inference.model().class_weights().is_none());
        let names = metrics.iter().map(Metric::to_string).chain(["loss".to_owned()]);
        let of_names = names.zip(found.metrics.into_iter().chain([means]));
        let intervals = evaluation.metrics.means().filter_map(|(shown, _)| {
            let (_, name) = shown.split_once('_')?;
            let interval = of_names.clone().find(|(known, _)| known == name)?.1?;
            Some((shown.to_owned(), interval))
        });
        let undefined = metrics.iter().zip(&found.undefined).filter(|(_, count)| **count > 0);
        let undefined = undefined.map(|(metric, count)| (metric.to_string(), *count)).collect();
        Self { resamples, intervals: intervals.collect(), undefined, lacking: found.lacking }
    }
}
