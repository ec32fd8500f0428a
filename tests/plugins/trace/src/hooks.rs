//! A strategy and a callback that append a line to a file for whatever is called of them: their name, and the
//! method's.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use thaw_plugin_api::prelude::*;

fn note(file: &Path, name: &str, method: &str) -> Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    Ok(writeln!(file, "{name} {method}")?)
}

/// A strategy that writes down its calls, and leaves everything as it is.
#[derive(Config)]
pub struct TraceStrategy {
    /// What it is called in the file.
    name: String,
    /// The file.
    file: PathBuf,
}

/// A callback that writes down its hooks.
#[derive(Config)]
pub struct TraceCallback {
    /// What it is called in the file.
    name: String,
    /// The file.
    file: PathBuf,
}

macro_rules! trace_hooks {
    ($($hook:ident)*) => {
        impl Strategy for TraceStrategy {
            const ID: &'static str = "trace-strategy";

            fn freeze_before_training(&mut self, _: &mut ModuleTree) -> Result<()> {
                note(&self.file, &self.name, "freeze_before_training")
            }

            fn finetune(&mut self, _: usize, _: &mut ModuleTree, _: &mut Optimizer) -> Result<()> {
                note(&self.file, &self.name, "finetune")
            }

            $(fn $hook(&mut self, _: &mut Context) -> Result<()> {
                note(&self.file, &self.name, stringify!($hook))
            })*
        }

        impl Callback for TraceCallback {
            const ID: &'static str = "trace-callback";

            $(fn $hook(&mut self, _: &mut Context) -> Result<()> {
                note(&self.file, &self.name, stringify!($hook))
            })*
        }
    };
}
trace_hooks! {
    setup on_fit_start on_sanity_check_start on_sanity_check_end on_train_start on_train_epoch_start
    on_train_batch_start on_before_zero_grad on_before_backward on_after_backward on_before_optimizer_step
    on_after_optimizer_step on_train_batch_end on_validation_start on_validation_epoch_start
    on_validation_batch_start on_validation_batch_end on_validation_epoch_end on_validation_end
    on_train_epoch_end on_save_checkpoint on_load_checkpoint on_train_end on_fit_end on_exception teardown
}
