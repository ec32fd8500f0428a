//! `state.json` of a checkpoint that somebody else made.

use std::path::Path;

use fastrand::Rng;
use serde_json::Value;
use thaw_files::sha256::sha256_file;
use thaw_train::checkpoint::{STATE, STATE_SHA256};

use super::{read, survives, write};
use crate::attack::{Attack, Fault};
use crate::{mutate, scene};

/// Values of a `state.json` replaced, at any depth; the file stays JSON, and its checksum is the new one's,
/// since who makes a checkpoint makes that too.
pub struct States;

impl Attack for States {
    fn name(&self) -> &'static str {
        "states"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::copy_folder(scene::two_epochs()?, folder).map_err(|error| Fault::new(error.to_string()))?;
        let file = folder.join("run/checkpoints/last/state.json");
        let state: Value =
            serde_json::from_slice(&read(&file)?).map_err(|error| Fault::new(error.to_string()))?;
        write(&file, mutate::json(state, random).to_string())?;
        let sha256 = sha256_file(&file).map_err(|error| Fault::new(error.to_string()))?;
        write(&file.with_file_name(STATE_SHA256), format!("{sha256}  {STATE}\n"))?;
        let checkpoint = ["--checkpoint", "run/checkpoints/last"];
        match random.u32(..4) {
            0 => survives(folder, &["fit", "run.toml", "--resume", "run"]),
            1 => survives(folder, &[&["validate"], &checkpoint[..]].concat()),
            2 => survives(folder, &[&["export"], &checkpoint[..], &["--output", "out.safetensors"]].concat()),
            _ => {
                let files = ["--input", "data.safetensors", "--output", "out.csv"];
                survives(folder, &[&["predict"], &checkpoint[..], &files].concat())
            }
        }
    }
}
