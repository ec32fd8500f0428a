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
    /// By SIGHUP, as a terminal that goes away does.
    Hangup,
    /// By SIGKILL.
    Kill,
}

/// Where it is ended.
#[derive(Clone, Copy, Config, PartialEq)]
pub enum Where {
    /// After a batch of training.
    Training,
    /// At the first batch of a validation.
    Validation,
    /// At the first batch of the validation before training.
    SanityCheck,
}

/// Ends the run after a step, and logs how many batches it has seen: a value that goes into the next record.
#[derive(Config)]
pub struct CaseStop {
    /// The step; without it the run is not ended.
    at_step: Option<usize>,
    /// How it is ended.
    #[config(default = How::Request)]
    how: How,
    /// Where it is ended.
    #[config(default = Where::Training)]
    inside: Where,
    #[config(state)]
    batches: usize,
    #[config(skip)]
    sanity_checking: bool,
}

impl CaseStop {
    fn end(&self, context: &mut Context) -> Result<()> {
        let signal = match self.how {
            How::Request => return context.stop("the step is reached"),
            How::Interrupt => "-INT",
            How::Hangup => "-HUP",
            How::Kill => "-KILL",
        };
        let status = Command::new("kill").arg(signal).arg(std::process::id().to_string()).status()?;
        ensure!(status.success(), "kill: {status}");
        Ok(())
    }
}

impl Callback for CaseStop {
    const ID: &'static str = "case-stop";

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        self.batches += 1;
        if context.batch_index() % 3 == 1 {
            context.log("batches_seen", self.batches as f64)?;
        }
        let is_due = self.inside == Where::Training && self.at_step == Some(context.global_step());
        if is_due { self.end(context) } else { Ok(()) }
    }

    fn on_sanity_check_start(&mut self, _: &mut Context) -> Result<()> {
        self.sanity_checking = true;
        Ok(())
    }

    fn on_sanity_check_end(&mut self, _: &mut Context) -> Result<()> {
        self.sanity_checking = false;
        Ok(())
    }

    fn on_validation_batch_start(&mut self, context: &mut Context) -> Result<()> {
        let inside = if self.sanity_checking { Where::SanityCheck } else { Where::Validation };
        let is_due = self.inside == inside && self.at_step == Some(context.global_step());
        if is_due && context.batch_index() == 0 { self.end(context) } else { Ok(()) }
    }
}
