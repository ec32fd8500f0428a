//! Numbers and names against what was recorded.

use std::fmt;

use serde_json::Value;

/// How far a number may lie from the recorded one.
#[derive(Clone, Copy, Debug)]
pub enum Tolerance {
    /// Of a rate: a share of it; next to nothing where it is 0.
    Rate,
    /// An absolute distance.
    Absolute(f64),
}

/// What was compared so far: the largest deviation, and the first difference.
#[derive(Default)]
pub struct Comparison {
    values: usize,
    /// Share of the tolerance, the deviation, the tolerance, and where; rates apart from it.
    worst: Option<(f64, f64, f64, String)>,
    /// Largest relative deviation of a rate.
    worst_rate: f64,
    first: Option<String>,
}

impl Comparison {
    /// A number. `null` was recorded where there is none.
    pub fn number(&mut self, at: &str, found: &Value, expected: &Value, tolerance: Tolerance) {
        match (found.as_f64(), expected.as_f64()) {
            (Some(found), Some(expected)) => self.close(at, found, expected, tolerance),
            (None, None) if found.is_null() && expected.is_null() => self.values += 1,
            _ => self.differ(at, found, expected),
        }
    }

    /// A number that is there.
    pub fn close(&mut self, at: &str, found: f64, expected: f64, tolerance: Tolerance) {
        self.values += 1;
        let limit = match tolerance {
            // Below 0 by rounding, at the end of a decay to 0.
            Tolerance::Rate if expected <= 0.0 => 1e-15,
            Tolerance::Rate => 1e-12 * expected.abs(),
            Tolerance::Absolute(limit) => limit,
        };
        let deviation = (found - expected).abs();
        if deviation > limit || deviation.is_nan() {
            self.note(format!(
                "{at}: found {found}, expected {expected}, off by {deviation:.2e}, tolerance {limit:.0e}"
            ));
            return;
        }
        if matches!(tolerance, Tolerance::Rate) {
            self.worst_rate = self.worst_rate.max(if expected <= 0.0 { 0.0 } else { deviation / expected });
            return;
        }
        let share = if limit > 0.0 { deviation / limit } else { 0.0 };
        if self.worst.as_ref().is_none_or(|(worst, ..)| share > *worst) {
            self.worst = Some((share, deviation, limit, at.to_owned()));
        }
    }

    /// A number that may be any of these, up to rounding.
    pub fn one_of(&mut self, at: &str, found: f64, expected: &[f64]) {
        self.values += 1;
        if !expected.iter().any(|expected| (found - expected).abs() <= 1e-12 * expected.abs()) {
            self.note(format!("{at}: found {found}, expected one of {expected:?}"));
        }
    }

    /// A number in a range.
    pub fn within(&mut self, at: &str, found: f64, expected: std::ops::RangeInclusive<f64>) {
        self.values += 1;
        if !expected.contains(&found) {
            self.note(format!("{at}: found {found}, expected {} to {}", expected.start(), expected.end()));
        }
    }

    /// Anything that is to be equal.
    pub fn equal(&mut self, at: &str, found: &Value, expected: &Value) {
        self.values += 1;
        if found != expected {
            self.differ(at, found, expected);
        }
    }

    /// A difference that was found elsewhere.
    pub fn note(&mut self, difference: String) {
        self.first.get_or_insert(difference);
    }

    /// Where it first departs.
    pub fn first_difference(&self) -> Option<&str> {
        self.first.as_deref()
    }

    fn differ(&mut self, at: &str, found: &Value, expected: &Value) {
        self.note(format!("{at}: found {found}, expected {expected}"));
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values, rates {:.0e}", self.values, self.worst_rate)?;
        match &self.worst {
            Some((_, deviation, limit, at)) => write!(f, ", others {deviation:.1e} of {limit:.0e} ({at})"),
            None => Ok(()),
        }
    }
}
