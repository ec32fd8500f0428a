//! What runs leave, and others read: records, kept features, requests to a live run.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use thaw_files::sha256::Sha256Bytes;

use super::{read, survives, write};
use crate::attack::{Attack, Fault};
use crate::{command, mutate, scene};

/// Files of a run directory, mutated before the run goes on or is looked at.
pub struct Records;

/// Those that a resume, a report or a list of runs reads.
const FILES: [&str; 8] = [
    "metrics.jsonl",
    "groups.jsonl",
    "history.jsonl",
    "confusion.jsonl",
    "samples.jsonl",
    "plugins.json",
    "config.toml",
    "resumes.jsonl",
];

impl Attack for Records {
    fn name(&self) -> &'static str {
        "records"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::copy_folder(scene::two_epochs()?, folder).map_err(|error| Fault::new(error.to_string()))?;
        let there: Vec<&str> =
            FILES.into_iter().filter(|name| folder.join("run").join(name).is_file()).collect();
        let victim = folder.join("run").join(there[random.usize(..there.len())]);
        let original = read(&victim)?;
        write(&victim, mutate::any(&original, random))?;
        if random.u32(..4) == 0 {
            write(
                &folder.join("run/resumes.jsonl"),
                mutate::any(b"{\"epoch\":1,\"step\":6,\"time\":\"x\"}\n", random),
            )?;
        }
        match random.u32(..4) {
            0 => survives(folder, &["report", "run"]),
            1 => survives(folder, &["runs", "."]),
            2 => survives(folder, &["watch", "run", "--once"]),
            _ => survives(folder, &scene::RESUME),
        }
    }
}

/// What frozen stages gave, kept by a run for the next one: with its own checksum, or with the new one's.
pub struct KeptFeatures;

/// Checksum, length of the description and mark, at the end of an entry.
const TAIL: usize = 48;
const CHECKSUM: usize = 32;

impl Attack for KeptFeatures {
    fn name(&self) -> &'static str {
        "kept-features"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::write(folder)?;
        let set = ["--set", "trainer.frozen_cache=auto", "--set", "trainer.max_epochs=1"];
        let fit = |run_dir| [&["fit", "run.toml", "--run-dir", run_dir], &set[..]].concat();
        survives(folder, &fit("first"))?;
        let entries = files(&folder.join(command::CACHE));
        if entries.is_empty() {
            return Err(Fault::new("the run keeps no features: there is nothing to mutate"));
        }
        let victim = &entries[random.usize(..entries.len())];
        let mut bytes = mutate::bytes(&read(victim)?, random);
        if bytes.len() > TAIL && random.bool() {
            // Who writes an entry writes its checksum, too.
            let end = bytes.len() - TAIL;
            let mut digest = Sha256Bytes::default();
            digest.take(&bytes[..end]);
            bytes[end..end + CHECKSUM].copy_from_slice(&digest.finish());
        }
        write(victim, bytes)?;
        match random.u32(..3) {
            0 => survives(folder, &["cache", "list"]),
            _ => survives(folder, &fit("second")),
        }
    }
}

/// The files below a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// A mutated request in the directory of a live run, which has to go on to the end.
pub struct Letters;

impl Attack for Letters {
    fn name(&self) -> &'static str {
        "requests"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::write(folder)?;
        let (name, letter) = match random.u32(..4) {
            0 => ("ask-request.json", json!({ "token": "t", "ask": { "stop": { "reason": "enough" } } })),
            1 => ("ask-request.json", json!({ "token": "t", "ask": { "checkpoint": { "name": "mine" } } })),
            2 => ("ask-request.json", json!({ "token": null, "ask": "validate" })),
            _ => ("swap-request.json", swap(folder)),
        };
        let letter = mutate::any(letter.to_string().as_bytes(), random);
        let run = command::start(folder, &[], &scene::FIT)?;
        // The lock is there once the run reads requests; one that is over has read none.
        for _ in 0..2000 {
            if folder.join("run/checkpoints").exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        write(&folder.join("run").join(name), letter)?;
        run.finish()?.in_order()?.explained().map(drop)
    }
}

/// A request for another strategy of the run's own plugin.
fn swap(folder: &Path) -> Value {
    let file =
        format!("{}thaw_backbone_finetuning{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let built = std::env::current_exe().unwrap_or_default().with_file_name(file);
    json!({
        "token": "t", "plugin": built, "set": ["lambda_func=1.2"], "folder": folder, "replace": null,
    })
}
