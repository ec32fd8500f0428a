//! Emoji names, nine groups, with MiniLM (a sentence encoder of six layers).

use anyhow::Result;

use super::{Demo, emoji, minilm};
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
}
