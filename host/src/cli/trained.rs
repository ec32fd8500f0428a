//! A checkpoint named on the command line, with the plugins and the config that belong to it.

use std::path::{Path, PathBuf};

use clap::Args;
use tch::Device;
use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::Stage;

use super::run_plugins::{self, Needs};
use super::{Options, session};
use crate::Error;
use thaw_torch::TorchError;
use thaw_train::checkpoint::{BEST, Checkpoint, locate};
use thaw_train::config::RunConfig;
use thaw_train::inference::Inference;

/// Which checkpoint, and what is changed of its run config.
#[derive(Args)]
pub struct TrainedArgs {
    /// A checkpoint, or a run directory for its best one (its last where none is the best).
    #[arg(long, value_name = "CHECKPOINT|RUN_DIR")]
    checkpoint: PathBuf,
    /// Sets a key of the run config.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Whether the model is to give its attention weights.
    #[arg(skip)]
    attentions: bool,
}

/// The key of models that give attention weights only when they are asked to.
const ATTENTIONS: &str = "output_attentions";

/// A model ready to be used.
pub struct Trained {
    /// The model, loaded.
    pub inference: Inference,
    /// The checkpoint it came from.
    pub checkpoint: Checkpoint,
}

impl TrainedArgs {
    /// Asks a model that has a key for it to give its attention weights; any other gives them unasked, or has
    /// none.
    pub fn ask_for_attentions(&mut self) {
        self.attentions = true;
    }

    /// The first of these dotted keys that a `--set` sets.
    pub fn sets_any<'k>(&self, keys: &[&'k str]) -> Option<&'k str> {
        let set = self.set.iter().filter_map(|text| text.split_once('=')).map(|(key, _)| key.trim());
        let set: Vec<&str> = set.collect();
        keys.iter().find(|key| set.contains(key)).copied()
    }

    /// Opens the checkpoint and builds its model. Without a config the one of its run is taken.
    ///
    /// # Errors
    /// No checkpoint, plugins that are not found, a config or model that does not fit.
    pub fn open(&self, options: &Options, config: Option<&Path>, stage: Stage) -> Result<Trained, Error> {
        let checkpoint = Checkpoint::open(&locate(&self.checkpoint, BEST)?)?;
        let mut config = match config {
            Some(path) => RunConfig::read(path, &self.set)?,
            None => checkpoint.config(&self.set)?,
        };
        let device = self.device(&config)?;
        let plugins = run_plugins::load(options, &config, Some(&checkpoint), Needs::ModelAndData)?;
        let has_key = |id| !plugins.schema(&[Kind::Model], id)["properties"][ATTENTIONS].is_null();
        if self.attentions && has_key(&config.model.id) {
            config.set_model_key(ATTENTIONS, true.into());
        }
        let inference = Inference::new(config, &plugins, device, &checkpoint, stage)?;
        Ok(Trained { inference, checkpoint })
    }
}

impl TrainedArgs {
    /// The run's device; without it the CPU, unless the command line asks for that device. A model trains on
    /// one machine and is used on another.
    fn device(&self, config: &RunConfig) -> Result<Device, Error> {
        let wanted = &config.trainer.device;
        let is_asked_for = self.set.iter().any(|text| text.trim_start().starts_with("trainer.device"));
        match session::device(wanted) {
            Err(Error::Train(thaw_train::Error::Torch(TorchError::Device { reason, .. })))
                if wanted.starts_with("cuda") && !is_asked_for =>
            {
                let short = reason.split(". Use device").next().unwrap_or_default();
                tracing::warn!("the run trained on {wanted}, which is not here ({short}): using the CPU");
                session::device("cpu")
            }
            device => device,
        }
    }
}
