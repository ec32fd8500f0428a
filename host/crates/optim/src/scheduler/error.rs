//! What can be wrong with a schedule.

use thaw_plugin_api::config::ConfigError;

/// What can fail in a scheduler.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// A key or value of the `[scheduler]` table.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A lambda expression that cannot be read.
    #[error(
        "scheduler.lambda: cannot read {expression:?}: {problem}. Expected a formula of epoch and step, as \
         \"0.95 ^ epoch\""
    )]
    Expression {
        /// The expression.
        expression: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A schedule that left the numbers that a rate may have.
    #[error(
        "the scheduler {id} gives group {group:?} the rate {lr} (its count is {advances}); expected a number \
         of 0 or more. Change the schedule's values"
    )]
    Rate {
        /// The schedule.
        id: &'static str,
        /// The group.
        group: String,
        /// The rate.
        lr: f64,
        /// How often the schedule had advanced.
        advances: usize,
    },
    /// A state in a checkpoint that is another schedule's.
    #[error(
        "the checkpoint's scheduler is {found:?}, the run config's {expected:?}: use the same, or start a \
         new run from the checkpoint's weights"
    )]
    OtherSchedule {
        /// The id in the checkpoint.
        found: String,
        /// The id in the run config.
        expected: &'static str,
    },
    /// A state in a checkpoint that cannot be read.
    #[error("the scheduler's state cannot be read or written: {0}")]
    State(String),
}
