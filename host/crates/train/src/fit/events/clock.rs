//! Time of a run, over its processes.

use std::time::Instant;

/// Seconds since a run was started, those of earlier processes included.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    /// Seconds until the checkpoint that the run goes on from.
    before: f64,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self { started: Instant::now(), before: 0.0 }
    }

    /// Goes on from a checkpoint that was written after so many seconds.
    pub fn go_on_from(&mut self, before: f64) {
        self.before = before.max(0.0);
    }

    /// Seconds until a moment.
    pub fn seconds_at(&self, moment: Instant) -> f64 {
        self.before + moment.saturating_duration_since(self.started).as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_resumed_run_counts_on_from_its_checkpoint() {
        let mut clock = Clock::start();
        clock.go_on_from(100.0);
        let later = clock.started + Duration::from_millis(1500);
        assert_eq!(clock.seconds_at(later), 101.5);
    }
}
