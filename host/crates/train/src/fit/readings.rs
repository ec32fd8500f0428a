//! What batches gave, on its way from the device into the epoch's means.

use std::borrow::Cow;

use super::{FitError, Meter};
use crate::error::torch;
use thaw_torch::reading::{Copying, Reading, Reads};

/// Rows that gather before they are copied unasked: so late a loss that is not finite is found.
const GATHERED: usize = 32;

/// What a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Loss, then metrics, of a batch.
    Batch,
    /// The norm of the gradients before a step.
    GradientNorm,
}

/// Numbers of one batch.
#[derive(Debug)]
pub struct Row {
    /// What they are.
    pub what: What,
    /// The epoch.
    pub epoch: usize,
    /// The batch of the epoch.
    pub batch: usize,
    /// Its samples.
    pub samples: usize,
    /// Names, such as `train_loss`.
    pub names: Vec<Cow<'static, str>>,
    /// Their values.
    pub values: Vec<Reading>,
}

/// A row with its numbers.
#[derive(Debug, PartialEq)]
pub struct ReadRow {
    /// What the numbers are.
    pub what: What,
    /// The epoch.
    pub epoch: usize,
    /// The batch of the epoch.
    pub batch: usize,
    /// The batch's samples.
    pub samples: usize,
    /// Names.
    pub names: Vec<Cow<'static, str>>,
    /// Their values.
    pub values: Vec<f64>,
}

impl ReadRow {
    /// The loss of a batch, or the norm of gradients.
    pub fn first(&self) -> f64 {
        self.values.first().copied().unwrap_or(f64::NAN)
    }

    /// Adds every value to its sum.
    pub fn add_to(&self, meter: &mut Meter) {
        for (name, value) in self.names.iter().zip(&self.values) {
            meter.add(name, *value, self.samples);
        }
    }
}

/// The readings of training with what they are taken into: the epoch's means, the newest loss, and the first
/// number that is not finite.
pub struct Arriving<'s> {
    /// What is not read yet.
    pub readings: &'s mut Readings,
    /// Sums of the epoch.
    pub meter: &'s mut Meter,
    /// The newest loss that is read.
    pub loss: &'s mut Option<f64>,
    /// The first loss or norm of gradients that is not finite.
    pub not_finite: &'s mut Option<FitError>,
}

impl Arriving<'_> {
    /// Takes what batches gave.
    pub fn take(&mut self, rows: &[ReadRow]) {
        for row in rows {
            let (first, epoch, batch) = (row.first(), row.epoch, row.batch);
            let error = match row.what {
                What::Batch => {
                    *self.loss = Some(first);
                    row.add_to(self.meter);
                    FitError::NotFinite { loss: first, epoch, batch }
                }
                What::GradientNorm => FitError::NotFiniteGradient { norm: first, epoch, batch },
            };
            if !first.is_finite() {
                self.not_finite.get_or_insert(error);
            }
        }
    }

    /// Asks for what is not under way, and takes what has arrived. Never waits.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn look(&mut self) -> Result<(), FitError> {
        self.readings.start()?;
        let rows = self.readings.arrived()?;
        self.take(&rows);
        Ok(())
    }

    /// Takes everything up to the last batch; waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn take_all(&mut self) -> Result<(), FitError> {
        let rows = self.readings.all()?;
        self.take(&rows);
        Ok(())
    }
}

/// Rows in the order of their batches, and when they are read.
pub struct Readings {
    reads: Reads,
    gathered: Vec<Row>,
    /// Rows before these, on their way.
    under_way: Option<(Vec<Row>, Copying)>,
}

impl Readings {
    /// No rows yet.
    pub fn new(reads: Reads) -> Self {
        Self { reads, gathered: Vec::new(), under_way: None }
    }

    /// When numbers are read.
    pub fn reads(&self) -> Reads {
        self.reads
    }

