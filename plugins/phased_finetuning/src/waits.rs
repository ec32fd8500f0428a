//! Metrics that phases wait for.

use thaw_plugin_api::monitor::{Mode, is_of_validation};
use thaw_plugin_api::prelude::*;

use crate::PhasedFinetuning;
use crate::phase::Phase;

/// A metric that a phase waits for.
pub(crate) struct Waited {
    /// The phase's number, from 0.
    pub phase: usize,
    /// The key that names the metric, below the phase.
    pub key: &'static str,
    /// The metric's name.
    pub metric: String,
    /// Whether less or more is better, where the schedule says so.
    pub mode: Option<Mode>,
}

impl Waited {
    /// Whether the metric comes from validation.
    pub fn needs_validation(&self) -> bool {
        is_of_validation(&self.metric)
    }
}

impl PhasedFinetuning {
    /// All metrics that end phases or that their schedulers look at.
    pub(crate) fn waits(&self) -> Vec<Waited> {
        let of_phase = |(index, phase): (usize, &Phase)| {
            let monitor = phase.end.as_ref().and_then(|end| end.monitor.as_ref());
            let end = monitor.map(|monitor| Waited {
                phase: index,
                key: "end.monitor.metric",
                metric: monitor.metric.clone(),
                mode: monitor.mode,
            });
            let plateau = phase.scheduler.as_ref().filter(|table| table["id"] == "reduce-on-plateau");
            let scheduler = plateau.map(|table| Waited {
                phase: index,
                key: "scheduler.monitor",
                metric: table["monitor"].as_str().unwrap_or("val_loss").to_owned(),
                mode: Mode::from_value(&table["mode"], &Key::root()).ok(),
            });
            end.into_iter().chain(scheduler)
        };
        self.phases().iter().enumerate().flat_map(of_phase).collect()
    }
}
