//! What happens in a run, and who is told.
//!
//! The loop emits typed [events](EventKind); [observers](Observer) are told of them: the records of a run
//! directory, the display on a terminal, loggers of other programs. The loop does not know who listens, and
//! what it computes does not depend on it.
//!
//! An observer that prints the rates of every epoch, and loses nothing of a GPU's time:
//!
//! ```
//! use thaw_train::fit::events::{Event, EventKind, Observer, ObserverError};
//!
//! struct Rates;
//!
//! impl Observer for Rates {
//!     fn name(&self) -> &str {
//!         "rates"
//!     }
//!
//!     fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
//!         if let EventKind::GroupsChanged(groups) = &event.kind {
//!             for group in groups.groups {
//!                 println!("epoch {}  {} {}", event.progress.epoch, group.name, group.lr);
//!             }
//!         }
//!         Ok(())
//!     }
//! }
//! ```
//!
//! # Order
//!
//! Indented events come any number of times, those with `?` perhaps not at all.
//!
//! ```text
//! RunStarted
//! Resumed ?
//! ValidationStarted, ValidationBatchDone …, Validated          the sanity check, of a run that begins ?
//!   EpochStarted
//!     Swapped
//!   GroupsChanged                                             also after a hook that changed them
//!   FrozenCache ?                                             also before the batches of a validation
//!     StepDone
//!     Logged                                                  every log_every_n_steps batches
//!     ValidationStarted …, Validated, Logged                  where one is due, or a hook asked for it
//!     CheckpointWritten, CheckpointLost                       by a hook or every_n_train_steps
//!   ValidationStarted …, Validated ?                          in an epoch that validates
//!   Logged
//!   EpochEnding
//!   EpochEnded
//!     CheckpointWritten, CheckpointLost
//! RunEnded
//! ```
//!
//! [`AskedFor`](EventKind::AskedFor) comes after a batch or at the end of an epoch,
//! [`Warned`](EventKind::Warned) anywhere, and [`Timed`](EventKind::Timed) in a run that is profiled. A
//! run that goes on inside an epoch has no `GroupsChanged` before the first `StepDone`: they are as its
//! checkpoint has them. One that stops inside an epoch for another reason than an interrupt writes `last`
//! first, then ends the epoch. `RunEnded` is the last event, however the run ends; of a run that cannot be
//! built there are no events.

mod clock;
mod error;
mod kinds;
mod loggers;
mod observers;
mod profile;
mod records;
mod spent;
mod warnings;

pub use clock::Clock;
pub use error::ObserverError;
pub use kinds::{
    Asked, BatchNormState, CacheOrigin, CacheStart, Doubtful, Ending, EventKind, GroupsChanged, LateValues,
    LostCheckpoint, Rates, Record, RunStarted, StepDone, Timed, Validated, Weights, WrittenCheckpoint,
};
pub use loggers::RunLogger;
pub use observers::Observers;
pub use profile::Profile;
pub use records::{EventRecords, HistoryRecords, RecordsError, SampleRecords};
use serde_json::Value;
pub use spent::Spent;
use thaw_plugin_api::context::Progress;
use time::OffsetDateTime;
pub use warnings::Warnings;

/// Something happened.
pub struct Event<'r> {
    /// The time of day, in UTC.
    pub time: OffsetDateTime,
    /// Seconds since the run was started. A resumed run goes on from those of its checkpoint: time between
    /// two processes, and what came after the checkpoint, does not count.
    pub seconds: f64,
    /// Seconds of those that observers took, told of all events before this one: records, loggers, reports.
    pub observing: f64,
    /// Where the run stands.
    pub progress: Progress,
    /// What happened.
    pub kind: EventKind<'r>,
}

/// Is told of what happens in a run.
///
/// Called on the thread that trains, between two steps: what takes long belongs on a thread of the observer's
/// own. An observer that fails or panics is named in a warning and told nothing more; see [`ObserverError`]
/// for the two other ways to fail. Observers are told in the order in which they were given.
pub trait Observer {
    /// What it is called in messages and, where it keeps something, in checkpoints: short, and its own in a
    /// run.
    fn name(&self) -> &str;

    /// Something happened. Values that have to be waited for are read by methods of the event: one that is
    /// not asked costs nothing.
    ///
    /// # Errors
    /// It failed; the run mostly goes on.
    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError>;

    /// The run is over; [`EventKind::RunEnded`] follows when every observer has returned from this. What is
    /// warned of here is still told, and recorded, before that.
    ///
    /// # Errors
    /// As [`Observer::on_event`].
    fn before_end(&mut self, _ending: Ending<'_>, _time: OffsetDateTime) -> Result<(), ObserverError> {
        Ok(())
    }

    /// What this observer warns of since it was asked last, such as a server that a thread of its own cannot
    /// reach. It goes into the log, and to all observers with the next event.
    fn warnings(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Writes what waits to be written: plugins are called next that may end the process, or an epoch is
    /// over.
    ///
    /// # Errors
    /// As [`Observer::on_event`].
    fn flush(&mut self) -> Result<(), ObserverError> {
        Ok(())
    }

    /// What a checkpoint is to keep of this observer, so that it can go back there. What was told until now
    /// has to be on disk when this returns. Null keeps nothing.
    ///
    /// # Errors
    /// As [`Observer::on_event`].
    fn save(&mut self) -> Result<Value, ObserverError> {
        Ok(Value::Null)
    }

    /// The run is to go on from a checkpoint that kept this. Looks whether that is possible and changes
    /// nothing yet: others may refuse. [`EventKind::Resumed`] follows where all agree.
    ///
    /// # Errors
    /// It is not: [`ObserverError::EndsRun`] refuses the resume.
    fn resume(&mut self, _saved: &Value) -> Result<(), ObserverError> {
        Ok(())
    }
}
