use std::path::Path;

use super::*;
use crate::testing::{open, picture_folder, write_png};
use std::time::{Duration, SystemTime};

const PICTURES: &str = "kind = \"image-folder\"\npath = \"{dir}/pictures\"\nimage_size = 8\n";
const TEXTS: &str = "kind = \"list\"\npath = \"{dir}/list.csv\"\nroot = \"{dir}/pictures\"\nimage_size = 8\n";

/// Six pictures in two classes, and a list of them.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(&dir.path().join("pictures"), &[("cat", 3), ("dog", 3)]);
    write_list(dir.path(), "dog");
    dir
}

fn write_list(dir: &Path, label_of_the_last: &str) {
    let rows = ["cat/000.png,cat", "cat/001.png,cat", "dog/000.png,dog", "dog/001.png"].join("\n");
    std::fs::write(dir.join("list.csv"), format!("path,label\n{rows},{label_of_the_last}\n"))
        .expect("written");
}

fn print(dir: &Path, lines: &str) -> Fingerprint {
    open(dir, lines).expect("opens").fingerprints().train
}

fn change(dir: &Path, lines: &str, what: impl FnOnce(&Path)) -> [Option<DataChange>; 2] {
    let before = print(dir, lines);
    what(dir);
    let after = print(dir, lines);
    [Place::Same, Place::Other].map(|place| after.change_since(&before, place))
}

#[test]
fn what_nobody_touched_is_the_same() {
    let dir = folder();
    for lines in [PICTURES, TEXTS] {
        assert_eq!(change(dir.path(), lines, |_| ()), [None; 2]);
    }
    let whole = print(dir.path(), PICTURES);
    let split = print(dir.path(), &format!("{PICTURES}val_split = 0.3\n"));
    assert_eq!(whole, split, "a split is made afterwards");
}

#[test]
fn further_samples_other_names_and_other_labels_are_told_apart() {
    let dir = folder();
    let further = |dir: &Path| write_png(&dir.join("pictures/dog/900.png"), 12, [1; 3]);
    let count = Some(DataChange::Count { found: 7, expected: 6 });
    assert_eq!(change(dir.path(), PICTURES, further), [count; 2]);
    let rename = |dir: &Path| {
        std::fs::rename(dir.join("pictures/dog/900.png"), dir.join("pictures/dog/901.png")).expect("renamed");
    };
    assert_eq!(change(dir.path(), PICTURES, rename), [Some(DataChange::Names { samples: 7 }); 2]);
    assert_eq!(
        change(dir.path(), TEXTS, |dir| write_list(dir, "cat")),
        [Some(DataChange::Labels); 2],
        "the file has as many bytes"
    );
}

#[test]
fn other_contents_are_told_by_the_size_and_in_the_same_place_by_the_time() {
    let dir = folder();
    let larger = |dir: &Path| write_png(&dir.join("pictures/cat/001.png"), 40, [9; 3]);
    let sizes = change(dir.path(), PICTURES, larger);
    assert!(sizes.iter().all(|change| matches!(change, Some(DataChange::Sizes { .. }))), "{sizes:?}");
    let later = |dir: &Path| {
        let file =
            std::fs::File::options().append(true).open(dir.join("pictures/cat/001.png")).expect("there");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(7)).expect("set");
    };
    assert_eq!(change(dir.path(), PICTURES, later), [Some(DataChange::Times), None]);
}

#[test]
fn rows_of_a_file_are_counted_and_their_file_is_looked_at() {
    let dir = tempfile::tempdir().expect("folder");
    let x = |rows: i64| tch::Tensor::zeros([rows, 3], (tch::Kind::Float, tch::Device::Cpu));
    let write = |dir: &Path, rows| {
        tch::Tensor::write_safetensors(&[("x", x(rows))], dir.join("d.safetensors")).expect("written");
    };
    write(dir.path(), 4);
    let lines = "kind = \"tensors\"\npath = \"{dir}/d.safetensors\"\n";
    let [change, _] = change(dir.path(), lines, |dir| write(dir, 5));
    assert_eq!(change, Some(DataChange::Count { found: 5, expected: 4 }));
}
