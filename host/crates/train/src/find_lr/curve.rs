//! Losses over rates, and where they fall most steeply.

use super::FindLr;

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Rate of each group.
    pub rates: Vec<f64>,
    /// Loss before the step.
    pub loss: f64,
    /// Exponential mean of the losses so far.
    pub smoothed: f64,
}

/// The steps of one test.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// The group that moved, by its place; all did where there is none.
    pub group: Option<usize>,
    /// The steps.
    pub points: Vec<Point>,
    /// The point to take the rate of; none where the loss never falls.
    pub suggestion: Option<usize>,
    mean: f64,
    least: f64,
}

/// Weight of the past in the smoothed loss.
const BETA: f64 = 0.98;

/// Relative size of what rounding does to the smoothed loss.
const ROUNDING: f64 = 1e-12;

impl Curve {
    /// A curve without points. `group` is the one that moves, all do where there is none.
    pub fn new(group: Option<usize>) -> Self {
        Self { group, least: f64::INFINITY, ..Self::default() }
    }

    /// Whether a group's rate moves.
    pub fn moves(&self, group: usize) -> bool {
        self.group.is_none_or(|moved| moved == group)
    }

    /// The rate on the axis: of the group that moved, or of the first one.
    pub fn lr(&self, point: &Point) -> f64 {
        point.rates[self.group.unwrap_or(0)]
    }

    /// Adds a step; false where the loss explodes and the test is over. A loss that is no number ends it
    /// without a point.
    pub fn push(&mut self, settings: &FindLr, rates: Vec<f64>, loss: f64) -> bool {
        if !loss.is_finite() {
            return false;
        }
        self.mean = BETA * self.mean + (1.0 - BETA) * loss;
        let smoothed = self.mean / (1.0 - BETA.powi(self.points.len() as i32 + 1));
        self.points.push(Point { rates, loss, smoothed });
        self.least = self.least.min(smoothed);
        // For losses below 0, too: a multiple of them is less.
        let limit = self.least + (settings.early_stop_threshold - 1.0) * self.least.abs();
        self.points.len() <= 2 || smoothed <= limit
    }

    /// Takes the point of the steepest fall, over the axis along which the rate grew evenly.
    pub fn suggest(&mut self, settings: &FindLr) {
        let end = self.points.len().saturating_sub(settings.skip_end);
        let losses: Vec<f64> =
            self.points.iter().take(end).skip(settings.skip_begin).map(|point| point.smoothed).collect();
        // A flat loss falls and rises by the rounding of its mean.
        let rounding = ROUNDING * losses.iter().fold(0.0, |largest: f64, loss| largest.max(loss.abs()));
        let falls = gradient(&losses).into_iter().enumerate().filter(|(_, gradient)| *gradient < -rounding);
        let steepest = falls.min_by(|a, b| a.1.total_cmp(&b.1));
        self.suggestion = steepest.map(|(index, _)| index + settings.skip_begin);
    }
}

/// `numpy.gradient`: central differences, one-sided at both ends. Empty for fewer than two values.
fn gradient(values: &[f64]) -> Vec<f64> {
    let last = match values.len() {
        0 | 1 => return Vec::new(),
        count => count - 1,
    };
    let at = |index: usize| {
        let (before, after) = (index.saturating_sub(1), (index + 1).min(last));
        (values[after] - values[before]) / (after - before) as f64
    };
    (0..=last).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::find_lr::Growth;

    fn curve(settings: &FindLr, losses: &[f64]) -> Curve {
        let mut curve = Curve::new(None);
        for (step, loss) in losses.iter().enumerate() {
            if !curve.push(settings, vec![settings.lr(step)], *loss) {
                break;
            }
        }
        curve.suggest(settings);
        curve
    }

    #[test]
    fn gradients_are_numpys() {
        // numpy.gradient([1, 2, 4, 7, 11, 16])
        assert_eq!(gradient(&[1.0, 2.0, 4.0, 7.0, 11.0, 16.0]), [1.0, 1.5, 2.5, 3.5, 4.5, 5.0]);
        assert_eq!(gradient(&[3.0, 1.0]), [-2.0, -2.0]);
        assert!(gradient(&[3.0]).is_empty());
    }

    #[test]
    fn the_mean_is_corrected_for_its_beginning() {
        let curve = curve(&FindLr::default(), &[3.0, 1.0]);
        assert!((curve.points[0].smoothed - 3.0).abs() < 1e-12);
        // (0.98 * 0.02 * 3 + 0.02 * 1) / (1 - 0.98^2)
        assert!((curve.points[1].smoothed - 0.0788 / 0.0396).abs() < 1e-12);
    }

    #[test]
    fn the_steepest_fall_is_suggested() {
        let settings = FindLr { num_training: 60, ..FindLr::default() };
        // Flat, a fall around step 30, flat again.
        let losses: Vec<f64> =
            (0..60).map(|step| 2.0 - 1.0 / (1.0 + (30.0 - f64::from(step)).exp())).collect();
        let found = curve(&settings, &losses).suggestion.unwrap();
        // The smoothed loss follows the loss by a few steps.
        assert!((30..45).contains(&found), "{found}");
    }

    #[test]
    fn a_loss_that_never_falls_suggests_nothing() {
        let settings = FindLr { num_training: 20, skip_begin: 0, ..FindLr::default() };
        assert_eq!(curve(&settings, &(0..20).map(f64::from).collect::<Vec<_>>()).suggestion, None);
        assert_eq!(curve(&settings, &[1.0; 20]).suggestion, None);
    }

    #[test]
    fn a_loss_that_explodes_or_is_no_number_ends_the_test() {
        let settings = FindLr { num_training: 50, ..FindLr::default() };
        let exploding: Vec<f64> = (0..50).map(|step| if step < 20 { 1.0 } else { 100.0 }).collect();
        // 1 for 20 steps, then one of 100: (1 - 0.98^20) * 0.98 + 0.02 * 100, over 1 - 0.98^21, is above 4.
        assert_eq!(curve(&settings, &exploding).points.len(), 21);
        assert_eq!(
            curve(&FindLr { early_stop_threshold: f64::INFINITY, ..settings.clone() }, &exploding)
                .points
                .len(),
            50
        );
        assert_eq!(curve(&settings, &[1.0, 1.0, 1.0, f64::NAN, 1.0]).points.len(), 3);
        // Losses below 0 that fall are no explosion.
        assert_eq!(
            curve(&settings, &(0..50).map(|step| -f64::from(step)).collect::<Vec<_>>()).points.len(),
            50
        );
    }

    #[test]
    fn rates_go_from_the_least_to_the_most() {
        let settings = FindLr { min_lr: 1e-4, max_lr: 1.0, num_training: 5, ..FindLr::default() };
        for (growth, expected) in [
            (Growth::Exponential, [1e-4, 1e-3, 1e-2, 1e-1, 1.0]),
            (Growth::Linear, [1e-4, 0.250075, 0.50005, 0.750025, 1.0]),
        ] {
            let settings = FindLr { mode: growth, ..settings.clone() };
            for (step, expected) in expected.into_iter().enumerate() {
                assert!((settings.lr(step) / expected - 1.0).abs() < 1e-12, "{growth:?}, step {step}");
            }
        }
    }
}
