//! Emoji pictures, nine groups, with an EfficientNet-Lite0 that was trained on ImageNet.

use anyhow::Result;

use super::{Demo, HOST, config, efficientnet_lite0, emoji};
use crate::workspace::Workspace;

pub struct EmojiVision;

impl Demo for EmojiVision {
    fn name(&self) -> &'static str {
        "emoji-vision"
    }

    fn prepare(&self, workspace: &Workspace) -> Result<()> {
        efficientnet_lite0(workspace)?;
        emoji::write_pictures(&workspace.path("data/emoji"))
    }

    fn next(&self, runs: &str) -> Vec<(&'static str, String)> {
        vec![
            (
                "Predict, a row for each picture:",
                format!(
                    "{HOST} predict --checkpoint {runs} --input data/emoji/val --output \
                     {runs}/predictions.csv"
                ),
            ),
            ("See what trains at which rate in which epoch:", format!("{HOST} plan {}", config(self.name()))),
            (
                "See what a plugin offers, with its parameters:",
                format!("{HOST} --plugin target/release/libthaw_layerwise_finetuning.so"),
            ),
        ]
    }
}
