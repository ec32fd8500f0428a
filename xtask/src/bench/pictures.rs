//! The pictures that are read: as JPEG and as PNG, a folder per class.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use image::{ImageFormat, Rgb, RgbImage};

use crate::demo::made_data;

const CLASSES: u32 = 4;
const PER_CLASS: u32 = 64;
/// Width and height, those of most of ImageNet's.
const SIZE: (u32, u32) = (500, 375);
const NOTE: &str = "Drawn by `cargo xtask bench`, version 1: waves with grain.\n";

/// Draws them where they are not there.
pub fn make(folder: &Path) -> Result<()> {
    made_data::make(folder, "Drawing pictures", NOTE, |partial| {
        for class in 0..CLASSES {
            for number in 0..PER_CLASS {
                let picture = draw(class, number);
                for (kind, format) in [("jpeg", ImageFormat::Jpeg), ("png", ImageFormat::Png)] {
                    let path = partial.join(kind).join(class.to_string()).join(format!("{number}.{kind}"));
                    fs::create_dir_all(path.parent().unwrap_or(partial))?;
                    picture
                        .save_with_format(&path, format)
                        .with_context(|| format!("cannot write {}", path.display()))?;
                }
            }
        }
        Ok(())
    })
}

/// As hard to compress as a photograph: smooth shapes, and grain over them.
fn draw(class: u32, number: u32) -> RgbImage {
    let mut random = fastrand::Rng::with_seed(u64::from(class * PER_CLASS + number));
    let waves: Vec<[f32; 4]> = (0..6)
        .map(|_| [random.f32() * 0.05, random.f32() * 0.05, random.f32() * 6.3, 10.0 + random.f32() * 20.0])
        .collect();
    RgbImage::from_fn(SIZE.0, SIZE.1, |x, y| {
        let wave = |shift: f32| {
            let height = |[a, b, phase, size]: &[f32; 4]| {
                size * (a * x as f32 + b * y as f32 + phase + shift * class as f32).sin()
            };
            waves.iter().map(height).sum::<f32>() + 128.0
        };
        let grain = random.f32() * 16.0 - 8.0;
        Rgb([wave(0.0) + grain, wave(0.7) + grain, wave(1.9) + grain].map(|level| level as u8))
    })
}
