//! How far loss and metrics would have moved with other samples of the same kind.

use std::collections::BTreeMap;

use thaw_metrics::{Intervals, Metric, Outcomes};
use thaw_train::fit::Evaluation;
use thaw_train::inference::Inference;

/// Confidence intervals by the names of the metrics.
pub struct Uncertainty {
    /// How many resamples they are of.
    pub resamples: u32,
    /// Lower and upper end of each.
    pub intervals: BTreeMap<String, (f64, f64)>,
}

impl Uncertainty {
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
        Self { resamples, intervals: intervals.collect() }
    }
}
