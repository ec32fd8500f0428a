//! Numbers of channels.

/// The multiple of `divisor` nearest to `value`, at least one of them and not less than nine tenths of
/// `value` (torchvision's `_make_divisible`).
pub fn make_divisible(value: f64, divisor: i64) -> i64 {
    let rounded = ((value + divisor as f64 / 2.0) as i64 / divisor * divisor).max(divisor);
    if (rounded as f64) < 0.9 * value { rounded + divisor } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::make_divisible;

    /// Values of torchvision's function.
    #[test]
    fn channels_are_rounded_as_torchvision_does() {
        let rounded = [1.0, 11.0, 12.0, 18.0, 24.0, 35.2, 672.0 / 4.0].map(|value| make_divisible(value, 8));
        assert_eq!(rounded, [8, 16, 16, 24, 24, 32, 168]);
    }
}
