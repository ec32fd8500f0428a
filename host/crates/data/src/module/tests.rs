use crate::testing::{open, picture_folder, refusal, write_png};
use crate::{DataModule, Split};
use std::collections::BTreeSet;
use std::path::Path;

const SPLIT: &str = "kind = \"image-folder\"\npath = \"{dir}\"\nimage_size = 8\nval_split = 0.25\n";

fn ids(data: &DataModule, split: Split) -> BTreeSet<String> {
    (0..data.samples(split)).map(|i| data.id(split, i)).collect()
}

#[test]
fn a_split_takes_its_share_of_each_class_and_is_the_same_every_time() {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(dir.path(), &[("a", 16), ("b", 8), ("c", 2), ("d", 1)]);
    let data = open(dir.path(), SPLIT).expect("opens");
    let summary = data.summary();
    assert_eq!(summary.train.per_class, [12, 6, 1, 1]);
    assert_eq!(summary.val.expect("val").per_class, [4, 2, 1, 0]);
    let (train, val) = (ids(&data, Split::Train), ids(&data, Split::Val));
    assert_eq!(train.union(&val).count(), 27);
    let again = open(dir.path(), &format!("{SPLIT}batch_size = 3")).expect("opens");
    assert_eq!(ids(&again, Split::Val), val);
    let other = open(dir.path(), &format!("{SPLIT}split_seed = 1")).expect("opens");
    assert_ne!(ids(&other, Split::Val), val);
}

#[test]
fn batches_of_a_split_name_their_own_samples() {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(dir.path(), &[("a", 8), ("b", 8)]);
    let data = open(dir.path(), SPLIT).expect("opens");
    let bad = data.id(Split::Val, 2);
    std::fs::write(&bad, b"no picture").expect("written");
    let data = open(dir.path(), &format!("{SPLIT}on_error = \"skip\"")).expect("opens");
    let loader = data.loader(Split::Val, 0, 0).expect("starts").expect("there");
    let batch = loader.last().expect("one").expect("made");
    assert_eq!(batch.indices, [0, 1, 3]);
    let targets: Vec<i64> = batch.targets.expect("targets").try_into().expect("i64");
    let val = data.dataset(Split::Val).expect("there");
    for (index, target) in batch.indices.iter().zip(targets) {
        assert_eq!(val.class_of(*index), Some(target as usize));
    }
    assert_eq!(data.skipped(), [bad]);
}

#[test]
fn validation_is_never_shuffled_or_augmented() {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(dir.path(), &[("a", 8), ("b", 8)]);
    let lines = format!("{SPLIT}val_batch_size = 3\naugment = {{ horizontal_flip = 1.0 }}");
    let data = open(dir.path(), &lines).expect("opens");
    let walk = |epoch| {
        let loader = data.loader(Split::Val, epoch, 0).expect("starts").expect("there");
        let batches: Vec<_> = loader.map(|b| b.expect("made")).collect();
        crate::testing::contents(&batches)
    };
    assert_eq!(walk(0), walk(5));
    assert_eq!(walk(0)[0].1, [0, 1, 2]);
    assert_eq!(data.batches(Split::Val), 2);
    assert!(data.fixed_inputs(Split::Val));
    assert!(!data.fixed_inputs(Split::Train));
}

#[test]
fn fewer_samples_than_a_batch_cannot_be_dropped() {
    let dir = tempfile::tempdir().expect("folder");
    picture_folder(dir.path(), &[("a", 2)]);
    let text = refusal(dir.path(), "kind = \"image-folder\"\npath = \"{dir}\"\ndrop_last = true");
    assert!(text.contains("`drop_last`") && text.contains("2 training samples"), "{text}");
}

fn list(dir: &Path, name: &str, content: &str) {
    std::fs::write(dir.join(name), content).expect("written");
}

const LIST: &str = "kind = \"list\"\npath = \"{dir}/train.csv\"\nimage_size = 8\n";

#[test]
fn a_list_names_pictures_relative_to_itself() {
    let dir = tempfile::tempdir().expect("folder");
    for i in 0..4 {
        write_png(&dir.path().join(format!("p/{i}.png")), 8, [i * 10; 3]);
    }
    list(dir.path(), "train.csv", "path,label\np/0.png,dog\np/1.png,cat\np/2.png,dog\n");
    list(dir.path(), "val.tsv", "label\tpath\ndog\tp/3.png\n");
    let data = open(dir.path(), &format!("{LIST}val_path = \"{{dir}}/val.tsv\"")).expect("opens");
    assert_eq!(data.class_names(), ["cat", "dog"]);
    assert_eq!(data.summary().train.per_class, [1, 2]);
    assert_eq!(data.summary().val.expect("val").per_class, [0, 1]);

    let data = open(dir.path(), &format!("{LIST}classes = [\"dog\", \"cat\"]")).expect("opens");
    assert_eq!(data.summary().train.per_class, [2, 1]);

    list(dir.path(), "val.tsv", "label\tpath\ncow\tp/3.png\n");
    let text = refusal(dir.path(), &format!("{LIST}val_path = \"{{dir}}/val.tsv\""));
    assert!(text.contains("val.tsv, line 2") && text.contains("cow"), "{text}");
}

#[test]
fn a_list_of_numbers_is_a_regression_target() {
    let dir = tempfile::tempdir().expect("folder");
    write_png(&dir.path().join("a.png"), 8, [9; 3]);
    list(dir.path(), "train.csv", "a.png,0.25\na.png,-3\n");
    let data = open(dir.path(), &format!("{LIST}target = \"value\"\nshuffle = false")).expect("opens");
    assert!(data.class_names().is_empty());
    let mut loader = data.loader(Split::Train, 0, 0).expect("starts").expect("there");
    let batch = loader.next().expect("one").expect("made");
    let targets: Vec<f32> = batch.targets.expect("targets").try_into().expect("f32");
    assert_eq!(targets, [0.25, -3.0]);
}

#[test]
fn pictures_missing_from_a_list_fail_or_are_left_out() {
    let dir = tempfile::tempdir().expect("folder");
    write_png(&dir.path().join("a.png"), 8, [9; 3]);
    std::fs::write(dir.path().join("empty.png"), b"").expect("written");
    list(dir.path(), "train.csv", "path,label\na.png,0\ngone.png,1\nempty.png,1\n");
    let text = refusal(dir.path(), LIST);
    assert!(text.contains("line 3") && text.contains("gone.png does not exist"), "{text}");
    let data = open(dir.path(), &format!("{LIST}on_error = \"skip\"")).expect("opens");
    assert_eq!(data.samples(Split::Train), 1);
}
