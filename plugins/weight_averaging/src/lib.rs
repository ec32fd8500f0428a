//! Averages of weights: [`Ema`] and [`Swa`], Lightning's callbacks with their parameters.
//!
//! The averages are tensor sets of the host's: on the run's device, in every checkpoint.

mod ema;
mod swa;

pub use ema::Ema;
pub use swa::{Anneal, Start, Swa};
#[cfg(feature = "export")]
use thaw_plugin_api::export_plugin;

#[cfg(feature = "export")]
export_plugin!(callbacks: [Ema, Swa]);
