//! Curves of one line.

/// Heights of a column.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Values as a curve of at most so many columns: of more values each column has the mean of its share. A
/// share without a number is a gap.
///
/// ```
/// assert_eq!(thaw_terminal::sparkline(&[3.0, 2.0, f64::NAN, 1.0], 10), "█▅ ▁");
/// ```
pub fn sparkline(values: &[f64], columns: usize) -> String {
    if values.is_empty() || columns == 0 {
        return String::new();
    }
    let columns = columns.min(values.len());
    let share = |column: usize| {
        let (from, to) = (column * values.len() / columns, (column + 1) * values.len() / columns);
        let finite: Vec<f64> = values[from..to].iter().copied().filter(|value| value.is_finite()).collect();
        (!finite.is_empty()).then(|| finite.iter().sum::<f64>() / finite.len() as f64)
    };
    let means: Vec<Option<f64>> = (0..columns).map(share).collect();
    let (low, high) = means
        .iter()
        .flatten()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), mean| (low.min(*mean), high.max(*mean)));
    let block = |mean: f64| match high > low {
        // Halves, so that the difference of two large values is one that there is.
        true => BLOCKS[((mean / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) * 7.0).round() as usize],
        false => BLOCKS[3],
    };
    means.into_iter().map(|mean| mean.map_or(' ', block)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_has_as_many_columns_as_fit() {
        let falling: Vec<f64> = (0..1000).map(|step| 1000.0 - f64::from(step)).collect();
        assert_eq!(sparkline(&falling, 8), "█▇▆▅▄▃▂▁");
        assert_eq!([sparkline(&[], 8), sparkline(&[1.0], 0), sparkline(&[f64::NAN], 4)], ["", "", " "]);
        assert_eq!(sparkline(&[2.0, 2.0], 4), "▄▄");
        assert_eq!(sparkline(&[f64::MAX, f64::MIN, f64::INFINITY], 4), "█▁ ");
    }
}
