//! Plugins: finding, opening and checking them, and what is made of them.
//!
//! ```no_run
//! use serde_json::json;
//! use thaw_plugins::PluginSet;
//!
//! # fn main() -> Result<(), thaw_plugins::PluginError> {
//! let mut plugins = PluginSet::default();
//! let plugin = plugins.add("target/release/libthaw_backbone_finetuning.so".as_ref())?;
//! println!("{} {}", plugin.metadata().name, plugin.sha256());
//! let strategy = plugins.create("backbone-finetuning", &json!({ "unfreeze_at_epoch": 3 }))?;
//! assert_eq!(strategy.id(), "backbone-finetuning");
//! # Ok(())
//! # }
//! ```
//!
//! [`PluginSet`] holds the plugins of this process; [`Instance`] is a strategy or callback of one,
//! [`DatasetInstance`] a data set. This is the only module that opens libraries. They are never closed: code,
//! statics and panic hooks of a plugin live as long as the process.

pub mod calls;
mod compatibility;
mod dataset;
mod dependencies;
mod error;
mod instance;
mod load;
mod locate;
mod log;
mod open;
mod parameters;
mod program;
mod self_contained;
mod set;
mod snapshot;
mod spelling;
mod trust;
mod whole;
mod working_directory;

pub use dataset::DatasetInstance;
pub use dependencies::links_libtorch;
pub use error::{Failure, PluginError};
pub use instance::Instance;
pub use load::LoadedPlugin;
pub use load::root_and_metadata;
pub use locate::{SearchPath, is_path};
pub use parameters::{Parameter, parameters, plain};
pub use self_contained::self_contained;
pub use set::PluginSet;
pub use snapshot::{PluginFile, Snapshot};
pub use spelling::pattern;
pub use trust::be_strict;
