//! Where a run stands in its schedule: what checkpoints keep.

use thaw_plugin_api::serde::{Deserialize, Serialize};

use crate::end::Watch;

/// The phase that the run is in.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(crate = "thaw_plugin_api::serde")]
pub(crate) struct Position {
    /// Its name; none before the first epoch.
    pub phase: Option<String>,
    /// The epoch that it began in.
    pub since_epoch: usize,
    /// Optimizer steps before it.
    pub since_step: usize,
    /// What was seen of its metric.
    pub watch: Watch,
    /// Why it is over, where its metric says so.
    pub ended: Option<String>,
    /// Whether the present epoch has validated.
    pub validated: bool,
}
