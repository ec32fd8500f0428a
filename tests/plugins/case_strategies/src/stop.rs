//! A callback that ends runs early.

use std::process::Command;

use thaw_plugin_api::prelude::*;

/// How a run is ended.
#[derive(Clone, Copy, Config)]
pub enum How {
    /// By asking for a stop.
    Request,
    /// By SIGINT, as Ctrl-C does.
    Interrupt,
    /// By SIGKILL.
    Kill,
}

/// Ends the run after a step, and logs how many batches it has seen: a value that goes into the next record.
#[derive(Config)]
pub struct CaseStop {
    /// The step; without it the run is not ended.
    at_step: Option<usize>,
    /// How it is ended.
    #[config(default = How::Request)]
    how: How,
    #[config(state)]
    batches: usize,
}

impl Callback for CaseStop {
    const ID: &'static str = "case-stop";

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        self.batches += 1;
        if context.batch_index() % 3 == 1 {
            context.log("batches_seen", self.batches as f64)?;
        }
        if self.at_step != Some(context.global_step()) {
            return Ok(());
        }
        let signal = match self.how {
            How::Request => return context.stop("the step is reached"),
            How::Interrupt => "-INT",
            How::Kill => "-KILL",
        };
        let status = Command::new("kill").arg(signal).arg(std::process::id().to_string()).status()?;
        ensure!(status.success(), "kill: {status}");
        Ok(())
    }
}
