//! A small encoder in the place of MiniLM: as many layers, few features.

use crate::{Run, fixtures};

/// Sizes of the encoder. The vocabulary is that of the tokenizer's ids.
pub const CONFIG: &str = r#"{
    "model_type": "bert", "vocab_size": 30522, "hidden_size": 16, "num_hidden_layers": 6,
    "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64, "type_vocab_size": 2
}"#;

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
