use std::fs;

use thaw_plugin_api::config::parse;
use thaw_plugin_api::serde_json::json;

use super::*;

/// An IDX file by hand: type, sizes, numbers.
fn idx(code: u8, sizes: &[u32], numbers: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, code, sizes.len() as u8];
    sizes.iter().for_each(|size| bytes.extend(size.to_be_bytes()));
    bytes.extend(numbers);
    bytes
}

/// Two training pictures of 2 x 3 pixels, of class 4 and 1, and a test picture of class 0.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", idx(0x08, &[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
    write("train-labels-idx1-ubyte", idx(0x08, &[2], &[4, 1]));
    write("t10k-images.idx3-ubyte", idx(0x08, &[1, 2, 3], &[0; 6]));
    write("t10k-labels.idx1-ubyte", idx(0x08, &[1], &[0]));
    folder
}

fn open(folder: &Path, more: Value) -> Result<Idx> {
    let mut config = json!({ "path": folder });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Idx::new(parse(&config.to_string())?)
}

fn refusal(folder: &Path, more: Value) -> String {
    open(folder, more).err().expect("refused").to_string()
}

#[test]
fn pictures_come_with_rows_from_the_top_and_their_labels() -> Result<()> {
    let folder = folder();
    let data = open(folder.path(), json!({}))?;
    assert_eq!(data.form(), Form::Pictures);
    assert_eq!(data.class_names(), ["0", "1", "2", "3", "4"]);
    assert_eq!(Split::ALL.map(|split| data.len(split)), [Some(2), None, Some(1)]);
    assert_eq!(data.get(Split::Train, 1)?, Sample::grey_pixels(3, 2, [7, 8, 9, 10, 11, 12]).class(1));
    assert_eq!(data.target(Split::Train, 0)?, Some(Target::Class(4)));
    assert_eq!(data.get(Split::Test, 0)?.target, Some(Target::Class(0)));
    Ok(())
}

#[test]
fn numbers_of_any_type_come_as_arrays() -> Result<()> {
    let folder = folder();
    let halves = [0.5f32, -2.0].map(f32::to_be_bytes).concat();
    fs::write(folder.path().join("train-images-idx3-ubyte"), idx(0x0d, &[2, 1], &halves)).unwrap();
    fs::remove_file(folder.path().join("t10k-images.idx3-ubyte")).unwrap();
    let data = open(folder.path(), json!({ "samples": "arrays" }))?;
    assert_eq!(data.form(), Form::array("x", Dtype::F32, [1]));
    assert_eq!(data.len(Split::Test), None);
    assert_eq!(data.get(Split::Train, 1)?, Sample::array("x", Array::new([1], &[-2.0f32])?).class(1));
    let error = refusal(folder.path(), json!({}));
    assert!(error.contains("float32 [1]") && error.contains("samples = \"arrays\""), "{error}");
    Ok(())
}

#[test]
fn damaged_and_missing_files_are_named() {
    let folder = folder();
    let path = folder.path();
    let replace = |name: &str, bytes: &[u8]| fs::write(path.join(name), bytes).unwrap();
    replace("train-labels-idx1-ubyte", &idx(0x08, &[3], &[4, 1, 0]));
    let error = refusal(path, json!({}));
    assert!(error.contains("train-labels-idx1-ubyte: found 3 labels"), "{error}");
    replace("train-labels-idx1-ubyte", &idx(0x08, &[2], &[4]));
    let error = refusal(path, json!({}));
    assert!(error.contains("found 1 bytes of numbers, expected 2"), "{error}");
    replace("train-labels-idx1-ubyte", b"\x1f\x8b\x08\x00");
    assert!(refusal(path, json!({})).contains("expected those of an IDX file"));
    fs::remove_file(path.join("train-labels-idx1-ubyte")).unwrap();
    replace("train-labels-idx1-ubyte.gz", &[]);
    assert!(refusal(path, json!({})).contains("gunzip"));
    fs::remove_file(path.join("train-labels-idx1-ubyte.gz")).unwrap();
    assert!(refusal(path, json!({})).contains("found no train-labels-idx"));
}

#[test]
fn names_of_classes_cover_the_labels() {
    let folder = folder();
    let error = refusal(folder.path(), json!({ "labels": ["shirt", "shoe"] }));
    assert!(error.contains("2 names, expected at least 5"), "{error}");
}

#[test]
fn sizes_that_overflow_are_no_file() {
    for sizes in [&[u32::MAX, u32::MAX, u32::MAX][..], &[1, u32::MAX, u32::MAX]] {
        assert!(IdxFile::parse(idx(0x0e, sizes, &[0; 8])).is_err());
    }
}
