//! Training or evaluation, module by module.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// A module's mode, which the host sets and the layer reads.
#[derive(Clone, Debug)]
pub struct Mode(Arc<AtomicU8>);

impl Mode {
    /// The bit for training.
    const TRAINING: u8 = 1;
    /// The bit for batch norms that update their stored statistics.
    const TRACKING: u8 = 2;
    /// Neither of them.
    pub(super) const EVALUATION: u8 = 0;

    pub(super) fn new() -> Self {
        Self(Arc::new(AtomicU8::new(Self::TRAINING | Self::TRACKING)))
    }

    pub(super) fn set(&self, bits: u8) {
        self.0.store(bits, Ordering::Relaxed);
    }

    /// The mode as it crosses the boundary: bit 0 training, bit 1 tracking.
    #[doc(hidden)]
    pub fn to_bits(training: bool, tracking: bool) -> u8 {
        (u8::from(training) * Self::TRAINING) | (u8::from(tracking) * Self::TRACKING)
    }

    /// Whether the module is in training mode (PyTorch's `training`).
    pub fn is_training(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::TRAINING != 0
    }

    /// Whether a batch norm updates its stored statistics in training (PyTorch's `track_running_stats`).
    pub fn tracks_running_stats(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::TRACKING != 0
    }
}
