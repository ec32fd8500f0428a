//! Schedules that span the run, when the run becomes longer or shorter.

use thaw_plugin_api::optimizer::ParamGroup;

use super::rule::Rule;
use super::{Result, RunLength, Scheduler};

/// Rates that differ by less than this share of a group's own are the same but for rounding.
const ROUNDING: f64 = 1e-9;

impl Scheduler {
    /// Whether its span is a strategy's, which began it in the middle of the run.
    pub fn is_a_strategys(&self) -> bool {
        self.replaces_the_runs
    }

    /// Whether its rates depend on how long the run is.
    pub fn spans_the_run(&self) -> bool {
        self.config.schedule.spans_the_run()
    }

    /// Goes on in a run of another length. A schedule that spans the run then has the rates that its closed
    /// form has over the new length at the present count; a rate that a strategy has written keeps its ratio
    /// to the schedule's. Gives whether rates follow another curve now.
    ///
    /// # Errors
    /// A rate that is no number of 0 or more.
    pub fn set_length(&mut self, was: RunLength, now: RunLength, groups: &mut [ParamGroup]) -> Result<bool> {
        let before = Rule::new(&self.config, &was)?;
        self.rule = Rule::new(&self.config, &now)?;
        let is_same = was == now;
        self.length = now;
        if is_same || !self.spans_the_run() {
            return Ok(false);
        }
        for group in groups {
            let Some(known) = self.groups.get(&group.name) else { continue };
            let scheduled = before.closed(self.advances, known.base_lr)?;
            let closed = self.rule.closed(self.advances, known.base_lr)?;
            let is_written = (group.lr - scheduled).abs() > ROUNDING * known.base_lr.max(scheduled);
            let is_scaled = is_written && scheduled > ROUNDING * known.base_lr;
            self.write(group, if is_scaled { group.lr / scheduled * closed } else { closed })?;
        }
        Ok(true)
    }
}
