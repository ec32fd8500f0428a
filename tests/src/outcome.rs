//! What a run comes to, to be compared byte for byte.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Files of tensors and records, and the parts of the last checkpoint's state.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome(pub Vec<(String, Vec<u8>)>);

impl Outcome {
    /// Of a run directory, without what names the run.
    pub fn of(run_dir: &Path) -> Self {
        let files = [
            "checkpoints/last/model.safetensors",
            "checkpoints/last/optimizer.safetensors",
            "metrics.jsonl",
            "groups.jsonl",
        ];
        let read = |name: &str| {
            fs::read(run_dir.join(name))
                .unwrap_or_else(|error| panic!("{}: {error}", run_dir.join(name).display()))
        };
        let mut outcome: Vec<(String, Vec<u8>)> =
            files.iter().map(|name| ((*name).to_owned(), read(name))).collect();
        let state: Value =
            serde_json::from_slice(&read("checkpoints/last/state.json")).expect("state.json is JSON");
        let entries = state.as_object().into_iter().flatten().filter(|(key, _)| *key != "config");
        outcome.extend(
            entries.map(|(key, value)| (format!("state.json, {key}"), value.to_string().into_bytes())),
        );
        Self(outcome)
    }

    /// A file as text.
    pub fn text(&self, name: &str) -> String {
        let known = self.0.iter().find(|(known, _)| known == name);
        let (_, bytes) = known.unwrap_or_else(|| panic!("`{name}` is none of {:?}", self.names()));
        String::from_utf8_lossy(bytes).into_owned()
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Expects a run directory to come to the same.
    #[track_caller]
    pub fn assert_same(&self, run_dir: &Path, how: &str) {
        let found = Self::of(run_dir);
        assert_eq!(found.names(), self.names(), "{how}: files and keys of state.json");
        for ((name, found), (_, expected)) in found.0.iter().zip(&self.0) {
            if found == expected {
                continue;
            }
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(4000).collect::<String>();
            let shown = if name.ends_with("safetensors") {
                String::new()
            } else {
                format!("\n{}\nexpected\n{}", text(found), text(expected))
            };
            panic!("{how}: {name} differs from the uninterrupted run's{shown}");
        }
    }
}
