//! Data for a plugin's first run: small, the same everywhere, and out of reach for a linear layer alone.

use std::io;

use safetensors::tensor::{Dtype, TensorView, serialize};

/// Points on two rings: `x`, `[count, 2]`, f32; which ring each is on: `y`, `[count]`, i64. As a .safetensors
/// file.
///
/// # Errors
/// Memory runs out.
pub fn safetensors(count: usize) -> io::Result<Vec<u8>> {
    let (mut points, mut rings) = (Vec::new(), Vec::new());
    for index in 0..count {
        let ring = index % 2;
        // The golden angle spreads them evenly; the radius varies by less than the rings are apart.
        let (angle, radius) =
            (index as f64 * 2.399_963, 1.0 + ring as f64 + 0.3 * (7.0 * index as f64).sin());
        for coordinate in [radius * angle.cos(), radius * angle.sin()] {
            points.extend_from_slice(&(coordinate as f32).to_le_bytes());
        }
        rings.extend_from_slice(&(ring as i64).to_le_bytes());
    }
    let x = TensorView::new(Dtype::F32, vec![count, 2], &points).map_err(io::Error::other)?;
    let y = TensorView::new(Dtype::I64, vec![count], &rings).map_err(io::Error::other)?;
    serialize([("x", x), ("y", y)], None).map_err(io::Error::other)
}
