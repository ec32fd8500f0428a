//! Callbacks whose state is not what it was.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

/// Counts epochs in a field that is not saved.
#[derive(Config)]
pub struct ForgetsState {
    #[config(skip)]
    epochs: usize,
}

impl Callback for ForgetsState {
    const ID: &'static str = "forgets-state";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        self.epochs += 1;
        context.log("epochs", self.epochs as f64)
    }
}

/// Saves a text for a number that it read.
#[derive(Config)]
pub struct SavesAnother {
    #[config(skip)]
    epochs: usize,
    #[config(skip)]
    loaded: bool,
}

impl Callback for SavesAnother {
    const ID: &'static str = "saves-another";

    fn on_train_epoch_start(&mut self, _: &mut Context) -> Result<()> {
        self.epochs += 1;
        Ok(())
    }

    fn state(&self) -> Result<Map<String, Value>> {
        let epochs = if self.loaded { json!(self.epochs as f64) } else { json!(self.epochs) };
        Ok(Map::from_iter([("epochs".to_owned(), epochs)]))
    }

    fn load_state(&mut self, state: Map<String, Value>) -> Result<()> {
        let epochs = state.get("epochs").and_then(Value::as_f64).filter(|_| state.len() == 1);
        self.epochs = epochs
            .ok_or_else(|| Error::of(ErrorKind::State, "the saved state has no number `epochs`"))?
            as usize;
        self.loaded = true;
        Ok(())
    }
}

/// Takes any table for its state.
#[derive(Config)]
pub struct TakesAnyState {
    #[config(skip)]
    epochs: u64,
}

impl Callback for TakesAnyState {
    const ID: &'static str = "takes-any-state";

    fn on_train_epoch_start(&mut self, _: &mut Context) -> Result<()> {
        self.epochs += 1;
        Ok(())
    }

    fn state(&self) -> Result<Map<String, Value>> {
        Ok(Map::from_iter([("epochs".to_owned(), json!(self.epochs))]))
    }

    fn load_state(&mut self, state: Map<String, Value>) -> Result<()> {
        self.epochs = state.get("epochs").and_then(Value::as_u64).unwrap_or_default();
        Ok(())
    }
}

/// Is no longer what it was after a state that it refused, though its own state is.
#[derive(Config)]
pub struct HalfTakesState {
    #[config(skip)]
    epochs: u64,
    #[config(skip)]
    offset: f64,
}

impl Callback for HalfTakesState {
    const ID: &'static str = "half-takes-state";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        self.epochs += 1;
        context.log("epochs", self.epochs as f64 + self.offset)
    }

    fn state(&self) -> Result<Map<String, Value>> {
        Ok(Map::from_iter([("epochs".to_owned(), json!(self.epochs))]))
    }

    fn load_state(&mut self, state: Map<String, Value>) -> Result<()> {
        self.offset = 0.5;
        let epochs = state.get("epochs").and_then(Value::as_u64).filter(|_| state.len() == 1);
        self.epochs =
            epochs.ok_or_else(|| Error::of(ErrorKind::State, "the saved state has no number `epochs`"))?;
        self.offset = 0.0;
        Ok(())
    }
}
