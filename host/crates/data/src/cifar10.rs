//! The binary distribution of CIFAR-10.

use super::DataError;
use super::config::ImageConfig;
use super::dataset::Dataset;
use super::defaults::InputDefaults;
use super::image::Picture;
use super::pictures::{PictureDataset, PictureStore};
use super::stamps::{FileStamp, FileStamps};
use super::targets::Targets;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const SIDE: usize = 32;
const AREA: usize = SIDE * SIDE;
/// A label byte, then the red, green and blue plane, rows from the top.
const RECORD: usize = 1 + 3 * AREA;

const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// The folder in the distribution's archive.
const INNER: &str = "cifar-10-batches-bin";

/// The folder that holds the files: `path` or `cifar-10-batches-bin/` inside it.
pub(crate) fn files_folder(path: &Path) -> PathBuf {
    let inner = path.join(INNER);
    if inner.is_dir() { inner } else { path.to_path_buf() }
}

/// Whether there is a file of test pictures.
pub(crate) fn has_test_file(path: &Path) -> bool {
    files_folder(path).join("test_batch.bin").is_file()
}

/// The training files that are there, sorted.
pub(crate) fn training_files(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let path = entry.map_err(DataError::io(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("data_batch_") && name.ends_with(".bin") {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(DataError::layout(
            folder,
            "it has no data_batch_*.bin",
            "set `path` in [data] to the files of CIFAR-10's binary version (cifar-10-binary.tar.gz)",
        ));
    }
    files.sort();
    Ok(files)
}

/// Opens some of the files as one dataset; `labels` false ignores the label bytes.
pub(crate) fn open_cifar10(
    files: &[PathBuf],
    labels: bool,
    images: &ImageConfig,
    defaults: &InputDefaults,
) -> Result<Arc<dyn Dataset>, DataError> {
    let Some(folder) = files.first().and_then(|file| file.parent()) else {
        return Err(DataError::layout(Path::new("."), "no files", "name some"));
    };
    let names = class_names(folder)?;
    let mut store = Records::default();
    let mut indices = Vec::new();
    for path in files {
        let bytes = std::fs::read(path).map_err(DataError::io(path))?;
        if bytes.is_empty() || bytes.len() % RECORD != 0 {
            let found = format!("{} bytes are no whole number of records", bytes.len());
            let remedy = format!("CIFAR-10 has {RECORD} bytes per picture; fetch the file again");
            return Err(DataError::layout(path, found, remedy));
        }
        for (record, bytes) in bytes.chunks_exact(RECORD).enumerate() {
            let label = usize::from(bytes[0]);
            if labels && label >= names.len() {
                return Err(DataError::Label {
                    path: path.clone(),
                    place: format!("record {record}"),
                    found: label.to_string(),
                    expected: format!("0 to {}", names.len() - 1),
                });
            }
            indices.push(label);
        }
        let count = bytes.len() / RECORD;
        if let Ok(file) = std::fs::metadata(path) {
            store.stamps.add(FileStamp::from(&file));
        }
        store.files.push((store.count, path.clone(), bytes));
        store.count += count;
    }
    let targets = if labels { Targets::Classes(indices, names) } else { Targets::None };
    Ok(Arc::new(PictureDataset::new(Box::new(store), targets, &own_size(images, defaults), defaults)))
}

/// A model and a config without an opinion get the pictures at their own size, uncropped.
pub(crate) fn own_size(images: &ImageConfig, defaults: &InputDefaults) -> ImageConfig {
    let mut images = images.clone();
    if defaults.image_size.is_none() {
        images.image_size = images.image_size.or(Some(SIDE));
    }
    if defaults.crop_pct.is_none() {
        images.crop_pct = images.crop_pct.or(Some(1.0));
    }
    images
}

fn class_names(folder: &Path) -> Result<Vec<String>, DataError> {
    let path = folder.join("batches.meta.txt");
    if !path.is_file() {
        return Ok(CLASSES.map(str::to_string).to_vec());
    }
    let text = std::fs::read_to_string(&path).map_err(DataError::io(&path))?;
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_string).collect();
    if names.is_empty() {
        let remedy = "it needs one class per line; remove it to get CIFAR-10's own names";
        return Err(DataError::layout(&path, "no class names", remedy));
    }
    Ok(names)
}

/// Files held in memory: number of the first record, path, bytes.
#[derive(Default)]
struct Records {
    files: Vec<(usize, PathBuf, Vec<u8>)>,
    count: usize,
    stamps: FileStamps,
}

impl Records {
    fn find(&self, index: usize) -> (usize, &Path, &[u8]) {
        let file = self.files.partition_point(|&(first, ..)| first <= index) - 1;
        let (first, path, bytes) = &self.files[file];
        let record = index - first;
        (record, path, &bytes[record * RECORD..(record + 1) * RECORD])
    }
}

impl PictureStore for Records {
    fn len(&self) -> usize {
        self.count
    }
    fn picture(&self, index: usize, _max_pixels: u64) -> Result<Picture, DataError> {
        let (_, _, record) = self.find(index);
        let mut pixels = vec![0; 3 * AREA];
        for (channel, plane) in record[1..].chunks_exact(AREA).enumerate() {
            for (pixel, &level) in pixels.chunks_exact_mut(3).zip(plane) {
                pixel[channel] = level;
            }
        }
        Ok(Picture { width: SIDE as u32, height: SIDE as u32, pixels })
    }
    fn id(&self, index: usize) -> String {
        let (record, path, _) = self.find(index);
        format!("{}#{record}", path.display())
    }
    fn identity(&self, index: usize) -> String {
        let (record, path, _) = self.find(index);
        format!("{}#{record}", path.file_name().unwrap_or_default().to_string_lossy())
    }
    fn spelled(&self, index: usize, root: &Path) -> String {
        let (record, path, _) = self.find(index);
        let inner = path.parent().is_some_and(|folder| folder.ends_with(INNER));
        let folder = if inner && !root.ends_with(INNER) { root.join(INNER) } else { root.to_path_buf() };
        format!("{}#{record}", folder.join(path.file_name().unwrap_or_default()).display())
    }
    fn stamps(&self) -> FileStamps {
        self.stamps
    }
    fn files(&self) -> Vec<PathBuf> {
        self.files.iter().map(|(_, path, _)| path.clone()).collect()
    }
    fn is_decoded(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delivery, Pass};

    const PASS: Pass = Pass { seed: 0, epoch: 0, view: 0, augment: false, delivery: Delivery::Cpu };

    fn record(label: u8, [r, g, b]: [u8; 3]) -> Vec<u8> {
        let mut bytes = vec![label];
        for level in [r, g, b] {
            // The first pixel of each plane differs, to see where it ends up.
            bytes.push(level + 1);
            bytes.extend([level; AREA - 1]);
        }
        bytes
    }

    #[test]
    fn records_are_a_label_and_three_planes() {
        let dir = tempfile::tempdir().expect("folder");
        let files = [dir.path().join("data_batch_1.bin"), dir.path().join("data_batch_2.bin")];
        let bytes = [record(3, [10, 20, 30]), record(9, [0, 0, 0])].concat();
        std::fs::write(&files[0], bytes).expect("written");
        std::fs::write(&files[1], record(0, [250, 0, 100])).expect("written");
        assert_eq!(training_files(dir.path()).expect("found"), files);
        let config =
            ImageConfig { mean: Some([0.0; 3]), std: Some([1.0 / 255.0; 3]), ..ImageConfig::default() };
        let data = open_cifar10(&files, true, &config, &InputDefaults::default()).expect("opens");
        assert_eq!(data.len(), 3);
        assert_eq!(data.class_names()[3], "cat");
        assert!(data.id(2).ends_with("data_batch_2.bin#0"), "{}", data.id(2));
        let batch = data.batch(&[2, 0], &PASS).expect("batch");
        assert_eq!(batch.inputs[0].1.size(), [2, 3, 32, 32]);
        let targets: Vec<i64> = batch.targets.as_ref().expect("targets").try_into().expect("i64");
        assert_eq!(targets, [0, 3]);
        let at = |c, y, x| batch.inputs[0].1.double_value(&[1, c, y, x]).round();
        for (channel, level) in [(0, 10.0), (1, 20.0), (2, 30.0)] {
            assert_eq!(at(channel, 0, 0), level + 1.0);
            assert_eq!(at(channel, 0, 1), level);
            assert_eq!(at(channel, 31, 31), level);
        }
    }

    #[test]
    fn a_cut_off_file_and_a_label_out_of_range_are_named() {
        let dir = tempfile::tempdir().expect("folder");
        let file = dir.path().join("data_batch_1.bin");
        let open = || {
            let files = [file.clone()];
            match open_cifar10(&files, true, &ImageConfig::default(), &InputDefaults::default()) {
                Ok(_) => panic!("accepted"),
                Err(error) => error.to_string(),
            }
        };
        std::fs::write(&file, &record(1, [0; 3])[..3000]).expect("written");
        let text = open();
        assert!(text.contains("data_batch_1.bin") && text.contains("3000 bytes"), "{text}");
        std::fs::write(&file, [record(1, [0; 3]), record(10, [0; 3])].concat()).expect("written");
        let text = open();
        assert!(text.contains("record 1") && text.contains("label 10"), "{text}");
        let empty = tempfile::tempdir().expect("folder");
        let text = training_files(empty.path()).expect_err("empty").to_string();
        assert!(text.contains("data_batch_*.bin"), "{text}");
    }
}
