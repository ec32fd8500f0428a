//! Random brightness, contrast and saturation.

use crate::config::ColorJitter;
use crate::random::CounterRng;

/// Blends the pixels with black (brightness), with their mean grey (contrast) and with their own
/// grey (saturation), in random order, each step rounded to 8 bits as torchvision does.
pub(super) fn apply(pixels: &mut [u8], config: &ColorJitter, rng: &mut CounterRng) {
    let mut order = [0, 1, 2];
    rng.shuffle(&mut order);
    let strengths = [config.brightness, config.contrast, config.saturation];
    for step in order {
        let strength = strengths[step];
        let factor = rng.between((1.0 - strength).max(0.0), 1.0 + strength) as f32;
        if strength == 0.0 {
            continue;
        }
        match step {
            0 => by_level(pixels, factor, 0.0),
            1 => {
                let sum: f64 = pixels.chunks_exact(3).map(|p| f64::from(grey(p))).sum();
                let count = (pixels.len() / 3).max(1) as f64;
                by_level(pixels, factor, (sum / count) as f32);
            }
            _ => {
                for pixel in pixels.chunks_exact_mut(3) {
                    let other = grey(pixel);
                    for level in pixel {
                        *level = blend(*level, other, factor);
                    }
                }
            }
        }
    }
}

fn by_level(pixels: &mut [u8], factor: f32, other: f32) {
    let mut table = [0u8; 256];
    for (level, blended) in table.iter_mut().enumerate() {
        *blended = blend(level as u8, other, factor);
    }
    for level in pixels {
        *level = table[*level as usize];
    }
}

fn blend(level: u8, other: f32, factor: f32) -> u8 {
    // `as` saturates, which is the clamp to 0..=255.
    (factor * f32::from(level) + (1.0 - factor) * other) as u8
}

/// Luminance (ITU-R 601).
fn grey(pixel: &[u8]) -> f32 {
    0.2989 * f32::from(pixel[0]) + 0.587 * f32::from(pixel[1]) + 0.114 * f32::from(pixel[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_one_changes_nothing_and_zero_leaves_the_other() {
        let mut pixels = vec![10, 20, 30, 200, 100, 50];
        by_level(&mut pixels, 1.0, 77.0);
        assert_eq!(pixels, [10, 20, 30, 200, 100, 50]);
        by_level(&mut pixels, 0.0, 77.0);
        assert_eq!(pixels, [77; 6]);
        assert_eq!(blend(200, 0.0, 2.0), 255);
        assert_eq!(blend(10, 200.0, 2.0), 0);
    }

    #[test]
    fn saturation_keeps_greys() {
        let config = ColorJitter { saturation: 0.9, ..ColorJitter::default() };
        let mut pixels = vec![128; 30];
        apply(&mut pixels, &config, &mut CounterRng::new(&[3]));
        assert!(pixels.iter().all(|&p| p.abs_diff(128) <= 1), "{pixels:?}");
    }
}
