//! What hooks asked for.

use std::collections::BTreeMap;

use thaw_plugin_api::context::CheckpointName;

use super::finite;
use crate::checkpoint::SavedRequests;
use thaw_optim::scheduler::Restart;

/// What hooks asked for, done as soon as the loop allows.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Why to stop.
    pub stop: Option<String>,
    /// Names of checkpoints to write.
    pub checkpoints: Vec<CheckpointName>,
    /// Whether to validate.
    pub validate: bool,
    /// Whether the statistics of batch norms are to be made anew.
    pub norms: bool,
    /// Whether a validation inside an epoch was interrupted: it comes before the next batch.
    pub validate_first: bool,
    /// How the scheduler starts anew.
    pub restart: Option<Restart>,
    /// Metrics logged since the last record.
    pub logged: BTreeMap<String, f64>,
}

impl Requests {
    /// What a checkpoint keeps, with a stop that waits for the run's least length. The loop does the other
    /// requests before it writes one, or, as a stop that is due, they are of this process alone.
    pub(in crate::fit) fn save(&self, waiting_stop: Option<String>) -> SavedRequests {
        let Self { validate_first, logged, stop: _, checkpoints: _, validate: _, norms: _, restart: _ } =
            self;
        SavedRequests { logged: finite(logged), waiting_stop, validate_first: *validate_first }
    }

    /// Takes over what a checkpoint keeps; what hooks asked for in `setup` stays.
    pub(in crate::fit) fn restore(&mut self, saved: &SavedRequests) {
        let SavedRequests { logged: saved_logged, waiting_stop, validate_first: saved_first } = saved;
        let Self { stop, checkpoints: _, validate: _, norms: _, validate_first, restart: _, logged } = self;
        *validate_first = *saved_first;
        logged.clone_from(saved_logged);
        if stop.is_none() {
            stop.clone_from(waiting_stop);
        }
    }
}
