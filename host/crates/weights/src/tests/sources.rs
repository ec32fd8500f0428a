use super::*;
use crate::resolve;
use std::fs;
use tempfile::TempDir;

/// A directory with these files, each a copy of a reference file.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (name, from) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::copy(file(from), path).expect("copied");
    }
    directory
}

#[test]
fn a_checkpoint_directory_stands_for_its_weights() {
    let directory =
        directory(&[("model.safetensors", "small.safetensors"), ("pytorch_model.bin", "pytorch_model.bin")]);
    assert_eq!(resolve(directory.path()).expect("weights"), directory.path().join("model.safetensors"));
}

#[test]
fn a_run_directory_stands_for_its_last_checkpoint() {
    let as_directory = directory(&[("checkpoints/last/model.safetensors", "small.safetensors")]);
    assert_eq!(read(as_directory.path()).expect("it loads").len(), 9);
    let by_name = directory(&[("checkpoints/epoch=3/model.safetensors", "autoencoder.safetensors")]);
    fs::write(by_name.path().join("checkpoints/last"), "epoch=3\n").expect("written");
    assert_eq!(read(by_name.path()).expect("it loads").len(), 8);
}

#[test]
fn a_directory_without_weights_says_what_was_looked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let error = refusal(directory.path()).to_string();
    assert!(error.contains("model.safetensors") && error.contains("checkpoints/last"), "{error}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = refusal(Path::new("nowhere/weights.pth")).to_string();
    assert!(error.starts_with("nowhere/weights.pth: cannot read the weights"), "{error}");
}

#[test]
fn what_is_no_weights_is_told_apart() {
    let directory = tempfile::tempdir().expect("a directory");
    for (content, expected) in [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        ("<!DOCTYPE html><html>", "HTML"),
        ("GGUF....", "GGUF"),
        ("some text", "no file of tensors"),
    ] {
        for name in ["x.pth", "x.safetensors"] {
            let path = directory.path().join(name);
            fs::write(&path, content).expect("written");
            let error = refusal(&path).to_string();
            assert!(
                error.contains(expected) || name.ends_with("safetensors") && error.contains("header"),
                "{error}"
            );
        }
    }
}

#[test]
fn the_content_decides_the_format_not_the_name() {
    let directory = directory(&[("weights.bin", "small.safetensors"), ("weights.ckpt", "small.pth")]);
    for name in ["weights.bin", "weights.ckpt"] {
        assert_eq!(read(directory.path().join(name)).expect("it loads").len(), 9);
    }
}

#[test]
fn shards_are_read_through_their_index() {
    let shards =
        directory(&[("a.safetensors", "autoencoder.safetensors"), ("b.safetensors", "small.safetensors")]);
    let index = shards.path().join("model.safetensors.index.json");
    let mut map = serde_json::Map::new();
    for (file, names) in
        [("a.safetensors", ["encoder.0.weight", "decoder.2.bias"]), ("b.safetensors", ["0.weight", "1.bias"])]
    {
        map.extend(names.map(|name| (name.to_owned(), Value::from(file))));
    }
    let write = |map: &serde_json::Map<String, Value>| {
        fs::write(&index, serde_json::json!({ "metadata": {}, "weight_map": map }).to_string())
            .expect("written");
    };
    write(&map);
    let found = read(shards.path()).expect("it loads");
    let mut names: Vec<_> = found.names().collect();
    names.sort_unstable();
    assert_eq!(names, ["0.weight", "1.bias", "decoder.2.bias", "encoder.0.weight"]);
    found.verify().expect("whole");

    map.insert("2.lost".to_owned(), Value::from("b.safetensors"));
    write(&map);
    let error = refusal(&index).to_string();
    assert!(error.contains("'2.lost'") && error.contains("b.safetensors"), "{error}");

    map.insert("2.lost".to_owned(), Value::from("../b.safetensors"));
    write(&map);
    assert!(refusal(&index).to_string().contains("beside the index"));

    map.insert("2.lost".to_owned(), Value::from("c.safetensors"));
    write(&map);
    assert!(refusal(&index).to_string().contains("c.safetensors: cannot read"));
}
