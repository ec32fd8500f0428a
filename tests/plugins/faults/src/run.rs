//! Callbacks whose runs are wrong.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};

use thaw_plugin_api::prelude::*;

/// Scales the rate by a number that differs in every process.
#[derive(Config)]
pub struct TakesAnyNumber {}

impl Callback for TakesAnyNumber {
    const ID: &'static str = "takes-any-number";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        let number = RandomState::new().hash_one(context.epoch()) as f64;
        context.log("number", number)
    }
}

static INSTANCES: AtomicUsize = AtomicUsize::new(0);

/// Logs how many instances there were before it in the process.
#[derive(Config)]
pub struct CountsInstances {}

impl Callback for CountsInstances {
    const ID: &'static str = "counts-instances";

    fn setup(&mut self, _: &mut Context) -> Result<()> {
        INSTANCES.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        context.log("instances", INSTANCES.load(Ordering::Relaxed) as f64)
    }
}

static EPOCHS: AtomicUsize = AtomicUsize::new(0);

/// Counts its epochs in a static, which every run starts at 0.
#[derive(Config)]
pub struct SharesACounter {}

impl Callback for SharesACounter {
    const ID: &'static str = "shares-a-counter";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        if context.epoch() == 0 {
            EPOCHS.store(0, Ordering::Relaxed);
        }
        context.log("epochs", EPOCHS.fetch_add(1, Ordering::Relaxed) as f64)
    }
}

/// Fails in the middle of a run.
#[derive(Config)]
pub struct FailsLate {}

impl Callback for FailsLate {
    const ID: &'static str = "fails-late";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        ensure!(context.epoch() < 7, "epoch 7 is too late for this callback");
        Ok(())
    }
}

/// Says nothing of what is wrong.
#[derive(Config)]
pub struct BareError {}

impl Callback for BareError {
    const ID: &'static str = "bare-error";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        context.metrics().map(drop).map_err(|_| Error::new(""))
    }
}

/// Takes for granted that the host answers.
#[derive(Config)]
pub struct PanicsOnRefusal {}

impl Callback for PanicsOnRefusal {
    const ID: &'static str = "panics-on-refusal";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        context.metrics().unwrap();
        Ok(())
    }
}

/// Takes for granted that there is an epoch.
#[derive(Config)]
pub struct NeedsAnEpoch {
    #[config(state)]
    epochs: usize,
}

impl Callback for NeedsAnEpoch {
    const ID: &'static str = "needs-an-epoch";

    fn on_train_epoch_start(&mut self, _: &mut Context) -> Result<()> {
        self.epochs += 1;
        Ok(())
    }

    fn on_train_end(&mut self, _: &mut Context) -> Result<()> {
        ensure!(self.epochs > 0, "there was no epoch");
        Ok(())
    }
}

/// Takes for granted that every epoch comes.
#[derive(Config)]
pub struct NeedsAllEpochs {}

impl Callback for NeedsAllEpochs {
    const ID: &'static str = "needs-all-epochs";

    fn on_train_end(&mut self, context: &mut Context) -> Result<()> {
        let progress = *context.progress();
        ensure!(progress.epoch == progress.max_epochs, "the run ended before its last epoch");
        Ok(())
    }
}

/// Takes for granted that there is validation data.
#[derive(Config)]
pub struct NeedsValidation {}

impl Callback for NeedsValidation {
    const ID: &'static str = "needs-validation";

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        context.validate()
    }
}
