//! Directories as transformers wrote them (`fixtures/hub`), with what it predicted.

use std::path::PathBuf;

use serde_json::Value;

use crate::{Run, fixtures};

/// The directory of a family.
pub fn folder(family: &str) -> PathBuf {
    fixtures().join("hub").join(family)
}

/// Texts, with the probabilities that transformers gave them.
pub fn recorded(family: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixtures().join("hub/expected.json")).unwrap();
    let mut expected: Value = serde_json::from_str(&text).unwrap();
    expected[family].as_array_mut().unwrap().drain(..).collect()
}

/// Writes the recorded texts with these labels as `train.csv`.
pub fn write_texts(run: &Run, family: &str, labels: [&str; 4]) {
    let rows = recorded(family).into_iter().zip(labels);
    let rows = rows.map(|(row, label)| format!("{},{label}\n", row["text"].as_str().unwrap()));
    run.write("train.csv", format!("text,label\n{}", rows.collect::<String>()));
}

/// Predictions of the run `run` on the recorded texts are transformers'.
pub fn agrees(run: &Run, family: &str) {
    run.host(["predict", "--checkpoint", "run", "--input", "train.csv", "--output", "out.jsonl", "--all"])
        .succeeded();
    let text = std::fs::read_to_string(run.folder().join("out.jsonl")).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = recorded(family);
    assert_eq!(rows.len(), expected.len());
    for (found, expected) in rows.iter().zip(expected) {
        for (class, probability) in expected["probabilities"].as_object().unwrap() {
            let found = found["probabilities"][class].as_f64().unwrap_or_else(|| panic!("{family}: {found}"));
            let expected = probability.as_f64().unwrap();
            assert!((found - expected).abs() < 1e-5, "{family}, {class}: {found}, expected {expected}");
        }
    }
}
