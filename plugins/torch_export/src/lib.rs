//! Any PyTorch module that `torch.export` exported, as the whole model or as the backbone under a new head.
//!
//! ```python
//! shapes = {"image": {0: Dim.DYNAMIC}}
//! program = torch.export.export(module.train(), (), {"image": x}, dynamic_shapes=shapes)
//! torch.export.save(program, "my_module.pt2")
//! ```
//!
//! ```toml
//! [model]
//! id = "torch-export"
//! path = "my_module.pt2"
//! num_classes = 9          # a new head on what the file gives; without it, the file is the whole model
//! ```
//!
//! Modules, parameters and buffers have the file's names, below `backbone` where there is a new head. The
//! file's values are the pretrained weights. Batch norms, dropouts and stochastic depth follow the mode of
//! their module.
//!
//! The file is an archive (`archive`) with the program as JSON (`json`) and its tensors (`tensors`).
//! `program::Program` is what was read, checked; `lower` makes a graph of it, whose every operator
//! goes through libtorch's dispatcher (`graph`). Nothing in the file is run as code, and no pickle is read:
//! a program can call libtorch's own operators on its tensors, those that open files left out.

mod archive;
mod config;
mod error;
mod graph;
mod json;
mod lower;
mod model;
mod modes;
mod part;
mod program;
mod stages;
mod tensors;

pub use config::TorchExportConfig;
pub use model::TorchExport;

#[cfg(feature = "export")]
thaw_plugin_api::export_plugin!(models: [TorchExport]);

#[cfg(test)]
mod tests;
