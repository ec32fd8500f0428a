//! Drawn figures, ten classes, in the files of CIFAR-10's binary version: what stands in where the real ones
//! are not at hand.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use fastrand::Rng;

use super::made_data::make;

const SIDE: usize = 32;

/// Pictures in `data_batch_1.bin` and in `test_batch.bin`: as many of each class.
const TRAINING: usize = 1000;
const VALIDATION: usize = 200;

/// Whether a point belongs to a figure. The figure lies within -1 to 1 in both directions, y points down.
type Figure = fn(x: f64, y: f64) -> bool;

/// The classes, in the order of their labels.
const CLASSES: [(&str, Figure); 10] = [
    ("disc", |x, y| x.hypot(y) < 0.9),
    ("ring", |x, y| (0.55..0.95).contains(&x.hypot(y))),
    ("square", |x, y| edge(x, y) < 0.8),
    ("frame", |x, y| (0.5..0.85).contains(&edge(x, y))),
    ("triangle", |x, y| y < 0.8 && x.abs() < (y + 0.9) / 2.0),
    ("cross", |x, y| edge(x, y) < 0.95 && x.abs().min(y.abs()) < 0.25),
    ("saltire", |x, y| edge(x, y) < 0.85 && (x.abs() - y.abs()).abs() < 0.3),
    ("rows", |x, y| edge(x, y) < 0.9 && (y * 2.5).rem_euclid(1.0) < 0.5),
    ("columns", |x, y| edge(x, y) < 0.9 && (x * 2.5).rem_euclid(1.0) < 0.5),
    ("checkerboard", |x, y| {
        edge(x, y) < 0.9 && ((x * 2.0).rem_euclid(1.0) < 0.5) != ((y * 2.0).rem_euclid(1.0) < 0.5)
    }),
];

/// Where the data come from, written beside them. Drawn data with another text are drawn anew.
const SOURCE: &str = "Figures drawn by `cargo xtask demo resnet-cifar10`, in the format of CIFAR-10's binary \
                      version. Not CIFAR-10.\n";

/// Distance from the middle to the square around it that goes through the point.
fn edge(x: f64, y: f64) -> f64 {
    x.abs().max(y.abs())
}

/// Writes `data_batch_1.bin`, `test_batch.bin` and `batches.meta.txt`.
pub fn write(folder: &Path) -> Result<()> {
    make(folder, "Drawing figures in CIFAR-10's format", SOURCE, |partial| {
        let mut random = Rng::with_seed(42);
        let names = CLASSES.map(|(name, _)| format!("{name}\n")).concat();
        for (name, bytes) in [
            ("data_batch_1.bin", records(TRAINING, &mut random)),
            ("test_batch.bin", records(VALIDATION, &mut random)),
            ("batches.meta.txt", names.into_bytes()),
        ] {
            let path = partial.join(name);
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    })
}

/// So many pictures, each a label byte and a red, a green and a blue plane, rows from the top.
fn records(count: usize, random: &mut Rng) -> Vec<u8> {
    (0..count).flat_map(|index| record(index % CLASSES.len(), random)).collect()
}

/// A grey figure of some size at some place, on about the colour of its class, with noise over both.
fn record(class: usize, random: &mut Rng) -> Vec<u8> {
    let (_, figure) = CLASSES[class];
    let size = 7.0 + 6.0 * random.f64();
    let mut centre = || size + (SIDE as f64 - 2.0 * size) * random.f64();
    let (left, top) = (centre(), centre());
    let grey = 150.0 * random.f64();
    // Neighbours of the ten colours overlap.
    let hue = (class as f64 + 1.5 * (random.f64() - 0.5)) / CLASSES.len() as f64;
    let mut bytes = vec![u8::try_from(class).unwrap_or_default()];
    for channel in 0..3 {
        let colour = 127.5 + 107.5 * (std::f64::consts::TAU * (hue - f64::from(channel) / 3.0)).cos();
        for row in 0..SIDE {
            for column in 0..SIDE {
                let (x, y) = ((column as f64 + 0.5 - left) / size, (row as f64 + 0.5 - top) / size);
                let level = if figure(x, y) { grey } else { colour };
                bytes.push((level + 40.0 * (random.f64() - 0.5)) as u8);
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: usize = 1 + 3 * SIDE * SIDE;

    #[test]
    fn the_files_are_records_of_ten_classes() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("cifar10");
        write(&data).unwrap();
        for (name, count) in [("data_batch_1.bin", TRAINING), ("test_batch.bin", VALIDATION)] {
            let bytes = fs::read(data.join(name)).unwrap();
            assert_eq!(bytes.len(), count * RECORD);
            for class in 0..10 {
                let labels = bytes.chunks(RECORD).map(|record| record[0]);
                assert_eq!(
                    labels.filter(|label| *label == class).count(),
                    count / 10,
                    "{name}: class {class}"
                );
            }
        }
        assert_eq!(fs::read_to_string(data.join("batches.meta.txt")).unwrap().lines().count(), 10);
    }

    #[test]
    fn every_figure_is_seen_and_none_fills_the_picture() {
        let grid =
            || (-16..16).flat_map(|y| (-16..16).map(move |x| (f64::from(x) / 16.0, f64::from(y) / 16.0)));
        for (name, figure) in CLASSES {
            let inside = grid().filter(|(x, y)| figure(*x, *y)).count();
            assert!((200..700).contains(&inside), "{name} covers {inside} of 1024 points");
        }
    }

    #[test]
    fn real_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let beside = folder.path().join("beside");
        fs::create_dir_all(&beside).unwrap();
        fs::write(beside.join("data_batch_1.bin"), "real").unwrap();
        write(&beside).unwrap();
        assert_eq!(fs::read(beside.join("data_batch_1.bin")).unwrap(), b"real");

        let unpacked = folder.path().join("unpacked");
        fs::create_dir_all(unpacked.join("cifar-10-batches-bin")).unwrap();
        write(&unpacked).unwrap();
        assert!(!unpacked.join("data_batch_1.bin").exists());
    }
}
