//! A small encoder in the place of MiniLM: as many layers, few features.

use crate::{Run, fixtures};

/// Sizes of the encoder. The vocabulary is that of the tokenizer's ids.
pub const CONFIG: &str = r#"{
    "model_type": "bert", "vocab_size": 30522, "hidden_size": 16, "num_hidden_layers": 6,
    "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64, "type_vocab_size": 2
}"#;

/// A run of a classifier with this encoder on sixteen texts of two classes, short ones and longer ones;
/// `more` are the run config's further tables.
pub fn classifier(more: &str) -> Run {
    let run = Run::new(&format!(
        "seed = 1\nplugins = [\"text\"]\n[model]\nid = \"bert-classifier\"\nconfig = \"config.json\"\n\
         num_classes = 2\n[data]\nkind = \"text\"\npath = \"texts.csv\"\nval_split = 0.25\ntokenizer = \
         \"tokenizer.json\"\nmax_length = 16\nbatch_size = 4\n{more}"
    ));
    run.write("config.json", CONFIG);
    run.write("tokenizer.json", std::fs::read(fixtures().join("text/tokenizer.json")).unwrap());
    let line =
        |index: usize| format!("{}{index},{}\n", "a word ".repeat(1 + index % 5), ["x", "y"][index % 2]);
    run.write("texts.csv", "text,label\n".to_owned() + &(0..16).map(line).collect::<String>());
    run
}

/// Writes `weights/minilm` as a demo does: `config.json`, `tokenizer.json`, `model.safetensors`. The weights
/// are the encoder of a run of one step.
pub fn write(run: &Run) {
    run.write("weights/minilm/config.json", CONFIG);
    let tokenizer = std::fs::read(fixtures().join("text/tokenizer.json")).unwrap();
    run.write("weights/minilm/tokenizer.json", tokenizer);
    run.write("texts.csv", "text,label\na b,x\nc d,y\n");
    run.write(
        "pretraining.toml",
        "plugins = [\"text\"]\n[model]\nid = \"bert-classifier\"\nconfig = \"weights/minilm/config.json\"\n\
         [data]\nkind = \"text\"\npath = \"texts.csv\"\ntokenizer \
         = \"weights/minilm/tokenizer.json\"\n[trainer]\nmax_steps = 1\n",
    );
    run.host(["fit", "pretraining.toml", "--run-dir", "pretraining"]).succeeded();
    let weights = [
        "export",
        "--checkpoint",
        "pretraining",
        "--module",
        "backbone",
        "--output",
        "weights/minilm/model.safetensors",
    ];
    run.host(weights).succeeded();
}
