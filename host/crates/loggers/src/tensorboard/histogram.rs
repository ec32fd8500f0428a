//! How values are distributed, in the buckets of PyTorch's `SummaryWriter.add_histogram`.

use std::sync::LazyLock;

/// The least end of a bucket above 0, the largest, and how much farther each is than the one before.
const FIRST: f64 = 1e-12;
const LAST: f64 = 1e20;
const FARTHER: f64 = 1.1;

/// Ends of all buckets, in their order: as many below 0 as above.
static ENDS: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let above = std::iter::successors(Some(FIRST), |end| Some(end * FARTHER)).take_while(|end| *end < LAST);
    let above: Vec<f64> = above.collect();
    above.iter().rev().map(|end| -end).chain([0.0]).chain(above.iter().copied()).collect()
});

/// How values are distributed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) sum_of_squares: f64,
    /// Upper end of each bucket.
    pub(super) limits: Vec<f64>,
    /// Values in each bucket.
    pub(super) counts: Vec<f64>,
}

impl Histogram {
    /// Of these values, of which those are left out that are no numbers; none without any, or where all lie
    /// beyond the buckets.
    pub(super) fn of(values: &[f64]) -> Option<Self> {
        let ends = &*ENDS;
        let mut counts = vec![0.0; ends.len() - 1];
        let (mut min, mut max, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        let (mut sum, mut sum_of_squares) = (0.0, 0.0);
        for value in values.iter().copied().filter(|value| value.is_finite()) {
            (min, max, count) = (min.min(value), max.max(value), count + 1.0);
            (sum, sum_of_squares) = (sum + value, sum_of_squares + value * value);
            // A bucket has its lower end, and the last one its upper end, too.
            let place = ends.partition_point(|end| *end <= value);
            let is_last = value == ends[ends.len() - 1];
            if (1..ends.len()).contains(&place) || is_last {
                counts[place.min(ends.len() - 1) - 1] += 1.0;
            }
        }
        let first = counts.iter().position(|count| *count > 0.0)?;
        let last = counts.iter().rposition(|count| *count > 0.0)?;
        // From the bucket before the first with a value on, whose upper end is where that one begins.
        let (shown, limits) = match first {
            0 => ([vec![0.0], counts[..=last].to_vec()].concat(), ends[..=last + 1].to_vec()),
            _ => (counts[first - 1..=last].to_vec(), ends[first..=last + 1].to_vec()),
        };
        Some(Self { min, max, count, sum, sum_of_squares, limits, counts: shown })
    }
}
