use crate::testing::{config, picture_folder, write_png};
use crate::{Batch, DataError, InputDefaults, PredictData};
use std::path::Path;

const PICTURES: &str = "kind = \"image-folder\"\npath = \"nowhere\"\nimage_size = 8\nbatch_size = 2\naugment \
                        = { horizontal_flip = 1.0 }\n";

fn open(lines: &str, input: &Path) -> Result<PredictData, DataError> {
    let config = config(Path::new("."), lines);
    PredictData::open(&config, input, &InputDefaults::default())
}

fn batches(data: &PredictData) -> Vec<Batch> {
    data.loader().expect("starts").map(|b| b.expect("made")).collect()
}

fn names(data: &PredictData, root: &Path) -> Vec<String> {
    let root = format!("{}/", root.display());
    (0..data.len()).map(|i| data.id(i).replace(&root, "")).collect()
}

fn refusal(lines: &str, input: &Path) -> String {
    match open(lines, input) {
        Ok(_) => panic!("accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn folders_pictures_and_lists_can_be_predicted_on() {
    let dir = tempfile::tempdir().expect("folder");
    let root = dir.path();
    picture_folder(root, &[("b", 2), ("a/deep", 1)]);
    std::fs::write(root.join("notes.txt"), "x").expect("written");
    let data = open(PICTURES, root).expect("opens");
    assert_eq!(names(&data, root), ["a/deep/000.png", "b/000.png", "b/001.png"]);
    let all = batches(&data);
    assert_eq!(all.len(), 2);
    assert_eq!(all[0].inputs[0].1.size(), [2, 3, 8, 8]);
    assert!(all[0].targets.is_none());

    let data = open(PICTURES, &root.join("b/001.png")).expect("opens");
    assert_eq!(data.len(), 1);
    // The same picture gives the same input, wherever it was found.
    assert_eq!(batches(&data)[0].inputs[0].1, all[1].inputs[0].1);

    std::fs::write(root.join("l.csv"), "path,other\nb/001.png,x\n").expect("written");
    let data = open(PICTURES, &root.join("l.csv")).expect("opens");
    assert_eq!(names(&data, root), ["b/001.png"]);
}

#[test]
fn inputs_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().expect("folder");
    let text = refusal(PICTURES, &dir.path().join("gone"));
    assert!(text.contains("/gone") && text.contains("--input"), "{text}");
    std::fs::write(dir.path().join("notes.txt"), "x").expect("written");
    let text = refusal(PICTURES, dir.path());
    assert!(text.contains("1 other files"), "{text}");
    let text = refusal(PICTURES, &dir.path().join("notes.txt"));
    assert!(text.contains("notes.txt") && text.contains(".csv"), "{text}");
}

#[test]
fn unreadable_pictures_can_be_skipped_and_are_told() {
    let dir = tempfile::tempdir().expect("folder");
    write_png(&dir.path().join("a.png"), 8, [9; 3]);
    let bad = dir.path().join("b.png");
    std::fs::write(&bad, b"").expect("written");
    let data = open(PICTURES, dir.path()).expect("opens");
    let error = data.loader().expect("starts").find_map(Result::err).expect("fails");
    assert!(error.to_string().contains("b.png"), "{error}");
    let data = open(&format!("{PICTURES}on_error = \"skip\""), dir.path()).expect("opens");
    assert_eq!(batches(&data)[0].indices, [0]);
    assert_eq!(data.skipped(), [bad.display().to_string()]);
    // One that is not there at all counts as well.
    std::fs::write(dir.path().join("l.csv"), "path\na.png\ngone.png\nb.png\n").expect("written");
    let data = open(&format!("{PICTURES}on_error = \"skip\""), &dir.path().join("l.csv")).expect("opens");
    assert_eq!(batches(&data)[0].indices, [0]);
    let gone = dir.path().join("gone.png");
    assert_eq!(data.skipped(), [gone.display().to_string(), bad.display().to_string()]);
    std::fs::remove_file(dir.path().join("l.csv")).expect("removed");
    // Where nothing else is there, nothing can be predicted.
    std::fs::remove_file(dir.path().join("a.png")).expect("removed");
    let data = open(&format!("{PICTURES}on_error = \"skip\""), dir.path()).expect("opens");
    let mut loader = data.loader().expect("starts");
    let error = loader.next().and_then(Result::err).expect("fails").to_string();
    assert!(error.contains("all 1 pictures were left out") && error.contains("b.png"), "{error}");
    assert!(loader.next().is_none());
}

#[test]
fn tensors_are_predicted_on_without_their_targets() {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("d.npz");
    let x = tch::Tensor::arange(6, (tch::Kind::Float, tch::Device::Cpu)).view([3, 2]);
    let y = tch::Tensor::from_slice(&[900_000i64]);
    tch::Tensor::write_npz(&[("x", &x), ("y", &y)], &path).expect("written");
    let data = open("kind = \"tensors\"\npath = \"nowhere.npz\"", &path).expect("opens");
    let all = batches(&data);
    assert_eq!(all[0].inputs[0].1, x);
    assert!(all[0].targets.is_none());
    assert_eq!(data.id(2), "2");
}

#[test]
fn cifar10_files_and_pictures_get_the_same_size() {
    let dir = tempfile::tempdir().expect("folder");
    std::fs::write(dir.path().join("test_batch.bin"), vec![200; 3073 * 2]).expect("written");
    write_png(&dir.path().join("a.png"), 64, [9; 3]);
    let lines = "kind = \"cifar10\"\npath = \"nowhere\"";
    let data = open(lines, dir.path()).expect("opens");
    assert_eq!(data.len(), 2);
    assert_eq!(batches(&data)[0].inputs[0].1.size(), [2, 3, 32, 32]);
    let data = open(lines, &dir.path().join("a.png")).expect("opens");
    assert_eq!(batches(&data)[0].inputs[0].1.size(), [1, 3, 32, 32]);
}
