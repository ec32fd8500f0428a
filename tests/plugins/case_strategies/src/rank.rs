//! A callback that does something in one of a run's processes alone.

use std::process::Command;

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::no_grad;

/// What it does.
#[derive(Clone, Copy, Config)]
pub enum Does {
    /// It returns an error.
    Fail,
    /// It panics.
    Panic,
    /// It does not come back.
    Hang,
    /// The process is killed.
    Kill,
    /// The user ends it, as by Ctrl-C.
    Interrupt,
    /// Slurm tells it that its time is up.
    Usr1,
    /// It asks for a stop.
    Stop,
    /// It sets another rate.
    Rate,
    /// It freezes something.
    Freeze,
    /// It writes other weights.
    Write,
    /// It asks for a checkpoint.
    Checkpoint,
}

/// Does it after a batch that ends with this step.
#[derive(Config)]
pub struct CaseRank {
    /// The process.
    rank: usize,
    /// The step.
    at_step: usize,
    /// What it does.
    does: Does,
}

impl CaseRank {
    fn signal(name: &str) -> Result<()> {
        let status = Command::new("kill").arg(name).arg(std::process::id().to_string()).status()?;
        ensure!(status.success(), "kill: {status}");
        Ok(())
    }
}

impl Callback for CaseRank {
    const ID: &'static str = "case-rank";

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        if context.rank() != self.rank || context.global_step() != self.at_step {
            return Ok(());
        }
        match self.does {
            Does::Fail => bail!("the disk of rank {} of {} is full", self.rank, context.world_size()),
            Does::Panic => panic!("rank {} panics", self.rank),
            Does::Hang => loop {
                std::thread::park();
            },
            Does::Kill => Self::signal("-KILL"),
            Does::Interrupt => Self::signal("-INT"),
            Does::Usr1 => Self::signal("-USR1"),
            Does::Stop => context.stop("it is enough"),
            Does::Rate => context.set_lr("head", 0.5),
            Does::Freeze => {
                context.model()?.module("head.0")?.freeze(BatchNorm::Eval);
                Ok(())
            }
            Does::Write => {
                no_grad(|| context.tensor("head.0.weight")?.f_fill_(0.5).map_err(Error::from).map(drop))
            }
            Does::Checkpoint => context.save_checkpoint("alone"),
        }
    }
}
