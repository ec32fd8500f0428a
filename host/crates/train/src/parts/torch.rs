//! libtorch as `[trainer]` sets it up.

use thaw_plugin_api::model::Precision;

use crate::Error;
use crate::config::{RunConfig, TrainerConfig};
use crate::error::FitError;

/// Seeds libtorch and sets it up as `[trainer]` says.
///
/// # Errors
/// A precision that the device does not have.
pub fn prepare_torch(config: &RunConfig, device: tch::Device) -> Result<(), Error> {
    thaw_torch::manual_seed(config.seed)?;
    choose_algorithms(&config.trainer)?;
    if let Some(threads) = config.trainer.threads {
        tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
    }
    if config.trainer.precision == Precision::Fp16Mixed && !device.is_cuda() {
        return Err(FitError::Config(
            "precision = \"fp16-mixed\" needs a GPU; use \"bf16-mixed\" or \"fp32\"".to_owned(),
        )
        .into());
    }
    Ok(())
}

/// A run's precision where its model is only used: what needs a GPU is computed in float32 without one. The
/// weights are float32 in either.
pub fn precision_on(config: &mut RunConfig, device: tch::Device) {
    if config.trainer.precision == Precision::Fp16Mixed && !device.is_cuda() {
        tracing::info!("the run's precision, fp16-mixed, needs a GPU: computing in fp32");
        config.trainer.precision = Precision::Fp32;
    }
}

/// Precision and choice of libtorch's algorithms.
fn choose_algorithms(trainer: &TrainerConfig) -> Result<(), Error> {
    if trainer.deterministic && trainer.cudnn_benchmark {
        return Err(FitError::Config(
            "trainer.deterministic and trainer.cudnn_benchmark are both true: what cuDNN finds fastest \
             differs from run to run; set one of them to false"
                .to_owned(),
        )
        .into());
    }
    if trainer.deterministic {
        thaw_torch::set_deterministic(true)?;
    }
    if trainer.cudnn_benchmark {
        thaw_torch::set_cudnn_benchmark(true)?;
    }
    if let Some(precision) = trainer.matmul_precision {
        thaw_torch::set_matmul_precision(precision)?;
    }
    Ok(())
}
