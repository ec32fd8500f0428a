//! What an epoch's training spends its time on.

use std::time::Duration;

/// Seconds of an epoch's training, by what they went into. What a GPU computes is in the part that waits for
/// it next, as in a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// Waiting for batches, and moving them to the device.
    pub data: f64,
    /// The model and its loss.
    pub forward: f64,
    /// Gradients.
    pub backward: f64,
    /// Clipping, the optimizer's step and clearing gradients.
    pub optimizer_step: f64,
}

impl Spent {
    /// Adds what a section of the loop took, by its name in a profile; others are not told apart.
    pub(crate) fn add(&mut self, section: &str, took: Duration) {
        let part = match section {
            "next_batch" | "to_device" => &mut self.data,
            "forward" => &mut self.forward,
            "backward" => &mut self.backward,
            "optimizer_step" | "zero_grad" => &mut self.optimizer_step,
            _ => return,
        };
        *part += took.as_secs_f64();
    }
}
