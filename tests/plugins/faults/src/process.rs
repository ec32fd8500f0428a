//! Callbacks that do not leave the process as it was.

use std::time::Duration;

use thaw_plugin_api::prelude::*;

/// Prints to standard output.
#[derive(Config)]
pub struct Prints {}

impl Callback for Prints {
    const ID: &'static str = "prints";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        println!("epoch {}", context.epoch());
        Ok(())
    }
}

/// Leaves a thread behind.
#[derive(Config)]
pub struct LeavesThread {}

impl Callback for LeavesThread {
    const ID: &'static str = "leaves-thread";

    fn on_fit_start(&mut self, _: &mut Context) -> Result<()> {
        std::thread::Builder::new().name("left-behind".to_owned()).spawn(|| {
            loop {
                std::thread::park();
            }
        })?;
        Ok(())
    }
}

/// Keeps a little of every step.
#[derive(Config)]
pub struct Leaks {}

impl Callback for Leaks {
    const ID: &'static str = "leaks";

    fn on_train_batch_end(&mut self, _: &mut Context) -> Result<()> {
        vec![1_u8; 64 << 10].leak();
        Ok(())
    }
}

/// Ends the process.
#[derive(Config)]
pub struct Exits {}

impl Callback for Exits {
    const ID: &'static str = "exits";

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        if context.epoch() == 3 {
            std::process::exit(0);
        }
        Ok(())
    }
}

/// Never comes back.
#[derive(Config)]
pub struct Hangs {}

impl Callback for Hangs {
    const ID: &'static str = "hangs";

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        while context.epoch() == 3 {
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}
