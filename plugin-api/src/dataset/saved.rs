//! A data set's state with its version.

use super::Dataset;
use crate::abi::{SavedState, read_state};
use crate::error::Result;

/// What goes into a checkpoint, JSON.
#[doc(hidden)]
pub fn save<D: Dataset>(dataset: &D) -> Result<String> {
    Ok(serde_json::to_string(&SavedState { version: D::STATE_VERSION, state: dataset.state()? })?)
}

/// Restores what [`save`] gave, of whichever version.
#[doc(hidden)]
pub fn restore<D: Dataset>(dataset: &mut D, state: &str) -> Result<()> {
    dataset.load_state(read_state(state, D::STATE_VERSION, D::migrate_state)?)
}
