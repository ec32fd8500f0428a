//! A fake run, to test strategies and callbacks in an ordinary `cargo test`, without libtorch.
//!
//! [`FakeModel`] describes a model, [`FakeRun`] drives strategies and callbacks over it in the host's order
//! and through the same boundary, and [`Report`] says per epoch what trained at which rate:
//!
//! ```
//! use thaw_plugin_api::prelude::*;
//! use thaw_plugin_api::serde_json::json;
//! use thaw_plugin_api::testing::{FakeModel, FakeRun};
//!
//! /// Trains the head alone, and the whole model from one epoch on.
//! #[derive(Config)]
//! struct HeadFirst {
//!     /// Epoch at which the backbone thaws.
//!     #[config(default = 5)]
//!     unfreeze_at_epoch: usize,
//! }
//!
//! impl Strategy for HeadFirst {
//!     const ID: &'static str = "head-first";
//!
//!     fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
//!         model.module("backbone")?.freeze(BatchNorm::Eval);
//!         Ok(())
//!     }
//!
//!     fn finetune(
//!         &mut self,
//!         epoch: usize,
//!         model: &mut ModuleTree,
//!         optimizer: &mut Optimizer,
//!     ) -> Result<()> {
//!         if epoch == self.unfreeze_at_epoch {
//!             let rate = optimizer.group(0)?.lr / 10.0;
//!             model.module("backbone")?.unfreeze_and_add_param_group(optimizer, rate)?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let model = FakeModel::new()
//!     .sequential("backbone", |layers| layers.linear("0", 16, 32).batch_norm("1", 32).relu("2"))
//!     .linear("head", 32, 4);
//! let mut run = FakeRun::new(model).optimizer("adam", 1e-3).max_epochs(4);
//! run.add_strategy::<HeadFirst>(json!({ "unfreeze_at_epoch": 2 }))?;
//!
//! let report = run.fit()?;
//! report.epoch(1).assert_trainable(["head"]).assert_batch_norm("backbone.1", BatchNorm::Eval);
//! report.epoch(2).assert_trainable(["backbone", "head"]).assert_lr("backbone", 1e-4);
//! # Ok(())
//! # }
//! ```
//!
//! A run is driven to its end with [`FakeRun::fit`], or by [`FakeRun::run_epochs`] and [`FakeRun::run_steps`]
//! with a look at [`FakeRun::tree`] and [`FakeRun::groups`] in between. [`FakeRun::metric`] and
//! [`FakeRun::loss`] feed it,
//! [`FakeRun::save`] and [`FakeRun::resumed_from`] stop and resume it.
//!
//! A data set is opened with [`open_dataset`], and held with [`assert_dataset`] against what the host relies
//! on.
//!
//! The fake run refuses what the host refuses: a trainable parameter in no group, one in two groups, a rate
//! that is no number. What a strategy logs through `tracing` is in [`Report::messages`].

mod assertions;
mod dataset;
mod fit;
mod host;
mod instance;
mod log;
mod model;
mod record;
mod resume;
mod run;
mod sets;
mod started;
#[cfg(feature = "torch")]
mod values;

pub use dataset::{assert_dataset, open_dataset};
pub use log::Message;
pub use model::FakeModel;
pub use record::{BatchNormFlags, EpochRecord, Event, Report, StepRecord};
pub use resume::assert_resumes_alike;
pub use run::FakeRun;
