//! The one-cycle curve: up to the largest rate and down again, momentum the other way round (Smith and Topin
//! 2017).

use std::f64::consts::PI;

use super::config::{Anneal, OneCycle};

/// A one-cycle curve of known length.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    settings: OneCycle,
    total_steps: usize,
    phases: Vec<Phase>,
}

/// A stretch of the curve up to and including `end`.
#[derive(Clone, Copy, Debug)]
struct Phase {
    end: f64,
    lr: [Height; 2],
    momentum: [Side; 2],
}

#[derive(Clone, Copy, Debug)]
enum Height {
    Initial,
    Max,
    Min,
}

#[derive(Clone, Copy, Debug)]
enum Side {
    Base,
    Max,
}

impl Curve {
    pub(super) fn new(settings: OneCycle, total_steps: usize) -> Curve {
        let total = total_steps as f64;
        let rise = Phase {
            end: settings.pct_start * total - 1.0,
            lr: [Height::Initial, Height::Max],
            momentum: [Side::Max, Side::Base],
        };
        let last = total - 1.0;
        let phases = if settings.three_phase {
            let back = Phase {
                end: 2.0 * settings.pct_start * total - 2.0,
                lr: [Height::Max, Height::Initial],
                momentum: [Side::Base, Side::Max],
            };
            let out =
                Phase { end: last, lr: [Height::Initial, Height::Min], momentum: [Side::Max, Side::Max] };
            vec![rise, back, out]
        } else {
            let fall = Phase { end: last, lr: [Height::Max, Height::Min], momentum: [Side::Base, Side::Max] };
            vec![rise, fall]
        };
        Curve { settings, total_steps, phases }
    }

    /// Largest rate of the group at this position, which starts at `initial_lr` where the settings name none.
    pub(super) fn max_lr(&self, index: usize, initial_lr: f64) -> f64 {
        self.settings.max_lr.as_ref().and_then(|max_lr| max_lr.at(index)).unwrap_or(initial_lr)
    }

    /// The rate at step `t` of a group whose largest rate is `max_lr`. Past the last step it stays.
    pub(super) fn lr(&self, t: usize, max_lr: f64) -> f64 {
        let initial = max_lr / self.settings.div_factor;
        let height = |h: Height| match h {
            Height::Initial => initial,
            Height::Max => max_lr,
            Height::Min => initial / self.settings.final_div_factor,
        };
        let (phase, done) = self.phase(t);
        self.anneal(height(phase.lr[0]), height(phase.lr[1]), done)
    }

    /// The momentum at step `t`, where it is cycled.
    pub(super) fn momentum(&self, t: usize) -> Option<f64> {
        let side = |s: Side| match s {
            Side::Base => self.settings.base_momentum,
            Side::Max => self.settings.max_momentum,
        };
        let (phase, done) = self.phase(t);
        self.settings
            .cycle_momentum
            .then(|| self.anneal(side(phase.momentum[0]), side(phase.momentum[1]), done))
    }

    /// The phase that step `t` is in, and how much of it is done.
    fn phase(&self, t: usize) -> (Phase, f64) {
        let t = t.min(self.total_steps.saturating_sub(1)) as f64;
        let mut start = 0.0;
        let (last, before) = (self.phases.len() - 1, &self.phases[..self.phases.len() - 1]);
        for phase in before {
            if t <= phase.end {
                return (*phase, share(t, start, phase.end));
            }
            start = phase.end;
        }
        (self.phases[last], share(t, start, self.phases[last].end))
    }

    fn anneal(&self, start: f64, end: f64, done: f64) -> f64 {
        match self.settings.anneal_strategy {
            Anneal::Cos => end + (start - end) / 2.0 * ((PI * done).cos() + 1.0),
            Anneal::Linear => (end - start) * done + start,
        }
    }
}

/// How much of the way from `start` to `end` is done at `t`; a way of no length is done.
fn share(t: f64, start: f64, end: f64) -> f64 {
    if end == start { 1.0 } else { (t - start) / (end - start) }
}
