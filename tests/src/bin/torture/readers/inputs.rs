//! What a trained model is to predict on.

use std::path::Path;
use std::sync::OnceLock;

use fastrand::Rng;
use tempfile::TempDir;

use super::{data, pictures, read, survives, tables, write};
use crate::attack::{Attack, Fault};
use crate::{command, mutate, scene};

/// Mutated inputs of `predict`: tensors, pictures, lists of pictures, tables of texts.
pub struct Inputs;

impl Attack for Inputs {
    fn name(&self) -> &'static str {
        "predict-inputs"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        let io = |error: std::io::Error| Fault::new(error.to_string());
        let input = match random.u32(..5) {
            0 | 1 => {
                scene::copy_folder(scene::two_epochs()?, folder).map_err(io)?;
                tensors(folder, random)?
            }
            2 => {
                scene::copy_folder(trained_on_pictures()?, folder).map_err(io)?;
                pictures::write_mutated(&folder.join("new"), random)?;
                "new"
            }
            3 => {
                scene::copy_folder(trained_on_texts()?, folder).map_err(io)?;
                let (name, text) = [
                    ("new.csv", "text,other\na b,1\n\"c, d\",2\n"),
                    ("new.txt", "a b\nc d\n\ne\n"),
                    ("new.jsonl", "{\"text\": \"a b\"}\n{\"text\": \"c\"}\n"),
                ][random.usize(..3)];
                write(&folder.join(name), mutate::any(text.as_bytes(), random))?;
                name
            }
            _ => {
                scene::copy_folder(trained_on_pictures()?, folder).map_err(io)?;
                let list = "path\npictures/a/good0.png\npictures/b/good3.png\n";
                write(&folder.join("new.csv"), mutate::any(list.as_bytes(), random))?;
                "new.csv"
            }
        };
        let output = ["out.csv", "out.jsonl"][random.usize(..2)];
        let words = ["predict", "--checkpoint", "run/checkpoints/last", "--input", input, "--output", output];
        survives(folder, &words)
    }
}

/// Another input of the run's kind.
fn tensors(folder: &Path, random: &mut Rng) -> Result<&'static str, Fault> {
    let data = folder.join("data.safetensors");
    let (name, original) =
        if random.bool() { ("new.safetensors", read(&data)?) } else { ("new.npz", data::npz_of(&data)?) };
    write(&folder.join(name), mutate::bytes(&original, random))?;
    Ok(name)
}

/// A run of the pictures' model on good pictures, in a folder of its own.
fn trained_on_pictures() -> Result<&'static Path, Fault> {
    static RUN: OnceLock<Result<TempDir, String>> = OnceLock::new();
    let run = RUN.get_or_init(|| {
        trained(|folder| {
            pictures::write_good(folder)?;
            write(&folder.join("run.toml"), pictures::CONFIG)
        })
    });
    run.as_ref().map(TempDir::path).map_err(Fault::new)
}

/// The same of an encoder on good texts.
fn trained_on_texts() -> Result<&'static Path, Fault> {
    static RUN: OnceLock<Result<TempDir, String>> = OnceLock::new();
    let run = RUN.get_or_init(|| {
        trained(|folder| {
            tables::write_model(folder, "csv")?;
            write(&folder.join("texts.csv"), tables::table("csv"))
        })
    });
    run.as_ref().map(TempDir::path).map_err(Fault::new)
}

fn trained(write: impl FnOnce(&Path) -> Result<(), Fault>) -> Result<TempDir, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let text = |fault: Fault| fault.what;
    write(folder.path()).map_err(text)?;
    let ended = command::run(folder.path(), &scene::FIT).map_err(text)?;
    if ended.succeeded() { Ok(folder) } else { Err(ended.last_words()) }
}
