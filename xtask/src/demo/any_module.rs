//! A TorchScript file that no plugin knows, fine-tuned on emoji pictures; then it predicts.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::{Demo, HOST, config, emoji};
use crate::workspace::Workspace;

pub struct AnyModule;

impl Demo for AnyModule {
    fn name(&self) -> &'static str {
        "any-module"
    }

    fn prepare(&self, workspace: &Workspace) -> Result<()> {
        emoji::write_pictures(&workspace.path("data/emoji"))
    }

    fn runs(&self) -> Vec<Vec<String>> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let run_dir = format!("runs/{}-{now}", self.name());
        let fit = ["fit", &config(self.name()), "--run-dir", &run_dir].map(str::to_owned).to_vec();
        let predictions = format!("{run_dir}/predictions.csv");
        let predict = ["predict", "--checkpoint", &run_dir, "--input", "data/emoji/val", "--output", &predictions].map(str::to_owned);
        vec![fit, predict.to_vec()]
    }

    fn next(&self) -> Vec<(&'static str, String)> {
        let own = format!("{HOST} fit {} --set model.path=my_module.pt --set model.module=backbone", config(self.name()));
        vec![("Take a module of yours, after `torch.jit.script(my_module).save(\"my_module.pt\")`:", own)]
    }
}
