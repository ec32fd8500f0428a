//! Any PyTorch module that `torch.jit.script` or `torch.jit.trace` exported, as the whole model or as the
//! backbone under a new head.
//!
//! ```python
//! torch.jit.script(my_module).save("my_module.pt")
//! ```
//!
//! ```toml
//! [model]
//! id = "torchscript"
//! path = "my_module.pt"
//! num_classes = 9          # a new head on what the file gives; without it, the file is the whole model
//! ```
//!
//! Modules, parameters and buffers have the file's names, below `backbone` where there is a new head. The
//! file's values are the pretrained weights. A scripted module has a mode per submodule. A traced one has the
//! mode of its export in its code: such modules are marked in the tree, and asking for the other mode is
//! told.
//!
//! TorchScript is a program, if one without access to Python: load only files that you trust.

mod config;
mod model;
mod modes;
mod script;

pub use config::TorchScriptConfig;
pub use model::TorchScript;
pub use thaw_module_file::{Head, Kind, ModuleConfig};

#[cfg(feature = "export")]
thaw_plugin_api::export_plugin!(models: [TorchScript]);

#[cfg(test)]
mod tests;
