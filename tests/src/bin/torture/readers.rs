//! Mutated files through the readers of the program.
//!
//! A reader is a folder with good files, a command that reads them, and a choice of what to mutate.

pub mod configs;
pub mod data;
pub mod hub;
pub mod inputs;
pub mod left;
pub mod modules;
pub mod pictures;
pub mod states;
pub mod tables;
pub mod tensors;
pub mod weights;

use std::fs;
use std::path::Path;

use crate::attack::Fault;
use crate::command;

/// Writes a file, with the folders that it lies in.
fn write(path: &Path, contents: impl AsRef<[u8]>) -> Result<(), Fault> {
    let io = |error: std::io::Error| Fault::new(format!("{}: {error}", path.display()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(io)?;
    }
    fs::write(path, contents).map_err(io)
}

/// Reads a file.
fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    fs::read(path).map_err(|error| Fault::new(format!("{}: {error}", path.display())))
}

/// Expects a command to do what it is asked or to say why not.
fn survives(folder: &Path, words: &[&str]) -> Result<(), Fault> {
    command::run(folder, words)?.in_order()?.explained().map(drop)
}
