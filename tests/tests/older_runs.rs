//! Runs that an older version of the program began go on as that version would have gone on
//! (`tests/fixtures/older_runs`).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thaw_tests::{Run, fixtures, read_tensors};

/// Kernels of another CPU round the last digits otherwise.
const RELATIVE: f64 = 1e-5;

#[test]
fn a_run_of_an_older_version_goes_on_with_its_weights_moments_order_and_rates() {
    for folder in versions() {
        let run = Run::new(&read(&folder.with_file_name("run.toml")));
        run.write("case.json", read(&folder.with_file_name("case.json")));
        let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
        fs::copy(data, run.folder().join("data.safetensors")).unwrap();
        copy(&folder.join("run"), &run.run_dir());
        run.host(["fit", "run.toml", "--resume", "run"]).succeeded();

        let expected = folder.join("expected");
        assert_close(&lines(&run.run_dir().join("metrics.jsonl")), &lines(&expected.join("metrics.jsonl")));
        assert_close(&lines(&run.run_dir().join("groups.jsonl")), &lines(&expected.join("groups.jsonl")));
        let last = run.run_dir().join("checkpoints/last");
        for file in ["model.safetensors", "optimizer.safetensors"] {
            let (found, expected) =
                (read_tensors(&last.join(file)).unwrap(), read_tensors(&expected.join(file)).unwrap());
            assert!(expected.len() > 5, "{file}");
            for (name, expected) in &expected {
                let found = found.get(name).unwrap_or_else(|| panic!("{file} lacks {name}"));
                assert_eq!(found.len(), expected.len(), "{file}: {name}");
                for (found, expected) in found.iter().zip(expected) {
                    assert!(is_close(*found, *expected), "{file}, {name}: {found}, it was {expected}");
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_of_an_older_version_validates_to_what_it_recorded() {
    for folder in versions() {
        let run = Run::new(&read(&folder.with_file_name("run.toml")));
        let data = fixtures().join("parity/bb_accumulate2_clip/data.safetensors");
        fs::copy(data, run.folder().join("data.safetensors")).unwrap();
        copy(&folder.join("run"), &run.run_dir());
        let validated = run.host(["validate", "--checkpoint", "run/checkpoints/last", "--json"]).succeeded();
        let found: Value = serde_json::from_str(&validated.stdout).unwrap();
        let recorded = &lines(&folder.join("run/metrics.jsonl"))[1];
        assert_close(&[found["metrics"]["val_loss"].clone()], &[recorded["val_loss"].clone()]);
    }
}

fn versions() -> Vec<PathBuf> {
    let entries = fs::read_dir(fixtures().join("older_runs")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let folders: Vec<PathBuf> = paths.filter(|path| path.is_dir()).collect();
    assert!(!folders.is_empty());
    folders
}

/// Every value that the older version recorded is there; newer ones may record more.
fn assert_close(found: &[Value], expected: &[Value]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        match (found, expected) {
            (Value::Number(found), Value::Number(expected)) => {
                let (found, expected) = (found.as_f64().unwrap(), expected.as_f64().unwrap());
                assert!(is_close(found, expected), "{found}, it was {expected}");
            }
            (Value::Array(found), Value::Array(expected)) => assert_close(found, expected),
            (Value::Object(found), Value::Object(expected)) => {
                let of_both: Vec<Value> =
                    expected.keys().map(|key| found.get(key).cloned().unwrap_or(Value::Null)).collect();
                assert_close(&of_both, &expected.values().cloned().collect::<Vec<_>>());
            }
            _ => assert_eq!(found, expected),
        }
    }
}

fn is_close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= RELATIVE * expected.abs().max(1e-3)
}

fn lines(path: &Path) -> Vec<Value> {
    read(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Copies a folder with its links.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().unwrap();
        if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(from).unwrap(), to).unwrap();
        } else if kind.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}
