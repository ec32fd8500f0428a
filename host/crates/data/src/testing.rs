//! Small data for the tests of this module.

use super::{Batch, DataConfig, DataError, DataModule, InputDefaults};
use std::path::Path;

/// A config from the lines of a `[data]` table, with `{dir}` replaced.
pub(crate) fn config(dir: &Path, lines: &str) -> DataConfig {
    let text = lines.replace("{dir}", &dir.display().to_string());
    toml::from_str(&text).expect("valid [data]")
}

/// Opens data with seed 42 and a model that has no opinion on pictures.
pub(crate) fn open(dir: &Path, lines: &str) -> Result<DataModule, DataError> {
    DataModule::open(&config(dir, lines), 42, &InputDefaults::default())
}

/// The text of the error that opening ends with.
pub(crate) fn refusal(dir: &Path, lines: &str) -> String {
    match open(dir, lines) {
        Ok(_) => panic!("accepted: {lines}"),
        Err(error) => error.to_string(),
    }
}

/// A PNG of one colour with a darker left half, so that flips and crops show.
pub(crate) fn write_png(path: &Path, side: u32, [r, g, b]: [u8; 3]) {
    let picture = image::RgbImage::from_fn(side, side, |x, y| {
        let dim = |level: u8| if x < side / 2 { level / 2 } else { level };
        image::Rgb([dim(r), dim(g).wrapping_add(y as u8), dim(b)])
    });
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("folder");
    picture.save(path).expect("written");
}

/// Class folders with so many pictures each, all different.
pub(crate) fn picture_folder(root: &Path, classes: &[(&str, usize)]) {
    for (c, (class, count)) in classes.iter().enumerate() {
        for i in 0..*count {
            let color = [(c * 60) as u8, (i * 7) as u8, 200];
            write_png(&root.join(class).join(format!("{i:03}.png")), 12, color);
        }
    }
}

/// Position, indices, pixels and targets of a batch.
pub(crate) type Content = (usize, Vec<usize>, Vec<f32>, Vec<i64>);

/// What batches hold, for exact comparison.
pub(crate) fn contents(batches: &[Batch]) -> Vec<Content> {
    batches
        .iter()
        .map(|batch| {
            let pixels = batch.inputs[0].1.flatten(0, -1);
            (
                batch.position,
                batch.indices.clone(),
                Vec::try_from(pixels).expect("f32"),
                Vec::try_from(batch.targets.as_ref().expect("targets")).expect("i64"),
            )
        })
        .collect()
}
