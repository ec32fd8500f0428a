//! When a trial ends early: Optuna's `MedianPruner`.

use thaw_plugin_api::monitor::Mode;

/// Ends a trial whose best value so far is worse than the median of what done trials had in the same epoch.
#[derive(Clone, Copy, Debug)]
pub struct Median {
    /// Epochs that every trial gets.
    pub after: usize,
    /// Trials that have to be done before, so that there is something to compare with.
    pub trials: usize,
}

/// Why a trial ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The epoch after which it was compared, from 0.
    pub epoch: usize,
    /// Its best value until then; NaN where it had none.
    pub best: f64,
    /// The median of the others in that epoch.
    pub median: f64,
    /// How many others have a value there.
    pub others: usize,
}

impl Median {
    /// Looks at a trial's metric by epoch, from 0, beside those of trials that are done.
    pub fn verdict(self, trial: &[(usize, f64)], done: &[Vec<(usize, f64)>], mode: Mode) -> Option<Verdict> {
        let (epoch, _) = *trial.last()?;
        if epoch + 1 < self.after || done.len() < self.trials.max(1) {
            return None;
        }
        let best = trial.iter().map(|(_, value)| *value).filter(|value| !value.is_nan());
        let best = best.reduce(|best, next| if mode.is_better(next, best) { next } else { best });
        let there = done.iter().filter_map(|other| other.iter().find(|(other, _)| *other == epoch));
        let mut there: Vec<f64> = there.map(|(_, value)| *value).filter(|value| !value.is_nan()).collect();
        there.sort_by(f64::total_cmp);
        let median = match there.len() {
            0 => return None,
            count if count % 2 == 1 => there[count / 2],
            count => f64::midpoint(there[count / 2 - 1], there[count / 2]),
        };
        let is_worse = best.is_none_or(|best| mode.is_better(median, best));
        let best = best.unwrap_or(f64::NAN);
        is_worse.then_some(Verdict { epoch, best, median, others: there.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(values: &[f64]) -> Vec<(usize, f64)> {
        values.iter().copied().enumerate().collect()
    }

    /// As Optuna 5's `MedianPruner(n_startup_trials=2, n_warmup_steps=1)` says of the same values
    /// (`tests/fixtures/sweep/median.py`).
    #[test]
    fn a_trial_that_is_worse_than_the_median_ends() {
        let rule = Median { after: 2, trials: 2 };
        let done = [curve(&[0.9, 0.5, 0.4]), curve(&[0.8, 0.6, 0.3]), curve(&[0.7, 0.7, 0.7])];
        let verdict = |values: &[f64]| rule.verdict(&curve(values), &done, Mode::Min);
        assert_eq!(verdict(&[9.0]), None, "every trial gets its first epochs");
        assert_eq!(verdict(&[0.61, 0.65]), Some(Verdict { epoch: 1, best: 0.61, median: 0.6, others: 3 }));
        // Its best counts, and equal is not worse.
        assert_eq!(verdict(&[0.6, 9.0]), None);
        assert!(verdict(&[f64::NAN, f64::NAN]).is_some());
        assert_eq!(rule.verdict(&curve(&[9.0, 9.0]), &done[..1], Mode::Min), None, "too few are done");
        let score = rule.verdict(&curve(&[0.1, 0.55]), &done[..2], Mode::Max);
        assert_eq!(score, None, "0.55 is the median of 0.5 and 0.6");
        assert!(rule.verdict(&curve(&[0.1, 0.54]), &done[..2], Mode::Max).is_some());
    }
}
