//! Emoji names, nine groups, with MiniLM (a sentence encoder of six layers).

use anyhow::Result;

use super::{Demo, HOST, config, emoji, minilm};
use crate::workspace::Workspace;

pub struct EmojiText;

impl Demo for EmojiText {
    fn name(&self) -> &'static str {
        "emoji-text"
    }

    fn prepare(&self, workspace: &Workspace) -> Result<()> {
        minilm(workspace)?;
        emoji::write_names(&workspace.path("data/emoji-text"))
    }

    fn next(&self, runs: &str) -> Vec<(&'static str, String)> {
        let predict = format!(
            "{HOST} predict --checkpoint {runs} --input data/emoji-text/val.csv --output \
             {runs}/predictions.csv"
        );
        vec![
            ("Predict, a row for each name:", predict),
            ("See what trains at which rate in which epoch:", format!("{HOST} plan {}", config(self.name()))),
        ]
    }
}
