//! The curve of a cyclic schedule: up to the highest rate and down again, momentum the other way round (Smith
//! 2017).

use super::config::{Cyclic, CyclicMode};

/// Cycles without end.
#[derive(Clone, Debug)]
pub(super) struct Cycles {
    settings: Cyclic,
    /// The lowest rate as a share of the highest.
    share: f64,
}

impl Cycles {
    pub(super) fn new(settings: Cyclic) -> Cycles {
        let share = settings.share().unwrap_or_default();
        Cycles { settings, share }
    }

    /// Highest rate of the group at this position.
    pub(super) fn max_lr(&self, index: usize, initial_lr: f64) -> f64 {
        self.settings.max_lr.at(index).unwrap_or(initial_lr)
    }

    /// The rate at count `t` of a group whose highest rate is `max_lr`.
    pub(super) fn lr(&self, t: usize, max_lr: f64) -> f64 {
        let base_lr = max_lr * self.share;
        base_lr + (max_lr - base_lr) * self.height(t)
    }

    /// The momentum at count `t`, where it is cycled.
    pub(super) fn momentum(&self, t: usize) -> Option<f64> {
        let Cyclic { cycle_momentum, base_momentum, max_momentum, .. } = self.settings;
        cycle_momentum.then(|| max_momentum - (max_momentum - base_momentum) * self.height(t))
    }

    /// How high the curve is at count `t`, from 0 to 1.
    fn height(&self, t: usize) -> f64 {
        let (up, down) =
            (self.settings.step_size_up, self.settings.step_size_down.unwrap_or(self.settings.step_size_up));
        let length = up.saturating_add(down);
        let (cycle, within) = (t / length, t % length);
        let height =
            if within <= up { within as f64 / up as f64 } else { (length - within) as f64 / down as f64 };
        height
            * match self.settings.mode {
                CyclicMode::Triangular => 1.0,
                CyclicMode::Triangular2 => 0.5_f64.powf(cycle as f64),
                CyclicMode::ExpRange => self.settings.gamma.powf(t as f64),
            }
    }
}
