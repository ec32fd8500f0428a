use tch::{Kind, Tensor};

use super::{bias_for, kaiming_normal_fan_out, kaiming_uniform, truncated_normal, xavier_uniform};

fn range(tensor: &Tensor) -> (f64, f64) {
    (tensor.min().double_value(&[]), tensor.max().double_value(&[]))
}

fn std(tensor: &Tensor) -> f64 {
    tensor.to_kind(Kind::Double).std(false).double_value(&[])
}

/// A uniform distribution over plus and minus `bound`: within it, close to both ends, and of the right
/// spread.
fn assert_uniform(tensor: &Tensor, bound: f64) {
    let (low, high) = range(tensor);
    assert!(low >= -bound && high <= bound, "{low}..{high} leaves plus and minus {bound}");
    assert!(
        low < -0.98 * bound && high > 0.98 * bound,
        "{low}..{high} does not reach plus and minus {bound}"
    );
    let expected = bound / 3.0_f64.sqrt();
    assert!((std(tensor) / expected - 1.0).abs() < 0.05, "std {} instead of {expected}", std(tensor));
}

fn assert_normal(tensor: &Tensor, expected: f64) {
    assert!((std(tensor) / expected - 1.0).abs() < 0.05, "std {} instead of {expected}", std(tensor));
    let mean = tensor.mean(Kind::Double).double_value(&[]);
    assert!(mean.abs() < 0.05 * expected, "mean {mean}");
}

#[test]
fn linear_and_convolution_start_within_one_over_the_root_of_fan_in() {
    assert_uniform(&kaiming_uniform(&[300, 40]).unwrap(), 1.0 / 40.0_f64.sqrt());
    assert_uniform(&kaiming_uniform(&[64, 16, 3, 3]).unwrap(), 1.0 / 144.0_f64.sqrt());
    assert_uniform(&bias_for(&[5000, 16, 3, 3]).unwrap(), 1.0 / 144.0_f64.sqrt());
}

#[test]
fn a_depthwise_convolution_has_its_window_as_fan_in() {
    assert_uniform(&kaiming_uniform(&[512, 1, 3, 3]).unwrap(), 1.0 / 3.0);
}

#[test]
fn xavier_takes_both_fans_and_kaiming_normal_the_outer_one() {
    assert_uniform(&xavier_uniform(&[300, 100]).unwrap(), (6.0_f64 / 400.0).sqrt());
    assert_normal(&kaiming_normal_fan_out(&[64, 32, 3, 3]).unwrap(), (2.0_f64 / 576.0).sqrt());
}

#[test]
fn a_truncated_normal_ends_at_its_bounds_and_no_earlier() {
    let cut = truncated_normal(&[20_000], 1.0, -2.0, 2.0).unwrap();
    let (low, high) = range(&cut);
    assert!((-2.0..-1.95).contains(&low) && high <= 2.0 && high > 1.95, "{low}..{high}");
    // The spread of a normal cut at two standard deviations.
    assert!((std(&cut) - 0.879_626).abs() < 0.02, "std {}", std(&cut));
    // PyTorch's default bounds are -2 and 2 for every `std`: far away from 0.02.
    let wide = truncated_normal(&[20_000], 0.02, -2.0, 2.0).unwrap();
    assert_normal(&wide, 0.02);
    let (low, high) = range(&wide);
    assert!(low < -0.06 && high > 0.06 && low > -0.14 && high < 0.14, "{low}..{high}");
}

#[test]
fn weights_without_features_are_refused() {
    assert!(kaiming_uniform(&[4]).is_err());
    assert!(kaiming_uniform(&[4, 0]).is_err());
    assert!(kaiming_normal_fan_out(&[0, 4]).is_err());
    assert!(truncated_normal(&[4], 0.0, -2.0, 2.0).is_err());
}
