//! Weights and pictures by formula, so that references need not carry them.

use thaw_plugin_api::tch::{Device, Kind, Tensor};

/// CRC-32 as in zlib.
fn crc32(text: &str) -> u32 {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

/// The number in -1..1 of an element: splitmix64 of the name's checksum and the flat index.
fn unit(checksum: u32, index: u64) -> f64 {
    let x = (u64::from(checksum) << 32).wrapping_add(index).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let x = x ^ (x >> 31);
    (x >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// The values of a parameter or float buffer.
pub fn values(name: &str, shape: &[i64], gain: f64) -> Tensor {
    let (offset, scale) = match () {
        () if name.ends_with("running_mean") => (0.0, 0.1),
        () if name.ends_with("running_var") => (1.0, 0.1),
        () if shape.len() > 1 => (0.0, gain * (3.0 / fan_in(shape) as f64).sqrt()),
        () if name.ends_with("bias") => (0.0, 0.1),
        () => (1.0, 0.1),
    };
    let (checksum, count) = (crc32(name), shape.iter().product::<i64>());
    let values: Vec<f32> =
        (0..count as u64).map(|index| (offset + scale * unit(checksum, index)) as f32).collect();
    Tensor::from_slice(&values).view(shape)
}

fn fan_in(shape: &[i64]) -> i64 {
    match shape {
        [1, .., last] => *last,
        [_, rest @ ..] => rest.iter().product(),
        [] => 1,
    }
}

/// Pictures `[batch, channels, height, width]`.
pub fn images(shape: &[i64]) -> Tensor {
    let &[batch, channels, height, width] = shape else {
        panic!("pictures have four dimensions, not {shape:?}")
    };
    let count = |size: i64| Tensor::arange(size, (Kind::Double, Device::Cpu));
    let b = count(batch).view([-1, 1, 1, 1]);
    let c = count(channels).view([1, -1, 1, 1]);
    let (y, x) = (count(height).view([1, 1, -1, 1]), count(width).view([1, 1, 1, -1]));
    let phase = &b * 0.9 + &c * 0.5 + (&b + 1.0) * 0.11 * y + (&c + 1.0) * 0.07 * x;
    phase.sin().to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_str};

    use super::*;

    #[test]
    fn the_worked_examples_come_out() {
        let text = std::fs::read_to_string(crate::fixtures().join("formula.json")).unwrap();
        let worked: Value = from_str(&text).unwrap();
        for row in worked["weights"].as_array().unwrap() {
            let (name, index) = (row["name"].as_str().unwrap(), row["index"].as_u64().unwrap());
            assert_eq!(u64::from(crc32(name)), row["crc32"].as_u64().unwrap());
            assert_eq!(unit(crc32(name), index), row["unit"].as_f64().unwrap(), "{name}");
            let shape: Vec<i64> = row["shape"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
            let value = values(name, &shape, row["gain"].as_f64().unwrap())
                .flatten(0, -1)
                .double_value(&[index as i64]);
            assert_eq!(value as f32, row["value"].as_f64().unwrap() as f32, "{name}");
        }
        let pictures = &worked["images_2x3x64x64"];
        let ours = images(&[2, 3, 64, 64]);
        for point in pictures["values"].as_array().unwrap() {
            let at: Vec<i64> = point["at"].as_array().unwrap().iter().filter_map(Value::as_i64).collect();
            assert!((ours.double_value(&at) - point["value"].as_f64().unwrap()).abs() < 1e-8);
        }
    }
}
