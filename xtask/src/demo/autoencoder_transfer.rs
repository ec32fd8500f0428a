//! An auto-encoder, then a classifier on its frozen encoder, then predictions: the transfer learning of
//! Lightning's guide.

use anyhow::Result;

use super::{Demo, HOST, config, emoji};
use crate::workspace::Workspace;

pub struct AutoencoderTransfer;

/// As `path` in both run configs.
const DATA: &str = "data/emoji";

impl Demo for AutoencoderTransfer {
    fn name(&self) -> &'static str {
        "autoencoder-transfer"
    }

    fn prepare(&self, workspace: &Workspace) -> Result<()> {
        emoji::write_pictures(&workspace.path(DATA))
    }

    fn commands(&self, runs: &str) -> Vec<String> {
        vec![
            format!("fit {} --run-dir {runs}/autoencoder", config("autoencoder")),
            format!(
                "fit {} --run-dir {runs}/classifier --set model.weights.path={runs}/autoencoder",
                config(self.name())
            ),
            format!(
                "predict --checkpoint {runs}/classifier --input {DATA}/val --output {runs}/predictions.csv"
            ),
        ]
    }

    fn next(&self, runs: &str) -> Vec<(&'static str, String)> {
        vec![
            ("Look at the predictions:", format!("head {runs}/predictions.csv")),
            (
                "Train the encoder, too, instead of keeping it frozen:",
                format!(
                    "{HOST} fit {} --set model.weights.path={runs}/autoencoder --set \
                     model.freeze_features=false",
                    config(self.name())
                ),
            ),
        ]
    }
}
