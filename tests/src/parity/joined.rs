//! What holds of a group that joined where PyTorch is no guide.

use serde_json::Value;

use super::array;
use super::compare::{Comparison, Tolerance};

/// A group that joined a schedule.
pub struct JoinedGroup<'e> {
    pub scheduler: &'e Value,
    /// The rate that the first group's schedule scales.
    pub base: f64,
    /// Both groups' rates when it joined.
    pub joined: (f64, f64),
    /// Its rate at the batch before.
    pub before: f64,
}

impl JoinedGroup<'_> {
    /// Compares its rate, given the first group's.
    pub fn compare(&self, comparison: &mut Comparison, at: &str, first: f64, second: f64) {
        if self.scheduler["name"] == "ReduceLROnPlateau" {
            let reduced =
                (self.before * self.scheduler["factor"].as_f64().unwrap_or(0.1)).max(self.last_minimum());
            return comparison.one_of(at, second, &[self.before, reduced]);
        }
        let mut floors = Vec::new();
        collect_floors(self.scheduler, &mut floors);
        if let [floor] = floors[..]
            && (self.joined.1 < floor) != (self.joined.0 < floor)
        {
            // It joined below the minimum, which is as far as it may go.
            return comparison.within(at, second, 0.0..=floor);
        }
        let shares =
            floors.iter().flat_map(|then| floors.iter().map(|now| self.share_of(first, *then, *now)));
        let nearest =
            shares.min_by(|a, b| (a - second).abs().total_cmp(&(b - second).abs())).unwrap_or(f64::NAN);
        // Both are computed by themselves, each with its own rounding.
        comparison.close(at, second, nearest, Tolerance::Absolute(nearest.abs().max(1e-15) * 1e-9));
    }

    /// Its rate where the minimum was `then` when it joined, and is `now`.
    fn share_of(&self, first: f64, then: f64, now: f64) -> f64 {
        let (first_joined, second_joined) = self.joined;
        let share = if then == now {
            (second_joined - then) / (first_joined - then)
        } else {
            let base = then + (self.base - then) * (second_joined - then) / (first_joined - then);
            (base - now) / (self.base - now)
        };
        // A group that joined at a rate of 0 has no share of anything.
        if share.is_finite() { now + (first - now) * share } else { now }
    }

    /// Lower limit of the group that was added last.
    fn last_minimum(&self) -> f64 {
        let minimum = &self.scheduler["min_lr"];
        minimum.as_array().and_then(|list| list.last()).unwrap_or(minimum).as_f64().unwrap_or(0.0)
    }
}

/// A cosine scales what lies above its minimum; a sequence may have several.
fn collect_floors(scheduler: &Value, floors: &mut Vec<f64>) {
    let inner = array(&scheduler["schedulers"]);
    inner.iter().for_each(|inner| collect_floors(inner, floors));
    let floor = scheduler["eta_min"].as_f64().unwrap_or(0.0);
    if inner.is_empty() && !floors.contains(&floor) {
        floors.push(floor);
    }
}
