//! Directories of Hugging Face: sizes, vocabularies, weights.

use std::path::Path;

use fastrand::Rng;
use thaw_tests::fixtures;

use super::{read, survives, write};
use crate::attack::{Attack, Fault};
use crate::{mutate, scene};

/// A directory that transformers wrote with one file mutated, as the whole of a model; the vocabularies of
/// older ones, which are converted, too.
pub struct Hub;

/// Directories of `fixtures/hub`.
const FAMILIES: [&str; 4] = ["bert", "distilbert", "roberta", "deberta"];
/// Vocabularies without a `tokenizer.json`, and their files.
const VOCABULARIES: [(&str, &[&str]); 3] = [
    ("bert", &["vocab.txt"]),
    ("mpnet", &["vocab.txt", "tokenizer_config.json"]),
    ("roberta", &["vocab.json", "merges.txt", "config.json"]),
];

const ROWS: &str = "text,label\na b,negative\nc d,positive\ne,neutral\na c,negative\nb,positive\n";

impl Attack for Hub {
    fn name(&self) -> &'static str {
        "hub-directories"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        write(&folder.join("texts.csv"), ROWS)?;
        let tokenizer = if random.bool() { "" } else { vocabulary(folder, random)? };
        let family = FAMILIES[random.usize(..FAMILIES.len())];
        let from = fixtures().join("hub").join(family);
        scene::copy_folder(&from, &folder.join("model")).map_err(|error| Fault::new(error.to_string()))?;
        if tokenizer.is_empty() {
            let name =
                ["config.json", "config.json", "tokenizer.json", "model.safetensors"][random.usize(..4)];
            let victim = folder.join("model").join(name);
            let original = read(&victim)?;
            write(&victim, mutate::any(&original, random))?;
        }
        let config = format!(
            "plugins = [\"text\"]\n[model]\npath = \"model\"\n[data]\nkind = \"text\"\npath = \"texts.csv\"\n\
             val_split = 0.4\n{tokenizer}[trainer]\nmax_epochs = 1\n"
        );
        write(&folder.join("run.toml"), config)?;
        survives(folder, &["fit", "run.toml", "--run-dir", "run", "--set", "trainer.max_steps=2"])
    }
}

/// A vocabulary with one file mutated, in the place of the model's own; gives the key that names it.
fn vocabulary(folder: &Path, random: &mut Rng) -> Result<&'static str, Fault> {
    let (name, files) = VOCABULARIES[random.usize(..VOCABULARIES.len())];
    let victim = files[random.usize(..files.len())];
    for file in files {
        let original = read(&fixtures().join("vocabularies").join(name).join(file))?;
        let contents = if *file == victim { mutate::any(&original, random) } else { original };
        write(&folder.join("vocabulary").join(file), contents)?;
    }
    Ok("tokenizer = \"vocabulary\"\n")
}
