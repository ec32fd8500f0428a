//! The table of what took how long.

use std::collections::BTreeMap;

use super::Sum;
use thaw_terminal::aligned;

/// A line for each thing, the longest first, under what the columns are. Things lie in others (`forward` in
/// `epoch`), so that shares of `all` seconds do not add up.
pub(super) fn of(sums: &BTreeMap<String, Sum>, all: f64) -> String {
    let mut sums: Vec<(&str, Sum)> = sums.iter().map(|(name, sum)| (name.as_str(), *sum)).collect();
    sums.sort_by(|a, b| b.1.seconds.total_cmp(&a.1.seconds));
    sums.insert(0, ("total", Sum { calls: 1, seconds: all }));
    let cells = |(name, sum): (&str, Sum)| {
        let share = if all > 0.0 { 100.0 * sum.seconds / all } else { 0.0 };
        let mean = sum.seconds / sum.calls.max(1) as f64;
        [
            aligned::name(name).into_owned(),
            format!("{mean:.6}"),
            sum.calls.to_string(),
            format!("{:.3}", sum.seconds),
            format!("{share:.1}"),
        ]
    };
    let head = ["action", "mean s", "calls", "total s", "%"].map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(sums.into_iter().map(cells)).collect();
    let widths: Vec<usize> =
        (0..5).map(|column| aligned::widest(rows.iter().map(|row| &row[column]))).collect();
    let line = |row: &[String; 5]| {
        let numbers: Vec<String> =
            (1..5).map(|column| aligned::right(&row[column], widths[column])).collect();
        format!("{}  {}\n", aligned::left(&row[0], widths[0]), numbers.join("  "))
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_longest_comes_first_with_its_mean_and_share() {
        let sum = |calls, seconds| Sum { calls, seconds };
        let sums = [("backward", sum(4, 1.0)), ("forward", sum(4, 2.5)), ("a.setup", sum(1, 0.0))];
        let table = of(&sums.map(|(name, sum)| (name.to_owned(), sum)).into(), 5.0);
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[1], ["total", "5.000000", "1", "5.000", "100.0"], "{table}");
        assert_eq!(rows[2], ["forward", "0.625000", "4", "2.500", "50.0"], "{table}");
        assert_eq!((rows[3][0], rows[4][0]), ("backward", "a.setup"), "{table}");
    }
}
