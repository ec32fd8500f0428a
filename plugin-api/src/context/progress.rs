//! Where a run stands.

/// What the run is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// `host fit`.
    #[default]
    Fit,
    /// `host validate`.
    Validate,
    /// `host predict`.
    Predict,
    /// `host plan`: the hooks of a fit, but nothing trains and there are no metrics.
    Plan,
}

/// Where a run stands and how far it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What the run is doing.
    pub stage: Stage,
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps so far.
    pub global_step: usize,
    /// The batch within the epoch, from 0.
    pub batch_index: usize,
    /// Epochs that the run is to have.
    pub max_epochs: usize,
    /// Optimizer steps after which the run ends; `None` without such a limit.
    pub max_steps: Option<usize>,
    /// Batches of training in an epoch.
    pub num_training_batches: usize,
    /// Batches of validation; 0 without validation data.
    pub num_validation_batches: usize,
    /// In a validation the set whose batches are gone through, Lightning's `dataloader_idx`: 0 for the main
    /// one, then those of `[data.validation]` in the order of their names.
    pub validation_set: usize,
    /// Which of the run's processes this is, from 0. Hooks run in each of them and have to decide alike.
    pub rank: usize,
    /// Processes that train together; 1 where the run has no others, and under an older host.
    pub world_size: usize,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            stage: Stage::Fit,
            epoch: 0,
            global_step: 0,
            batch_index: 0,
            max_epochs: 0,
            max_steps: None,
            num_training_batches: 0,
            num_validation_batches: 0,
            validation_set: 0,
            rank: 0,
            world_size: 1,
        }
    }
}

const NONE: u64 = u64::MAX;

impl Progress {
    /// Whether nothing was trained yet.
    pub fn is_fresh(&self) -> bool {
        self.global_step == 0 && self.epoch == 0 && self.batch_index == 0
    }

    /// As it crosses the boundary: numbers by position. Positions are part of the ABI: append, never move.
    pub fn to_numbers(self) -> [u64; 11] {
        [
            self.stage as u64,
            self.epoch as u64,
            self.global_step as u64,
            self.batch_index as u64,
            self.max_epochs as u64,
            self.max_steps.map_or(NONE, |steps| steps as u64),
            self.num_training_batches as u64,
            self.num_validation_batches as u64,
            self.validation_set as u64,
            self.rank as u64,
            self.world_size as u64,
        ]
    }

    /// From what crossed the boundary; numbers that an older host does not send are 0.
    pub fn from_numbers(numbers: &[u64]) -> Self {
        let at = |index: usize| numbers.get(index).copied().unwrap_or_default();
        let number = |index| usize::try_from(at(index)).unwrap_or(usize::MAX);
        Self {
            stage: match at(0) {
                1 => Stage::Validate,
                2 => Stage::Predict,
                3 => Stage::Plan,
                _ => Stage::Fit,
            },
            epoch: number(1),
            global_step: number(2),
            batch_index: number(3),
            max_epochs: number(4),
            max_steps: (at(5) != NONE && numbers.len() > 5).then(|| number(5)),
            num_training_batches: number(6),
            num_validation_batches: number(7),
            validation_set: number(8),
            rank: number(9),
            world_size: number(10).max(1),
        }
    }
}
