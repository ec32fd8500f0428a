//! An auto-encoder, then a classifier on its frozen encoder, then predictions: the transfer learning of Lightning's guide.

use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::{Demo, HOST, config, emoji};
use crate::workspace::Workspace;

pub struct AutoencoderTransfer;

/// As `path` in both run configs.
const DATA: &str = "data/emoji";

/// The folder of both runs. The second has to know where the first one wrote.
static RUNS: LazyLock<String> = LazyLock::new(|| {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("runs/autoencoder-transfer-{seconds}")
});

impl Demo for AutoencoderTransfer {
    fn name(&self) -> &'static str {
        "autoencoder-transfer"
    }

    fn prepare(&self, workspace: &Workspace) -> Result<()> {
        emoji::write_pictures(&workspace.path(DATA))
    }

    fn runs(&self) -> Vec<Vec<String>> {
        let runs = RUNS.as_str();
        let words = |line: String| line.split(' ').map(str::to_owned).collect();
        vec![
            words(format!("fit {} --run-dir {runs}/autoencoder", config("autoencoder"))),
            words(format!("fit {} --run-dir {runs}/classifier --set model.weights.path={runs}/autoencoder", config(self.name()))),
            words(format!("predict --checkpoint {runs}/classifier --input {DATA}/val --output {runs}/predictions.csv")),
        ]
    }

    fn next(&self) -> Vec<(&'static str, String)> {
        let runs = RUNS.as_str();
        vec![
            ("Look at the predictions:", format!("head {runs}/predictions.csv")),
            (
                "Train the encoder, too, instead of keeping it frozen:",
                format!("{HOST} fit {} --set model.weights.path={runs}/autoencoder --set model.freeze_features=false", config(self.name())),
            ),
        ]
    }
}
