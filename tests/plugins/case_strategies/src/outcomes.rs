//! A callback that writes down what it sees of validation batches.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

/// Writes a line for each batch of validation, and logs the accuracy that it counts itself.
#[derive(Config)]
pub struct CaseOutcomes {
    /// The file, to which lines are added.
    file: PathBuf,
    /// Asks in a hook where there is no batch.
    #[config(default = false)]
    too_early: bool,
    #[config(skip)]
    hits: usize,
    #[config(skip)]
    seen: usize,
}

impl Callback for CaseOutcomes {
    const ID: &'static str = "case-outcomes";

    fn on_validation_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        (self.hits, self.seen) = (0, 0);
        if self.too_early { context.outputs().map(drop) } else { Ok(()) }
    }

    fn on_validation_batch_end(&mut self, context: &mut Context) -> Result<()> {
        let (outputs, targets) = (context.outputs()?, context.targets()?);
        let (samples, set) = (context.samples()?, context.progress().validation_set);
        let targets: Vec<usize> =
            targets.iter().flat_map(|targets| targets.values()).map(|class| *class as usize).collect();
        if set == 0 {
            self.seen += targets.len();
            self.hits +=
                outputs.argmax().iter().zip(&targets).filter(|(found, class)| found == class).count();
        }
        let line = json!({ "set": set, "batch": context.batch_index(), "shape": outputs.shape(),
            "samples": samples, "targets": targets });
        let mut file = OpenOptions::new().create(true).append(true).open(&self.file)?;
        // In one piece: other processes write into the same file.
        Ok(file.write_all(format!("{line}\n").as_bytes())?)
    }

    fn on_validation_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        context.log("own_acc", self.hits as f64 / self.seen as f64)
    }
}
