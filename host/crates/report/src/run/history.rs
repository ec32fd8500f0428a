//! `history.jsonl`.

use serde::Deserialize;

use super::ModuleRecord;

/// Something happened.
#[derive(Clone, Debug, Deserialize)]
pub struct HistoryRecord {
    /// The epoch that was under way, from 0.
    pub epoch: usize,
    /// Optimizer steps that were done.
    pub step: usize,
    /// The time of day, in UTC.
    #[serde(default)]
    pub time: Option<String>,
    /// Seconds since the run was started.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum What {
    /// A process of the run began.
    Started(Box<Started>),
    /// It goes on from a checkpoint.
    Resumed {
        /// Its name.
        checkpoint: String,
    },
    /// An epoch is over.
    EpochEnded {
        /// Seconds of training.
        training: f64,
        /// Of those, what went into data, model and loss, gradients, and the optimizer; runs of earlier
        /// versions did not record it.
        #[serde(default)]
        data: Option<f64>,
        /// As `data`.
        #[serde(default)]
        forward: Option<f64>,
        /// As `data`.
        #[serde(default)]
        backward: Option<f64>,
        /// As `data`.
        #[serde(default)]
        optimizer_step: Option<f64>,
        /// The same of records, loggers, the report and the terminal.
        #[serde(default)]
        loggers: Option<f64>,
        /// Seconds of validation.
        validation: f64,
        /// Seconds of checkpoints inside the epoch.
        checkpoints: f64,
        /// Samples that were trained on.
        samples: u64,
        /// Bytes that the process held.
        #[serde(default)]
        memory: Option<u64>,
        /// Bytes of a GPU, at most so far.
        #[serde(default)]
        gpu_memory: Option<u64>,
    },
    /// Passes over a split start from what frozen stages gave, or again from the samples.
    FrozenCache {
        /// `train` or `val`.
        split: String,
        /// The last stage that is left out; none where they start from the samples.
        #[serde(default)]
        after: Option<String>,
        /// How many stages are left out.
        #[serde(default)]
        cut: usize,
        /// How many the model has.
        #[serde(default)]
        stages: usize,
    },
    /// A checkpoint is on disk.
    CheckpointWritten {
        /// Seconds that it took.
        took: f64,
    },
    /// A checkpoint could not be written.
    CheckpointLost {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// Somebody asked the live run for something.
    Asked {
        /// `stop`, `checkpoint`, `validate`.
        #[serde(rename = "for")]
        what: String,
    },
    /// The run warned.
    Warned {
        /// Of what.
        text: String,
    },
    /// The process is done with the run.
    Ended {
        /// `finished`, `stopped`, `interrupted`, `failed`.
        ending: String,
        /// Why.
        #[serde(default)]
        reason: Option<String>,
    },
    /// What another version of the program records.
    #[serde(other)]
    Other,
}

/// What a process of a run says of itself at its start.
#[derive(Clone, Debug, Deserialize)]
pub struct Started {
    /// The program's version.
    pub thaw: String,
    /// The version of libtorch.
    pub libtorch: String,
    /// Where it computes.
    pub device: String,
    /// The machine.
    pub machine: Machine,
    /// Id of the model.
    pub model: String,
    /// The data in one line.
    pub data: String,
    /// Names of the classes.
    #[serde(default)]
    pub class_names: Vec<String>,
    /// The model's modules that have parameters.
    pub modules: Vec<ModuleRecord>,
}

/// A machine, as far as it says.
#[derive(Clone, Debug, Deserialize)]
pub struct Machine {
    /// The operating system.
    pub system: String,
    /// The processor's architecture.
    pub architecture: String,
    /// The processor.
    pub cpu: Option<String>,
    /// Its threads of execution.
    pub cores: Option<u64>,
    /// Threads that libtorch computes with.
    pub threads: Option<i64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
}
