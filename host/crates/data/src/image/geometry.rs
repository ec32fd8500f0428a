//! Which part of a picture the model sees.

use crate::config::RandomResizedCrop;
use crate::random::CounterRng;

/// Start and length, in pixels of the picture, of the middle `size` pixels of a side that was `full` and is
/// resized.
fn middle(resized: f64, full: f64, size: f64) -> (f64, f64) {
    let start = ((resized - size) / 2.0).round_ties_even();
    let scale = full / resized;
    (start * scale, (size * scale).min(full - start * scale))
}

/// A part of a picture in its pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct CropBox {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl CropBox {
    pub(super) fn whole(width: u32, height: u32) -> CropBox {
        CropBox { left: 0.0, top: 0.0, width: f64::from(width), height: f64::from(height) }
    }

    /// The same part of the picture at another size.
    pub(crate) fn scaled(self, from: (u32, u32), to: (u32, u32)) -> CropBox {
        let side = |start: f64, length: f64, from: u32, to: u32| {
            let (scale, to) = (f64::from(to) / f64::from(from), f64::from(to));
            let start = (start * scale).min(to);
            // Rounded, it may end a little behind the border.
            (start, (length * scale).min(to - start))
        };
        let (left, width) = side(self.left, self.width, from.0, to.0);
        let (top, height) = side(self.top, self.height, from.1, to.1);
        CropBox { left, top, width, height }
    }

    /// What a resize of the shorter side to `size / crop_pct`, followed by a crop of the centre to `size` x
    /// `size`, leaves of the picture. One resize of this part then does both, and a strip of 1 x 10000 pixels
    /// never becomes a giant. Roundings are torchvision's (`Resize`, `CenterCrop`).
    pub(super) fn centre(width: u32, height: u32, size: usize, crop_pct: f64) -> CropBox {
        let shorter = (size as f64 / crop_pct).floor();
        let (w, h) = (f64::from(width), f64::from(height));
        let (resized_w, resized_h) = if width <= height {
            (shorter, (shorter * h / w).floor())
        } else {
            ((shorter * w / h).floor(), shorter)
        };
        let (left, width) = middle(resized_w, w, size as f64);
        let (top, height) = middle(resized_h, h, size as f64);
        CropBox { left, top, width, height }
    }

    /// The same of a resize of both sides to `size / crop_pct`.
    pub(super) fn centre_of_square(width: u32, height: u32, size: usize, crop_pct: f64) -> CropBox {
        let resized = (size as f64 / crop_pct).floor();
        let (left, width) = middle(resized, f64::from(width), size as f64);
        let (top, height) = middle(resized, f64::from(height), size as f64);
        CropBox { left, top, width, height }
    }

    /// A part of random area and proportions, as torchvision's `RandomResizedCrop` draws it.
    pub(super) fn random(
        width: u32,
        height: u32,
        config: &RandomResizedCrop,
        rng: &mut CounterRng,
    ) -> CropBox {
        let (w, h) = (f64::from(width), f64::from(height));
        let [least, largest] = config.ratio;
        for _ in 0..10 {
            let area = w * h * rng.between(config.scale[0], config.scale[1]);
            let ratio = rng.between(least.ln(), largest.ln()).exp();
            let part_w = (area * ratio).sqrt().round();
            let part_h = (area / ratio).sqrt().round();
            if (1.0..=w).contains(&part_w) && (1.0..=h).contains(&part_h) {
                return CropBox {
                    left: rng.below((w - part_w) as u64 + 1) as f64,
                    top: rng.below((h - part_h) as u64 + 1) as f64,
                    width: part_w,
                    height: part_h,
                };
            }
        }
        // Nothing fits a picture of these proportions: the largest centre part within the ratios.
        let (part_w, part_h) = if w / h < least {
            (w, (w / least).round().clamp(1.0, h))
        } else if w / h > largest {
            ((h * largest).round().clamp(1.0, w), h)
        } else {
            (w, h)
        };
        CropBox {
            left: ((w - part_w) / 2.0).floor(),
            top: ((h - part_h) / 2.0).floor(),
            width: part_w,
            height: part_h,
        }
    }
}

/// Mirrors a row of RGB pixels.
pub(super) fn mirror(row: &mut [u8]) {
    let count = row.len() / 3;
    for i in 0..count / 2 {
        for channel in 0..3 {
            row.swap(i * 3 + channel, (count - 1 - i) * 3 + channel);
        }
    }
}
