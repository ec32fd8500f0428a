//! Sentence pairs, three classes, with a BERT under one linear layer on the first token, as Lightning's guide
//! has it.

use anyhow::Result;

use super::{Demo, HOST, minilm, sentence_pairs};
use crate::workspace::Workspace;

pub struct BertMnli;

impl Demo for BertMnli {
    fn name(&self) -> &'static str {
        "bert-mnli"
    }

    fn prepare(&self, workspace: &Workspace) -> Result<()> {
        minilm(workspace)?;
        sentence_pairs::write(&workspace.path("data/bert-mnli"))
    }

    fn next(&self, runs: &str) -> Vec<(&'static str, String)> {
        let predict = format!(
            "{HOST} predict --checkpoint {runs} --input data/bert-mnli/dev.jsonl --output \
             {runs}/predictions.jsonl"
        );
        vec![
            (
                "Predict, and write every layer's attention weights as Hugging Face's `attentions`:",
                format!("{predict} --attentions {runs}/attentions.safetensors"),
            ),
            (
                "Train on the real MNLI, from multinli_1.0.zip:",
                format!(
                    "{HOST} fit examples/bert-mnli.toml --set \
                     data.path=multinli_1.0/multinli_1.0_train.jsonl --set \
                     data.val_path=multinli_1.0/multinli_1.0_dev_matched.jsonl"
                ),
            ),
        ]
    }
}
