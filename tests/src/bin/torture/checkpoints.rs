//! Checkpoints with a damaged file, through every command that reads them.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;

use crate::attack::{Attack, Fault};
use crate::command;
use crate::mutate;
use crate::scene::{self, Compared, RESUME};

/// One file of a run truncated, emptied, removed, or with other bytes.
pub struct DamagedCheckpoint;

/// What is done with a checkpoint, and the file that it writes.
const USES: [(&[&str], Option<&str>); 4] = [
    (&RESUME, None),
    (&["validate", "--checkpoint", "run/checkpoints/last", "--json"], Some("stdout.txt")),
    (
        &[
            "predict",
            "--checkpoint",
            "run/checkpoints/last",
            "--input",
            "data.safetensors",
            "--output",
            "out.csv",
        ],
        Some("out.csv"),
    ),
    (
        &["export", "--checkpoint", "run/checkpoints/last", "--output", "out.safetensors"],
        Some("out.safetensors"),
    ),
];

impl Attack for DamagedCheckpoint {
    fn name(&self) -> &'static str {
        "damaged-checkpoint"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        let io = |error: std::io::Error| Fault::new(error.to_string());
        let source = scene::two_epochs()?;
        let (words, output) = USES[random.usize(..USES.len())];
        scene::copy_folder(source, folder).map_err(io)?;
        let expected = match output {
            None => None,
            Some(name) => {
                let whole = command::run(folder, words)?.in_order()?;
                if !whole.succeeded() {
                    return Err(whole.fault(&format!("fails on a whole checkpoint: {}", whole.last_words())));
                }
                Some((name, fs::read(folder.join(name)).map_err(io)?))
            }
        };
        if let Some((name, _)) = &expected {
            fs::remove_file(folder.join(name)).map_err(io)?;
        }
        let files = files_of(&folder.join("run")).map_err(io)?;
        let file = &files[random.usize(..files.len())];
        let damage = damage(file, random).map_err(io)?;
        let ended = command::run(folder, words)?.in_order()?.explained()?;
        if !ended.succeeded() {
            return Ok(());
        }
        let name = file.strip_prefix(folder).unwrap_or(file).display();
        let Some((output, expected)) = expected else {
            // The config of a run is the user's to change, and records are read by nobody but the user.
            if name.to_string().ends_with("config.toml") {
                return Ok(());
            }
            let of_records = name.to_string().ends_with(".jsonl");
            let compared = if of_records { Compared::WithoutRecords } else { Compared::All };
            return scene::expect_outcome(folder, compared, &ended)
                .map_err(|fault| Fault { what: format!("{name} {damage}: {}", fault.what), ..fault });
        };
        if fs::read(folder.join(output)).map_err(io)? == expected {
            return Ok(());
        }
        Err(ended.fault(&format!(
            "{name} {damage}: another {output} than from the whole checkpoint, without a word"
        )))
    }
}

/// Every file of a run but its lock.
fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            files.extend(files_of(&path)?);
        } else if kind.is_file() && path.extension().is_none_or(|extension| extension != "lock") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Damages a file; says how.
fn damage(file: &Path, random: &mut Rng) -> std::io::Result<String> {
    let mut bytes = fs::read(file)?;
    let length = bytes.len();
    Ok(match random.u32(..5) {
        0 => {
            fs::remove_file(file)?;
            "removed".to_owned()
        }
        1 => {
            fs::write(file, [])?;
            "emptied".to_owned()
        }
        2 => {
            let kept = random.usize(..length.max(1));
            fs::write(file, &bytes[..kept.min(length)])?;
            format!("cut to {kept} of {length} bytes")
        }
        3 if length > 0 => {
            let (byte, bit) = (random.usize(..length), random.u32(..8));
            bytes[byte] ^= 1 << bit;
            fs::write(file, bytes)?;
            format!("with bit {bit} of byte {byte} flipped")
        }
        _ => {
            fs::write(file, mutate::any(&bytes, random))?;
            "mutated".to_owned()
        }
    })
}
