//! `trainer.frozen_precision`: what is frozen when an epoch begins takes half of the device's memory.

use super::{Fit, FitError};
use crate::Error;
use crate::model::Narrowed;

impl Fit {
    /// Rounds the weights that are frozen now, those that are not yet; what thaws has its exact values
    /// back by then.
    pub(super) fn narrow_frozen(&mut self) -> Result<(), Error> {
        let Some(kind) = self.state.config.trainer.frozen_precision.kind() else { return Ok(()) };
        if !self.state.trained.sets.is_empty() {
            let reason = "trainer.frozen_precision and a callback that keeps copies of the weights (`ema`, \
                          `swa`) do not go together: the copies would be of rounded values; take one out";
            return Err(FitError::Config(reason.to_owned()).into());
        }
        let Narrowed { parameters, bytes } = self.state.trained.model.narrow_frozen(kind)?;
        if parameters > 0 {
            tracing::info!(
                "frozen_precision: {parameters} frozen weights are held in {kind:?}, which saves {:.1} MiB",
                bytes as f64 / f64::from(1 << 20)
            );
        }
        Ok(())
    }
}
