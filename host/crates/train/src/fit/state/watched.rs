//! What the loop watches.

use std::collections::BTreeSet;

use crate::audit::Frozen;
use crate::fit::Monitored;

/// What the loop looks after: metrics that are waited for, freeze state and groups. No checkpoint keeps it:
/// hooks say anew in `setup` what they wait for, and the first epoch of a process audits what it finds.
#[derive(Clone, Default)]
pub struct Watched {
    /// Metrics that hooks wait for.
    pub monitored: BTreeSet<Monitored>,
    /// Whether their names were compared with those of a batch.
    pub monitors_checked: bool,
    /// Whether the first epoch of this process has laid out its groups.
    pub laid_out: bool,
    /// Whether freeze state or groups changed since they were reported.
    pub changed: bool,
    /// Whether gradients are to be audited after the next backward.
    pub audit_gradients: bool,
    /// Digests of what is frozen.
    pub frozen: Frozen,
    /// Whether they were taken of a tensor set's values, which stood in the model.
    pub frozen_in_set: bool,
}

impl Watched {
    /// Freeze state and groups are those of a checkpoint from here on, which were reported before it.
    pub(in crate::fit) fn begin_anew(&mut self) {
        let Self {
            monitored: _,
            monitors_checked: _,
            laid_out: _,
            changed,
            audit_gradients: _,
            frozen: _,
            frozen_in_set: _,
        } = self;
        *changed = false;
    }
}
