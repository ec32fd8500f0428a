//! The model's keys in the run config.

use std::path::PathBuf;

use thaw_module_file::ModuleConfig;
use thaw_plugin_api::prelude::*;

/// Configuration of [`crate::TorchScript`].
#[derive(Config, Clone, Debug)]
pub struct TorchScriptConfig {
    /// The file that `torch.jit.save` wrote. It holds the code: a run and its checkpoints keep a copy of it.
    /// Its float16, bfloat16 and float64 parameters and buffers become float32.
    pub path: PathBuf,
    /// Which part of it, what goes in and out, and a new head.
    #[config(flatten)]
    pub module: ModuleConfig,
}
