//! A TorchScript file that no plugin knows, fine-tuned on emoji pictures; then it predicts.

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

    fn commands(&self, runs: &str) -> Vec<String> {
        vec![
            format!("fit {} --run-dir {runs}", config(self.name())),
            format!("predict --checkpoint {runs} --input data/emoji/val --output {runs}/predictions.csv"),
        ]
    }

    fn next(&self, _: &str) -> Vec<(&'static str, String)> {
        let own = format!(
            "{HOST} fit {} --set model.path=my_module.pt --set model.module=backbone",
            config(self.name())
        );
        vec![("Take a module of yours, after `torch.jit.script(my_module).save(\"my_module.pt\")`:", own)]
    }
}
