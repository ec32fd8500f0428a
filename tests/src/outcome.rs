//! What a run comes to, to be compared byte for byte.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use crate::records::{records_until, without_times};

/// Files of tensors and records, and the parts of the last checkpoint's state.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome(pub Vec<(String, Vec<u8>)>);

impl Outcome {
    /// Of a run directory, without what names the run and without its times.
    pub fn of(run_dir: &Path) -> Self {
        Self::read(run_dir).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same where the files may not be there.
    ///
    /// # Errors
    /// One cannot be read; its path is named.
    pub fn read(run_dir: &Path) -> io::Result<Self> {
        let tensors = ["checkpoints/last/model.safetensors", "checkpoints/last/optimizer.safetensors"];
        let (metrics, groups) = ("metrics.jsonl", "groups.jsonl");
        let read = |name: &str| {
            let path = run_dir.join(name);
            fs::read(&path)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        };
        let mut outcome: Vec<(String, Vec<u8>)> =
            tensors.iter().map(|name| Ok(((*name).to_owned(), read(name)?))).collect::<io::Result<_>>()?;
        let mut state: Value = serde_json::from_slice(&read("checkpoints/last/state.json")?)?;
        let (confusion, samples) = ("confusion.jsonl", "samples.jsonl");
        let files = [
            (metrics, "/records/metrics"),
            (groups, "/records/groups"),
            (confusion, "/records/confusion"),
            (samples, "/records/samples"),
        ];
        let is_there = |name: &str| ![confusion, samples].contains(&name) || run_dir.join(name).exists();
        for (name, key) in files.into_iter().filter(|(name, _)| is_there(name)) {
            let records = read(name)?;
            if let Some(length) = state.pointer_mut(key) {
                *length = records_until(length, &records);
            }
            outcome.push((name.to_owned(), without_times(&records).into_bytes()));
        }
        // Or the files of its data, with their times.
        let names_the_run = |key: &str| ["config", "paths", "seconds", "data"].contains(&key);
        let entries = state.as_object().into_iter().flatten().filter(|(key, _)| !names_the_run(key));
        outcome.extend(
            entries.map(|(key, value)| (format!("state.json, {key}"), value.to_string().into_bytes())),
        );
        Ok(Self(outcome))
    }

    /// The first of those parts that differs, of which `is_compared` says so.
    pub fn difference(&self, found: &Self, is_compared: impl Fn(&str) -> bool) -> Option<String> {
        let parts = |outcome: &Self| outcome.names().into_iter().filter(|name| is_compared(name)).count();
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().take(300).collect::<String>();
        for (name, expected) in self.0.iter().filter(|(name, _)| is_compared(name)) {
            match found.0.iter().find(|(known, _)| known == name) {
                Some((_, found)) if found == expected => {}
                Some(_) if name.ends_with("safetensors") => return Some(format!("{name} differs")),
                Some((_, found)) => {
                    return Some(format!("{name} is {}, expected {}", shown(found), shown(expected)));
                }
                None => return Some(format!("there is no {name}")),
            }
        }
        (parts(self) != parts(found)).then(|| format!("{:?}, expected {:?}", found.names(), self.names()))
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