    /// One more row; gives the rows that can be read by now: all where they are read at once, else those
    /// whose copy is through. Waits only where the device is many steps behind.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn push(&mut self, row: Row) -> Result<Vec<ReadRow>, FitError> {
        if self.reads == Reads::AtOnce {
            return Ok(vec![read(row)?]);
        }
        self.gathered.push(row);
        let arrived = self.arrived()?;
        if self.gathered.len() < GATHERED {
            return Ok(arrived);
        }
        // A device so far behind is waited for: memory for what it has to do is not without end.
        let rest = if arrived.is_empty() { self.finish_copy()? } else { arrived };
        self.start()?;
        Ok(rest)
    }

    /// Starts a copy of what has gathered, where none is under way. Nothing waits.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn start(&mut self) -> Result<(), FitError> {
        if self.under_way.is_none() && !self.gathered.is_empty() {
            let rows = std::mem::take(&mut self.gathered);
            let copying = copy(&rows)?;
            self.under_way = Some((rows, copying));
        }
        Ok(())
    }

    /// The rows of a copy that is through; none else. Nothing waits.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn arrived(&mut self) -> Result<Vec<ReadRow>, FitError> {
        match &self.under_way {
            Some((_, copying)) if copying.is_over().map_err(failed)? => self.finish_copy(),
            _ => Ok(Vec::new()),
        }
    }

    /// Every row that is not read; waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn all(&mut self) -> Result<Vec<ReadRow>, FitError> {
        let mut rows = self.finish_copy()?;
        self.start()?;
        rows.extend(self.finish_copy()?);
        Ok(rows)
    }

    /// Forgets what is not read, as when a run is put back to an earlier state.
    pub fn clear(&mut self) {
        (self.gathered, self.under_way) = (Vec::new(), None);
    }

    fn finish_copy(&mut self) -> Result<Vec<ReadRow>, FitError> {
        let Some((rows, copying)) = self.under_way.take() else { return Ok(Vec::new()) };
        let mut values = copying.finish().map_err(failed)?.into_iter();
        let rows = rows.into_iter().map(|row| {
            let values = values.by_ref().take(row.values.len()).collect();
            with_values(row, values)
        });
        Ok(rows.collect())
    }
}

fn copy(rows: &[Row]) -> Result<Copying, FitError> {
    Copying::start(rows.iter().flat_map(|row| &row.values)).map_err(failed)
}

fn read(row: Row) -> Result<ReadRow, FitError> {
    let values = row.values.iter().map(|value| value.read().map_err(failed)).collect::<Result<_, _>>()?;
    Ok(with_values(row, values))
}

fn with_values(row: Row, values: Vec<f64>) -> ReadRow {
    let Row { what, epoch, batch, samples, names, .. } = row;
    ReadRow { what, epoch, batch, samples, names, values }
}

fn failed(error: thaw_torch::TorchError) -> FitError {
    match error {
        thaw_torch::TorchError::Tch(error) => torch("reading loss and metrics")(error),
        other => FitError::Config(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Tensor;
    use thaw_torch::reading::WaitCounter;

    fn row(batch: usize) -> Row {
        let loss = Tensor::from(batch as f32 + 0.1);
        Row {
            what: What::Batch,
            epoch: 0,
            batch,
            samples: 2,
            names: vec!["train_loss".into(), "train_acc".into()],
            values: vec![Reading::of(&loss).unwrap(), Reading::OnDevice(Tensor::from(1.0_f32), 2.0)],
        }
    }

    #[test]
    fn rows_read_late_are_those_read_at_once_in_the_same_order() {
        let gather = |reads| {
            let mut readings = Readings::new(reads);
            let mut rows = Vec::new();
            for batch in 0..3 * GATHERED + 5 {
                rows.extend(readings.push(row(batch)).unwrap());
            }
            rows.extend(readings.all().unwrap());
            rows
        };
        let late = gather(Reads::Late);
        assert_eq!(late, gather(Reads::AtOnce));
        assert!(late.iter().map(|row| row.batch).eq(0..3 * GATHERED + 5));
    }

    #[test]
    fn rows_that_gather_are_read_without_being_asked_for() {
        let mut readings = Readings::new(Reads::Late);
        let counter = WaitCounter::start().unwrap();
        let read: usize = (0..2 * GATHERED).map(|batch| readings.push(row(batch)).unwrap().len()).sum();
        assert_eq!(read, GATHERED, "one copy is through, the next has just begun");
        assert_eq!(counter.count(), 0, "and nothing waited");
    }

    #[test]
    fn rows_that_are_forgotten_are_not_read() {
        let mut readings = Readings::new(Reads::Late);
        readings.push(row(0)).unwrap();
        readings.clear();
        assert!(readings.all().unwrap().is_empty());
    }
}
