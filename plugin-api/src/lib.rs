//! What an author of Thaw plugins depends on.
//!
//! A plugin is a `cdylib` that exports strategies, callbacks, models and data sets. Authors implement plain
//! Rust traits, [`export_plugin!`] does the rest:
//!
//! ```
//! use thaw_plugin_api::prelude::*;
//!
//! /// Trains everything at once, at a tenth of the rate.
//! #[derive(Config)]
//! struct Gentle {}
//!
//! impl Strategy for Gentle {
//!     const ID: &'static str = "gentle";
//!
//!     fn freeze_before_training(&mut self, _: &mut ModuleTree) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     fn finetune(&mut self, epoch: usize, _: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
//!         if epoch == 0 {
//!             optimizer.groups_mut().iter_mut().for_each(|group| group.lr /= 10.0);
//!         }
//!         Ok(())
//!     }
//! }
//!
//! export_plugin!(strategies: [Gentle]);
//! # fn main() {}
//! ```
//!
//! - [`strategy`] and [`callback`]: the traits; [`hook`]: when each hook runs; [`context`]: what it sees;
//! - [`dataset`]: samples by index, for the host to batch;
//! - [`module_tree`] and [`optimizer`]: what trains and at which rate, with Lightning's `BaseFinetuning`
//!   functions;
//! - [`tensor_sets`]: copies of the model's tensors that the host keeps, such as averages;
//! - [`mod@audit`]: the invariant that every trainable parameter is in exactly one group;
//! - [`monitor`]: which way a metric improves, and for how long it has not;
//! - [`config`]: typed configuration; [`error`]: errors;
//! - [`testing`]: run a strategy in an ordinary `cargo test`, without libtorch;
//! - with the feature `torch`: [`model`](mod@model) and [`nn`].
//!
//! Plugins are native code with all rights of the program that loads them.

pub mod abi;
pub mod audit;
pub mod callback;
pub mod config;
pub mod context;
pub mod dataset;
#[doc(hidden)]
pub mod drive;
pub mod error;
mod export;
#[doc(hidden)]
pub use export::private as __private;
pub mod hook;
#[cfg(feature = "torch")]
pub mod model;
pub mod module_tree;
pub mod monitor;
mod nearest;
#[cfg(feature = "torch")]
pub mod nn;
pub mod optimizer;
pub mod prelude;
pub mod strategy;
pub mod tensor_sets;
pub mod testing;

pub use error::{Error, Result};
pub use nearest::{hint, nearest};
#[cfg(feature = "torch")]
pub use tch;
pub use {serde, serde_json, tracing};

/// Version of this crate: what plugins are compared by.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
