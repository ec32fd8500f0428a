//! The values of one variant in short.

/// Benchmark, measure, variant.
pub type Key = (&'static str, &'static str, &'static str);

/// The values of one variant in short.
#[derive(Debug, PartialEq)]
pub struct Summary {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub repeats: usize,
}

impl Summary {
    /// Nothing for no values. The median of an even number of values is the mean of the middle two.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let repeats = values.len();
        let median = (values[(repeats - 1) / 2] + values[repeats / 2]) / 2.0;
        Some(Self { median, min, max, repeats })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let odd = Summary::of(vec![9.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Summary { median: 2.0, min: 1.0, max: 9.0, repeats: 3 });
        assert_eq!(Summary::of(vec![4.0, 1.0, 2.0, 9.0]).unwrap().median, 3.0);
        assert_eq!(Summary::of(vec![]), None);
    }
}
