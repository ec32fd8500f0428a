//! What each epoch took.

use super::{Run, What};

/// Seconds of an epoch, and what it did in them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochTime {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Seconds of training; all of the epoch's, where they are not told apart.
    pub training: f64,
    /// Of those: data, forward, backward, the optimizer's step, where they are recorded.
    pub spent: Option<[f64; 4]>,
    /// Of those, what records, loggers, the report and the terminal took; 0 where that is not recorded.
    pub loggers: f64,
    /// Seconds of validation.
    pub validation: f64,
    /// Seconds of checkpoints.
    pub checkpoints: f64,
    /// Samples that were trained on, where they are recorded.
    pub samples: Option<u64>,
    /// Bytes that the process held.
    pub memory: Option<u64>,
    /// Bytes of a GPU, at most so far.
    pub gpu_memory: Option<u64>,
}

impl EpochTime {
    /// Samples per second of training.
    pub fn samples_per_second(&self) -> Option<f64> {
        let samples = self.samples.filter(|_| self.training > 0.0)?;
        Some(samples as f64 / self.training)
    }
}

/// The time of each epoch that counts: epochs that a resume took back are left out. Runs that did not record
/// it have the seconds between the records of their epochs.
pub fn epoch_times(run: &Run) -> Vec<EpochTime> {
    let mut times: Vec<EpochTime> = Vec::new();
    let mut last_step = None;
    for record in &run.history {
        match &record.what {
            What::Resumed { .. } => {
                times.retain(|time| time.epoch < record.epoch);
                last_step = None;
            }
            What::EpochEnded {
                training,
                data,
                forward,
                backward,
                optimizer_step,
                loggers,
                validation,
                checkpoints,
                samples,
                memory,
                gpu_memory,
            } => {
                let parts = [data, forward, backward, optimizer_step];
                let spent: Vec<f64> = parts.into_iter().flatten().copied().collect();
                last_step = Some(record.step);
                times.retain(|time| time.epoch != record.epoch);
                times.push(EpochTime {
                    epoch: record.epoch,
                    training: *training,
                    spent: spent.try_into().ok(),
                    loggers: loggers.unwrap_or_default(),
                    validation: *validation,
                    checkpoints: *checkpoints,
                    samples: Some(*samples),
                    memory: *memory,
                    gpu_memory: *gpu_memory,
                });
            }
            // Those inside of an epoch are counted by its end.
            What::CheckpointWritten { took } if last_step == Some(record.step) => {
                if let Some(time) = times.last_mut() {
                    time.checkpoints += took;
                }
            }
            _ => {}
        }
    }
    if times.is_empty() { between_records(run) } else { times }
}

fn between_records(run: &Run) -> Vec<EpochTime> {
    let mut ends: Vec<(usize, f64)> = Vec::new();
    for record in run.metrics.iter().filter(|record| record.batch.is_none()) {
        let Some(seconds) = record.seconds else { continue };
        match ends.last_mut() {
            Some(last) if last.0 == record.epoch => last.1 = seconds,
            _ => ends.push((record.epoch, seconds)),
        }
    }
    let mut before = 0.0;
    let time = |(epoch, seconds): (usize, f64)| {
        let training = seconds - std::mem::replace(&mut before, seconds);
        EpochTime { epoch, training, ..EpochTime::default() }
    };
    ends.into_iter().map(time).collect()
}
