//! Texts in tables, and their tokenizer.

use std::path::Path;

use fastrand::Rng;
use thaw_tests::fixtures;

use super::{read, survives, write};
use crate::attack::{Attack, Fault};
use crate::mutate;

/// A `.csv`, `.tsv` or `.jsonl`, a `tokenizer.json` or an encoder's `config.json`, mutated.
pub struct Tables;

const ENCODER: &str = r#"{"model_type": "bert", "vocab_size": 30522, "hidden_size": 8, "num_hidden_layers": 1,
"num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 64, "type_vocab_size": 2}"#;

const ROWS: [(&str, &str); 6] =
    [("a b", "x"), ("c \"d\", e", "y"), ("f g h", "x"), ("line\nbreak", "y"), ("a", "x"), ("é b", "y")];

impl Attack for Tables {
    fn name(&self) -> &'static str {
        "tables"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        let extension = ["csv", "tsv", "jsonl"][random.usize(..3)];
        write_model(folder, extension)?;
        let texts = format!("texts.{extension}");
        write(&folder.join(&texts), table(extension))?;
        let names = [texts.as_str(), "tokenizer.json", "config.json"];
        let victim = folder.join(names[[0, 0, 0, 1, 1, 2][random.usize(..6)]]);
        let original = read(&victim)?;
        write(&victim, mutate::any(&original, random))?;
        survives(folder, &["fit", "run.toml", "--run-dir", "run"])
    }
}

/// Run config, tokenizer and encoder for the texts of a table with this ending.
pub fn write_model(folder: &Path, extension: &str) -> Result<(), Fault> {
    write(&folder.join("tokenizer.json"), read(&fixtures().join("text/tokenizer.json"))?)?;
    write(&folder.join("config.json"), ENCODER)?;
    let config = format!(
        "plugins = [\"text\"]\n[model]\nid = \"bert-classifier\"\nconfig = \"config.json\"\n[data]\n\
         kind = \"text\"\npath = \"texts.{extension}\"\ntokenizer = \"tokenizer.json\"\nval_split = 0.3\n\
         [trainer]\nmax_epochs = 1\n"
    );
    write(&folder.join("run.toml"), config)
}

/// A good table of this ending.
pub fn table(extension: &str) -> String {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let row = |(text, label): (&str, &str)| match extension {
        "csv" => format!("{},{label}\n", quoted(text)),
        "tsv" => format!("{}\t{label}\n", quoted(text)),
        _ => format!("{}\n", serde_json::json!({ "text": text, "label": label })),
    };
    let head = match extension {
        "csv" => "text,label\n",
        "tsv" => "text\tlabel\n",
        _ => "",
    };
    head.to_owned() + &ROWS.repeat(3).into_iter().map(row).collect::<String>()
}
