//! What training needs of a run.

use super::{Batches, Step, Validating};

/// What comes after an optimizer step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next batch.
    GoOn,
    /// The run's end: the epoch is closed where it stands.
    Stop,
    /// Nothing: the epoch is left as it is, to be gone on with later.
    Leave,
}

/// A run that trains. The methods are in the order in which the driver calls them; where a run has nothing to
/// do at a point, the default does.
pub trait Training: Validating {
    /// What a resumed run goes on from.
    type Saved;

    /// Builds the optimizer over what trains; strategies have frozen what must not.
    ///
    /// # Errors
    /// Settings that make no sense.
    fn build_optimizer(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Puts weights, freeze state, groups and optimizer back.
    ///
    /// # Errors
    /// What was saved is another run's, or damaged.
    fn restore(&mut self, saved: &Self::Saved) -> Result<(), Self::Error>;

    /// Puts the state of strategies and callbacks back, then where the run stands.
    ///
    /// # Errors
    /// As [`Training::restore`].
    fn load_states(&mut self, saved: &Self::Saved) -> Result<(), Self::Error>;

    /// Batches of the sanity check; 0 for none.
    fn sanity_batches(&self) -> usize {
        0
    }

    /// Before `on_train_start` of a fresh run, sanity check or not.
    ///
    /// # Errors
    /// The run cannot train.
    fn sanity_checked(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether no further epoch begins, although some are left.
    fn is_over(&self) -> bool {
        false
    }

    /// An epoch begins, or goes on where it was left; no hook of it has run.
    ///
    /// # Errors
    /// The run cannot go on.
    fn begin_epoch(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether another strategy has taken this one's place, and has begun the epoch.
    ///
    /// # Errors
    /// It cannot, and the run depends on it.
    fn is_replaced(&mut self, index: usize) -> Result<bool, Self::Error> {
        let _ = index;
        Ok(false)
    }

    /// Strategies and callbacks have begun the epoch: groups and rates of it are these.
    ///
    /// # Errors
    /// They are not to be trained.
    fn epoch_started(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// An epoch goes on where it was left.
    ///
    /// # Errors
    /// As [`Training::epoch_started`].
    fn epoch_resumed(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The batches of the epoch, from where it stands.
    ///
    /// # Errors
    /// The data cannot be read.
    fn training_data(&mut self) -> Result<Batches<Self::Batch, Self::Error>, Self::Error>;

    /// Batches of an accumulation window, 1 or more.
    fn accumulate_grad_batches(&self) -> usize;

    /// The loss of a batch.
    ///
    /// # Errors
    /// The model, or a loss that is not to be trained on.
    fn forward(&mut self, batch: &mut Self::Loaded) -> Result<(), Self::Error> {
        let _ = batch;
        Ok(())
    }

    /// Clears the gradients.
    ///
    /// # Errors
    /// What libtorch fails with.
    fn zero_grad(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The gradients of a batch, added to those of its window.
    ///
    /// # Errors
    /// What libtorch fails with.
    fn backward(&mut self, batch: &mut Self::Loaded) -> Result<(), Self::Error> {
        let _ = batch;
        Ok(())
    }

    /// Makes the window's gradients what hooks may look at.
    ///
    /// # Errors
    /// What an audit of them finds.
    fn unscale(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Clips, and steps.
    ///
    /// # Errors
    /// What the optimizer fails with.
    fn optimizer_step(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Schedules of steps.
    ///
    /// # Errors
    /// What the scheduler fails with.
    fn step_schedulers(&mut self) -> Result<(), Self::Error>;

    /// Schedules of epochs, right after an epoch's last step.
    ///
    /// # Errors
    /// What the scheduler fails with.
    fn epoch_schedulers(&mut self) -> Result<(), Self::Error>;

    /// Explains what the training of a batch failed with.
    fn batch_failed(&mut self, error: Self::Error, batch: &Self::Loaded) -> Self::Error {
        let _ = batch;
        error
    }

    /// Hooks have had the batch; the position is still its own.
    ///
    /// # Errors
    /// What it gave is not to go on with.
    fn batch_ended(&mut self, batch: Self::Loaded, step: Step) -> Result<(), Self::Error> {
        let _ = (batch, step);
        Ok(())
    }

    /// The position is the next batch's.
    fn after_batch(&mut self) {}

    /// Whether a hook asked for a validation, once.
    fn take_validation_request(&mut self) -> bool {
        false
    }

    /// Whether a validation follows the batch that is done, which is not the epoch's last one.
    fn validates_batch(&self) -> bool {
        false
    }

    /// A validation inside an epoch is done.
    ///
    /// # Errors
    /// Its record cannot be written.
    fn validated_inside_epoch(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The checkpoints that are due after a step which does not end the epoch.
    ///
    /// # Errors
    /// What a hook, or the state of the run, fails with.
    fn checkpoint_after_step(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// What comes after a step, with all that belongs to it done.
    fn next(&self) -> Next;

    /// The epoch is left as it is, between two batches.
    ///
    /// # Errors
    /// Why the run ends here.
    fn leave(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The run stops inside the epoch. What is saved here goes on with the next batch: the epoch's last hooks
    /// are not in it.
    ///
    /// # Errors
    /// As [`Training::checkpoint_after_step`].
    fn checkpoint_before_stop(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// No batch follows: the epoch's metrics of training are these.
    ///
    /// # Errors
    /// The device failed at what came before.
    fn batches_ended(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Whether a validation follows this epoch.
    fn validates_epoch(&self) -> bool {
        true
    }

    /// Validation is done, `on_train_epoch_end` follows.
    ///
    /// # Errors
    /// What an audit finds.
    fn before_epoch_end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Hooks have had the epoch.
    ///
    /// # Errors
    /// A metric that somebody waits for is missing, or the epoch's record cannot be written.
    fn epoch_ended(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The checkpoint of a whole epoch; the position is the next one's.
    ///
    /// # Errors
    /// What a hook, or the state of the run, fails with.
    fn checkpoint_after_epoch(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// The run has stopped inside an epoch, whose last hooks are done.
    ///
    /// # Errors
    /// As [`Training::checkpoint_after_epoch`].
    fn stopped_inside_epoch(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// No epoch follows; `on_train_end` does.
    ///
    /// # Errors
    /// What was trained is not to be kept.
    fn trained(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// `on_fit_end` is done: what was asked for until then is written.
    ///
    /// # Errors
    /// What the run is to end with is not on disk.
    fn fitted(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Training is over, well or not; the last hooks follow.
    fn ended(&mut self) {}
}
