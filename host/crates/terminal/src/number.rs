//! Numbers as a terminal shows them.

/// Digits of a number that count.
const DIGITS: usize = 4;

/// A number with four significant digits, in this one form wherever a terminal shows a loss or a metric;
/// small and large ones with a power of ten. One that is none is `no number`.
///
/// ```
/// use thaw_terminal::number;
///
/// let shown = [0.25, 1.31913, 8.848e-5, 0.0, f64::NAN].map(number);
/// assert_eq!(shown, ["0.2500", "1.319", "8.848e-5", "0.000", "no number"]);
/// ```
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "no number".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "infinite" } else { "-infinite" }.to_owned();
    }
    if value == 0.0 {
        return "0.000".to_owned();
    }
    // The power of the rounded number: 0.99996 is 1.000.
    let scientific = format!("{value:.0$e}", DIGITS - 1);
    let power: i32 = scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    if !(-3..6).contains(&power) {
        return scientific;
    }
    let places = usize::try_from(DIGITS as i32 - 1 - power).unwrap_or(0);
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_size_has_four_digits() {
        let shown = [0.99996, 0.001, 0.000_999_96, 123.456, -12.3456, 54_321.0, 999_999.0, 1e9].map(number);
        assert_eq!(
            shown,
            ["1.000", "0.001000", "0.001000", "123.5", "-12.35", "54321", "1.000e6", "1.000e9"]
        );
        assert_eq!([f64::INFINITY, f64::NEG_INFINITY, -0.0].map(number), ["infinite", "-infinite", "0.000"]);
    }
}
