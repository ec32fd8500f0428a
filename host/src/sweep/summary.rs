//! What a sweep came to, by setting: over its seeds.

use thaw_plugin_api::monitor::Mode;
use thaw_report::run::RunState;
use thaw_report::runs::Found;

use super::Trial;
use super::runner::BY_THE_RULE;

/// A setting with what its trials came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// `KEY=VALUE`, as the sweep sets them.
    pub setting: Vec<String>,
    /// The best value of each trial that has one.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, of a sample (n - 1); none of a single one.
    pub std: Option<f64>,
}

/// Whether a trial ended of itself, and not by the median rule.
fn is_whole(state: &RunState) -> bool {
    match state {
        RunState::Done(reason) => !reason.as_ref().is_some_and(|reason| reason.starts_with(BY_THE_RULE)),
        _ => false,
    }
}

/// Settings, best mean first, by the metric that ranks the trials' checkpoints. Trials that
/// were not trained to their end, or have no value of it, are left out, and so are settings without any.
pub fn of_settings(trials: &[(&Trial, &Found)], mode: Option<Mode>) -> Vec<Setting> {
    let mut settings: Vec<(Vec<String>, Vec<f64>)> = Vec::new();
    for (trial, found) in trials {
        let Some((_, value)) = found.run.best().filter(|_| is_whole(&found.run.state)) else { continue };
        match settings.iter_mut().find(|(setting, _)| *setting == trial.setting) {
            Some((_, values)) => values.push(value),
            None => settings.push((trial.setting.clone(), vec![value])),
        }
    }
    let of = |(setting, values): (Vec<String>, Vec<f64>)| {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let std = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        Setting { setting, values, mean, std }
    };
    let mut settings: Vec<Setting> = settings.into_iter().map(of).collect();
    settings.sort_by(|one, other| match mode {
        Some(Mode::Max) => other.mean.total_cmp(&one.mean),
        _ => one.mean.total_cmp(&other.mean),
    });
    settings
}
