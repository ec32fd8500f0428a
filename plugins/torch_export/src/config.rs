//! The model's keys in the run config.

use std::path::PathBuf;

use thaw_module_file::ModuleConfig;
use thaw_plugin_api::prelude::*;

/// Configuration of [`crate::TorchExport`].
#[derive(Config, Clone, Debug)]
pub struct TorchExportConfig {
    /// The file that `torch.export.save` wrote. It holds the program: a run and its checkpoints keep a copy
    /// of it.
    pub path: PathBuf,
    /// Which program of the file, where it holds several. Default: `model`, else the only one, else `train`.
    pub program: Option<String>,
    /// Which part of it, what goes in and out, and a new head.
    #[config(flatten)]
    pub module: ModuleConfig,
}
