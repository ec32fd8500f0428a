//! What batches and hooks gave.

use std::collections::{BTreeMap, BTreeSet};

use super::finite;
use crate::checkpoint::{Meter, SavedMeasured};
use crate::fit::readings::{Arriving, Readings};
use crate::fit::{Evaluation, FitError};

/// Losses and metrics of a run, and what of them is still on its way from the device.
pub struct Measured {
    /// The present epoch's value of each metric; while an epoch starts, that of the epoch before.
    pub metrics: BTreeMap<String, f64>,
    /// Every metric that there was.
    pub known_metrics: BTreeSet<String>,
    /// Sums of the epoch.
    pub meter: Meter,
    /// The last batch's loss that was read; [`RunState::read_all`](crate::fit::RunState::read_all) reads them
    /// up to the last batch.
    pub loss: Option<f64>,
    /// Rates of the last step, by position of the group.
    pub used_rates: Vec<f64>,
    /// Loss and metrics of batches that are not read yet.
    pub readings: Readings,
    /// The first loss or norm of gradients that is not finite.
    pub not_finite: Option<FitError>,
    /// Results of the last validation.
    pub validation: Option<Evaluation>,
    /// Optimizer steps before the last validation.
    pub validated_at: Option<usize>,
}

impl Measured {
    /// Nothing yet; `readings` says when numbers are read.
    pub fn new(readings: Readings) -> Self {
        Self {
            metrics: BTreeMap::new(),
            known_metrics: BTreeSet::new(),
            meter: Meter::default(),
            loss: None,
            used_rates: Vec::new(),
            readings,
            not_finite: None,
            validation: None,
            validated_at: None,
        }
    }

    /// What is read, with where it goes.
    pub(in crate::fit) fn arriving(&mut self) -> Arriving<'_> {
        Arriving {
            readings: &mut self.readings,
            meter: &mut self.meter,
            loss: &mut self.loss,
            not_finite: &mut self.not_finite,
        }
    }

    /// What a checkpoint keeps. All is read by then, and looked at; a resumed epoch validates anew at its
    /// end.
    pub(in crate::fit) fn save(&self) -> SavedMeasured {
        let Self {
            metrics,
            known_metrics,
            meter,
            loss,
            used_rates,
            readings: _,
            not_finite: _,
            validation: _,
            validated_at: _,
        } = self;
        SavedMeasured {
            metrics: finite(metrics),
            known_metrics: known_metrics.clone(),
            meter: meter.clone(),
            loss: loss.filter(|loss| loss.is_finite()),
            used_rates: used_rates.clone(),
        }
    }

    /// Takes over what a checkpoint keeps.
    pub(in crate::fit) fn restore(&mut self, saved: &SavedMeasured) {
        let SavedMeasured { metrics, known_metrics, meter, loss, used_rates } = saved;
        *self = Self {
            metrics: metrics.clone(),
            // Older checkpoints have no list of names.
            known_metrics: known_metrics.iter().chain(metrics.keys()).cloned().collect(),
            meter: meter.clone(),
            loss: *loss,
            used_rates: used_rates.clone(),
            readings: Readings::new(self.readings.reads()),
            not_finite: None,
            validation: None,
            validated_at: None,
        };
    }

    /// A copy, to be put back by assignment. What is not read yet is not in it: read it before.
    pub(in crate::fit) fn hold(&self) -> Self {
        Self {
            metrics: self.metrics.clone(),
            known_metrics: self.known_metrics.clone(),
            meter: self.meter.clone(),
            loss: self.loss,
            used_rates: self.used_rates.clone(),
            readings: Readings::new(self.readings.reads()),
            not_finite: None,
            validation: self.validation.clone(),
            validated_at: self.validated_at,
        }
    }
}
