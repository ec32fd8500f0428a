//! How many features the file gives, found out by running it.

use tch::{Device, Kind, Tensor, no_grad};
use thaw_plugin_api::prelude::*;

use crate::{ModuleConfig, arrange, pool};

/// Runs the file's part on two inputs of zeros: `run` does so in evaluation mode.
///
/// # Errors
/// It does not take them: the run config has to say what it takes, or how many features it gives.
pub fn features(
    config: &ModuleConfig,
    run: impl FnOnce(&Tensor) -> Result<Vec<(String, Tensor)>>,
) -> Result<i64> {
    let shape = config.probe_shape();
    let probe = || {
        let batch: Vec<i64> = [2].into_iter().chain(shape.iter().copied()).collect();
        let input = Tensor::f_zeros(batch.as_slice(), (Kind::Float, Device::Cpu))?;
        let outputs = arrange(run(&input)?, config.output.as_deref(), "features")?;
        Ok(pool(outputs.first()?)?.size()[1])
    };
    no_grad(probe).map_err(|error: Error| {
        if error.kind() == ErrorKind::Config {
            return error;
        }
        let message = format_args!(
            "cannot find out how many features the file gives; with inputs of shape {shape:?} it says: {}",
            error.message()
        );
        Error::of(ErrorKind::Config, message)
            .help("set `image_size` or `input_shape` to what it takes, or `features` to the number")
    })
}
