//! Loss scaling for float16, as `torch.amp.GradScaler`.

use serde::{Deserialize, Serialize};

/// Grows the scale while gradients stay finite, halves it when they do not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LossScaler {
    scale: f64,
    good_steps: u32,
}

const GROWTH_INTERVAL: u32 = 2000;

impl Default for LossScaler {
    fn default() -> Self {
        Self { scale: 65536.0, good_steps: 0 }
    }
}

impl LossScaler {
    /// What the loss is multiplied by.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Takes note of a step: it is skipped where a gradient was not finite.
    pub fn update(&mut self, found_inf: bool) {
        if found_inf {
            self.scale /= 2.0;
            self.good_steps = 0;
            return;
        }
        self.good_steps += 1;
        if self.good_steps == GROWTH_INTERVAL {
            self.scale *= 2.0;
            self.good_steps = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_halves_on_overflow_and_doubles_after_2000_good_steps() {
        let mut scaler = LossScaler::default();
        scaler.update(true);
        assert_eq!(scaler.scale(), 32768.0);
        (0..2000).for_each(|_| scaler.update(false));
        assert_eq!(scaler.scale(), 65536.0);
    }
}
